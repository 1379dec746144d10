"""Frame sizes 4 * 2^n: how many times a network doubles (halves) a frame, and how wide it is meanwhile."""

from torch import Tensor

SIZES = tuple(4 * 2**doublings for doublings in range(1, 9))


def doublings(size: int) -> int:
    """The n >= 1 of size = 4 * 2^n; ValueError for any other size."""
    if size not in SIZES:
        allowed = ", ".join(map(str, SIZES))
        raise ValueError(
            f"clip.size={size} cannot be made by doubling 4x4; set clip.size to one of {allowed}"
        )
    return SIZES.index(size) + 1


def widths(count: int, base: int, most: int) -> list[int]:
    """Channels base, 2 base, 4 base, ..., at most `most`, for `count` layers from the frame inwards."""
    return [min(base * 2**layer, most) for layer in range(count)]


def temporal_kernels(frames: int, layers: int) -> list[int]:
    """Frames that each of `layers` unpadded convolutions sees: 4 where a clip of `frames` allows.

    For fewer frames smaller ones, as even as they can be, that together span them all.
    """
    span = min(frames - 1, 3 * layers)
    return [1 + span // layers + (layer < span % layers) for layer in range(layers)]


def check_video(
    video: Tensor, *, channels: int, size: int, least_frames: int, most_frames: int | None = None
) -> None:
    """ValueError unless `video` (B, C, T, H, W) has the shape that a discriminator was built for."""
    _, c, t, h, w = video.shape
    enough = least_frames <= t <= (most_frames or t)
    if (c, h, w) != (channels, size, size) or not enough:
        frames = f"{least_frames}" if most_frames == least_frames else f"at least {least_frames}"
        raise ValueError(
            f"the discriminator was built for {frames} frames of {channels}x{size}x{size} but got {t} "
            f"frames of {c}x{h}x{w}; set clip.frames, clip.channels and clip.size to those of the clips"
        )
