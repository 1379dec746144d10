"""One change of a clip and of the small frames that it was made from."""

from collections.abc import Callable
from dataclasses import replace

from vgen import rng
from vgen.clip import Clip
from vgen.layer.small_frames import enlarge


def augmented(augment: Callable[[Clip], Clip], clip: Clip) -> Clip:
    """`augment(clip)`; where the clip has small frames, these at full size, changed by the same draws."""
    if clip.low is None:
        return augment(clip)
    draws = rng.mark()
    changed = augment(clip)
    with rng.repeat(draws):
        low = augment(clip.with_video(enlarge(clip.low, clip.video.shape[-1])))
    return replace(changed, low=low.video)
