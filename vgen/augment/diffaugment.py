"""DiffAugment: random differentiable changes to all that the discriminator sees."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vgen.clip import Clip
from vgen.layer.times import check_dense
from vgen.rng import draw_rows


class DiffAugment(nn.Module):
    """Changes each clip at random, all its frames alike (Zhao et al. 2020, arXiv 2006.10738).

    Operations, in the order of `policy`:
        color: brightness + U(-0.5, 0.5), then saturation x U(0, 2), then contrast x U(0.5, 1.5).
        translation: by up to 1/8 of the frame in either direction, whole pixels, filled with 0.
        cutout: a square of half the frame's side, its centre anywhere in the frame, set to 0.
        flip: left-right, with probability 1/2 (not in the paper; wrong for data with text or handedness).
        stretch: in time, to 2 ** U(-1, 1) times the length, between frames by linear interpolation; of a longer clip a
            random part is seen, and a shorter one stands at a random place between frames of 0. Its times stay as they
            are (LongVideoGAN, Brooks et al. 2022, arXiv 2206.03429; NVlabs/long-video-gan: model/video_gan_lres.py).
    Values may leave [-1, 1] by "color"; they are not clamped, so that gradients pass.
    """

    def __init__(self, *, policy: Sequence[str] = ("color", "translation", "cutout")):
        super().__init__()
        unknown = [name for name in policy if name not in _OPERATIONS]
        if unknown:
            raise ValueError(
                f"augment.policy has {', '.join(map(repr, unknown))}; choose from {', '.join(_OPERATIONS)}"
            )
        self.policy = tuple(policy)

    def forward(self, clip: Clip) -> Clip:
        # One row of uniform numbers per clip; each operation reads its own columns, whatever the policy.
        uniform = draw_rows(clip.batch, lambda rows, rng: torch.rand(rows, _COLUMNS, generator=rng))
        uniform = uniform.to(clip.video.device, non_blocking=True)
        if "stretch" in self.policy:
            check_dense(clip, who="augment.policy's stretch")
        video = clip.video
        for name in self.policy:
            video = _OPERATIONS[name](video, uniform)
        return clip.with_video(video)

    def extra_repr(self) -> str:
        return f"policy={self.policy}"


def _per_clip(values: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1, 1) in the type of `like`."""
    return values.to(like.dtype).view(-1, 1, 1, 1, 1)


def _color(video: Tensor, uniform: Tensor) -> Tensor:
    brightness = _per_clip(uniform[:, 0] - 0.5, video)
    saturation = _per_clip(uniform[:, 1] * 2, video)
    contrast = _per_clip(uniform[:, 2] + 0.5, video)
    video = video + brightness
    video = torch.lerp(video.mean(1, keepdim=True), video, saturation)
    # The grey level of the whole clip, not of each frame: a frame's own would make the clip flicker.
    return torch.lerp(video.mean((1, 2, 3, 4), keepdim=True), video, contrast)


def _translation(video: Tensor, uniform: Tensor) -> Tensor:
    for dim, column in ((3, 3), (4, 4)):
        video = _shift(video, uniform[:, column], dim)
    return video


def _shift(video: Tensor, uniform: Tensor, dim: int) -> Tensor:
    """Moves pixels along `dim` (3 or 4) by up to 1/8 of its size either way; 0 comes in from outside."""
    size = video.shape[dim]
    most = (size + 4) // 8
    shift = (uniform * (2 * most + 1)).floor().long() - most  # (B,)
    source = torch.arange(size, device=video.device) - shift[:, None]  # (B, size)
    along = [len(shift), 1, 1, 1, 1]
    along[dim] = size
    inside = ((source >= 0) & (source < size)).view(along)
    # Around the edge and masked, so that the index is a permutation: its gradient adds up nothing.
    moved = video.gather(dim, (source % size).view(along).expand_as(video))
    return moved * inside.to(video.dtype)


def _cutout(video: Tensor, uniform: Tensor) -> Tensor:
    height, width = video.shape[3:]
    rows = _covered(height, uniform[:, 5]).view(-1, 1, 1, height, 1)
    columns = _covered(width, uniform[:, 6]).view(-1, 1, 1, 1, width)
    return video * (~(rows & columns)).to(video.dtype)


def _covered(size: int, uniform: Tensor) -> Tensor:
    """(B, size) bool: `size // 2` pixels about any centre in [0, size), less what falls outside."""
    start = (uniform * size).floor()[:, None] - size // 4
    position = torch.arange(size, device=uniform.device)
    return (position >= start) & (position < start + size // 2)


def _flip(video: Tensor, uniform: Tensor) -> Tensor:
    return torch.where(_per_clip(uniform[:, 7], uniform) < 0.5, video.flip(4), video)


def _stretch(video: Tensor, uniform: Tensor) -> Tensor:
    frames = video.shape[2]
    # Columns of its own: among the others they would change what all policies draw.
    drawn = draw_rows(len(video), lambda rows, rng: torch.rand(rows, 2, generator=rng))
    place, speed = drawn.to(video.device, torch.promote_types(video.dtype, torch.float32)).unbind(1)
    factor = (2 * speed - 1).exp2()
    length = (factor * frames).floor().clamp(min=1)  # (B,)
    room = frames - length
    # Frame 0 of the stretched clip stands at `shift`: before 0 a part of it is seen, after 0 there is a gap.
    shift = ((room.abs() + 1) * place).floor() * room.sign()
    frame = torch.arange(frames, device=video.device, dtype=place.dtype)
    at = frame - shift[:, None]  # (B, T)
    source = ((at + 0.5) / factor[:, None] - 0.5).clamp(0, frames - 1)
    mixture = (1 - (source[:, :, None] - frame).abs()).clamp(min=0)  # (B, T, T), rows sum to 1
    inside = (at >= 0) & (at < length[:, None])
    return torch.einsum("btk,bckhw->bcthw", (mixture * inside[:, :, None]).to(video.dtype), video)


_COLUMNS = 8
_OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": _color,
    "translation": _translation,
    "cutout": _cutout,
    "flip": _flip,
    "stretch": _stretch,
}
