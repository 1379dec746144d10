from fractions import Fraction

import numpy as np
import pytest

from vgen.data.retime import frames_at, is_even, settle_times


def exact(times: list[Fraction], fps: Fraction) -> list[int]:
    """The frames nearest to 0, 1/fps, ..., the earlier of two equally near, in rational numbers."""
    count = int((times[-1] - times[0]) * fps) + 1
    moments = [times[0] + k / fps for k in range(count)]
    return [min(range(len(times)), key=lambda i: (abs(times[i] - moment), i)) for moment in moments]


@pytest.mark.parametrize(
    "rate", [10, 12, 15, 24, Fraction(24000, 1001), 25, Fraction(30000, 1001), 30, 50, 60]
)
@pytest.mark.parametrize("fps", [Fraction(25, 2), 5, 8, 10, 12, 15, 24, 25, 30])
def test_nearest_in_time_as_in_rational_numbers(rate, fps):
    times = [Fraction(i) / rate for i in range(97)]
    got = frames_at(np.array([float(time) for time in times]), float(fps))
    wanted = exact(times, Fraction(fps))
    # Where two frames are within a millisecond of equally near, the earlier is taken: that may differ by one there.
    close = [
        abs(abs(times[i] - k / Fraction(fps)) - abs(times[j] - k / Fraction(fps))) <= Fraction(1, 980)
        for k, (i, j) in enumerate(zip(got, wanted, strict=True))
    ]
    assert all(i == j or (near and i == j - 1) for i, j, near in zip(got, wanted, close, strict=True))


def test_half_of_25_and_of_30():
    at_25, at_30 = np.arange(26) / 25, np.arange(31) / 30
    assert frames_at(at_25, 12.5).tolist() == list(range(0, 26, 2))
    assert frames_at(at_30, 12.5).tolist() == [0, 2, 5, 7, 10, 12, 14, 17, 19, 22, 24, 26, 29]
    assert frames_at(at_25, 25).tolist() == list(range(26))
    assert frames_at(at_25, 10).tolist()[:5] == [0, 2, 5, 7, 10]  # ties go to the earlier


def test_rounded_to_milliseconds_as_in_matroska():
    for rate in (24000 / 1001, 25, 30000 / 1001, 30, 60):
        times = np.arange(200) / rate
        for fps in (5, 10, 12.5, 15):
            whole, rounded = frames_at(times, fps), frames_at(np.round(times, 3), fps)
            assert len(whole) == len(rounded)
            apart = times[whole] - np.arange(len(whole)) / fps
            assert np.abs(whole - rounded).max() <= 1
            assert (
                np.abs(np.abs(apart) - np.abs(times[rounded] - np.arange(len(whole)) / fps)) < 0.0021
            ).all()


def test_variable_rates_go_by_the_clock():
    times = np.array([0, 0.1, 0.2, 1.0, 1.05, 2.0])
    assert frames_at(times, 2).tolist() == [0, 2, 3, 4, 5]  # at 1.5 s, 1.05 is nearer than 2.0
    assert frames_at(times + 7, 2).tolist() == frames_at(times, 2).tolist()


def test_a_slower_video_repeats_frames():
    assert frames_at(np.arange(4) / 10, 20).tolist() == [0, 0, 1, 1, 2, 2, 3]


def test_one_frame_and_equal_times():
    assert frames_at(np.array([3.0]), 25).tolist() == [0]
    assert frames_at(np.array([0.0, 0.0, 0.04]), 25).tolist() == [0, 2]


def test_times_that_say_nothing():
    with pytest.raises(ValueError, match="go back"):
        frames_at(np.array([0, 0.2, 0.1]), 10)
    with pytest.raises(ValueError, match="no time"):
        frames_at(np.array([0, np.nan]), 10)
    gaps = np.array([0, np.nan, 0.2])
    assert settle_times(gaps, 10).tolist() == [0, 0.1, 0.2]
    assert np.isnan(settle_times(gaps, None)[1])
    assert settle_times(np.array([0, 0.3]), 10).tolist() == [0, 0.3]


def test_even_and_uneven():
    for rate in (24000 / 1001, 25, 30, 60):
        assert is_even(np.arange(50) / rate)
        assert is_even(np.round(np.arange(50) / rate, 3))
    assert not is_even(np.array([0, 0.04, 0.08, 0.16, 0.2]))
    assert is_even(np.array([0.0]))
    assert is_even(np.full(4, np.nan))
