"""Frames at equal distances in time, of videos of any rate."""

import numpy as np

UNEVEN = 1.5  # a frame that stays this much longer than most
ROUNDING = 0.00101  # seconds; containers such as Matroska round times to milliseconds


def frames_at(times: np.ndarray, fps: float) -> np.ndarray:
    """Which frame is nearest to each of the moments 0, 1/fps, 2/fps, ... after the first: indices (K,) int64.

    The last moment is the last one not after the last frame's. Of two frames equally near (within the rounding of
    containers, a millisecond) the earlier is taken. Where frames lie further apart than 1/fps, they come again.

    Args:
        times: when each frame is shown, in seconds (n,), not falling.

    Raises:
        ValueError: the times fall, or are not known.
    """
    if not np.isfinite(times).all():
        raise ValueError("its frames say no time")
    if (np.diff(times) < 0).any():
        raise ValueError("its times go back")
    times = times - times[0]
    moments = np.arange(int(np.floor((times[-1] + ROUNDING) * fps)) + 1) / fps
    later = np.searchsorted(times, moments).clip(1, max(1, len(times) - 1))
    earlier = later - 1
    later = later.clip(max=len(times) - 1)
    nearer = times[later] - moments < moments - times[earlier] - ROUNDING
    return np.where(nearer, later, earlier)


def is_even(times: np.ndarray) -> bool:
    """Whether all frames stay about equally long; unknown times count as even."""
    steps = np.diff(times)
    return not (
        np.isfinite(steps).all() and steps.size and steps.max() > UNEVEN * np.median(steps) + ROUNDING
    )


def pack_times(times: np.ndarray, fps: float | None) -> float | list[float] | None:
    """`times` (n,) in seconds as short as an index can hold them: the distance of frames at a constant rate (within the
    rounding of containers), else each one from the first on; None if neither frames nor `fps` say them.
    """
    if not np.isfinite(times).all():
        return None if fps is None else 1 / fps
    times = times - times[:1]
    steps = [1 / fps] if fps else []
    if len(times) > 1:
        steps.append(float(times[-1]) / (len(times) - 1))
    for step in steps:
        if step > 0 and np.abs(times - step * np.arange(len(times))).max() <= ROUNDING:
            return step
    return [round(float(time), 6) for time in times]


def unpack_times(packed: float | list[float] | None, frames: int) -> np.ndarray:
    """When each of the frames is shown (frames,), in seconds since the first; NaN if nothing says it."""
    if packed is None:
        return np.full(frames, np.nan)
    return np.asarray(packed) if isinstance(packed, list) else packed * np.arange(frames)
