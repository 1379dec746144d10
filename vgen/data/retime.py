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


def settle_times(times: np.ndarray, fps: float | None) -> np.ndarray:
    """`times`, or those of a constant rate where the frames do not say them all; NaN if nothing says the rate."""
    if np.isfinite(times).all() or fps is None:
        return times
    return np.arange(len(times)) / fps
