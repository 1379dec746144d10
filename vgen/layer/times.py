"""Checks of frame times, shared by generators that cannot make frames at any time."""

from torch import Tensor

from vgen.clip import Clip


def check_equally_spaced(times: Tensor, *, who: str) -> None:
    """ValueError unless the times (B, T) of every clip grow by equal steps.

    Reads values, so it stops an accelerator: call it before training, not in a step.
    """
    steps = times.diff(dim=1)
    for clip, spread in zip(times, (steps - steps[:, :1]).abs(), strict=True):
        if (spread > 1e-3).any():
            at = [round(time, 3) for time in clip.tolist()]
            raise ValueError(f"{who} makes equally spaced frames only, not at {at}; set sampler=consecutive")


def check_length(times: Tensor, frames: int | None, *, who: str) -> None:
    """ValueError unless clips at `times` (B, T) have the only number of frames that the generator makes."""
    if times.shape[1] != frames:
        raise ValueError(
            f"{who} makes clips of {frames} frames only, not of {times.shape[1]}; "
            "set clip.frames to the length you want and train it, or use generator=mocogan"
        )


def check_dense(clip: Clip, *, who: str) -> None:
    """ValueError for a clip that was made sparsely: made once more, it would show other frames."""
    if clip.levels > 1:
        raise ValueError(f"{who} compares clips with others of the same frames; set generator.sparse=false")
