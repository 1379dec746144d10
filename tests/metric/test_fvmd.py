import math

import pytest
import torch

from vgen.metric.frechet import frechet_distance
from vgen.metric.fvmd import MotionDistance, motion_features, motion_histogram


def steady(velocity, clips=1, steps=8, points=8):
    """Flow of everything moving at one velocity in shorter sides of the frame per frame."""
    flow = torch.zeros(clips, steps, points, points, 4)
    flow[..., :2] = torch.tensor(velocity)
    return flow


def random_flow(clips, seed, scale=0.05):
    return scale * torch.randn(clips, 4, 4, 4, 4, generator=torch.Generator().manual_seed(seed))


def test_one_velocity_fills_one_bin_of_every_part():
    # to the right: atan2 = 0, the bin that begins at pi of 2 pi; 7 pixels of 256 weigh log2(8) / 8
    histogram = motion_histogram(steady((7 / 256, 0.0))[..., :2], times=4).reshape(4, 4, 4, 8)
    expected = torch.zeros_like(histogram)
    expected[..., 4] = 3 / 8
    torch.testing.assert_close(histogram, expected)


def test_angles_and_magnitudes():
    for turn in range(8):
        angle = (turn + 0.5) * math.pi / 4 - math.pi
        for pixels, weight in ((0.4, 1 / 8), (1.0, 1 / 8), (1.1, 2 / 8), (100.0, 7 / 8), (900.0, 1.0)):
            velocity = (pixels / 256 * math.cos(angle), pixels / 256 * math.sin(angle))
            histogram = motion_histogram(steady(velocity)[..., :2].double(), cells=1, quantized=True)[0]
            assert histogram[turn].item() == pytest.approx(weight)
            assert histogram.sum().item() == pytest.approx(weight)
    exact = motion_histogram(steady((1.5 / 256, 0.0))[..., :2], cells=1)
    assert exact.sum().item() == pytest.approx(math.log2(2.5) / 8, rel=1e-6)


def test_parts_of_space_and_time():
    vectors = torch.zeros(1, 5, 4, 4, 2)
    vectors[0, 4, 3, 0, 1] = 1 / 256  # last frame, lower left, downwards
    histogram = motion_histogram(vectors, cells=2, times=2, quantized=True).reshape(2, 2, 2, 8)
    # 5 frames are 3 and 2; a part is 2 frames of 2x2 points
    assert histogram[1, 1, 0, 6].item() == pytest.approx(1 / 8 / 8)
    assert histogram.sum().item() == pytest.approx(1 / 8 / 8)
    assert motion_histogram(vectors[:, :3], times=4).shape == (1, 3 * 16 * 8)


def test_acceleration_is_its_own_half():
    flow = steady((0.1, 0.0), steps=4)
    flow[:, :-1, ..., 2] = -7 / 256
    velocity, acceleration = motion_features(flow, cells=1, times=1)[0].split(8)
    assert velocity.nonzero().tolist() == [[4]]
    # to the left: atan2 is pi, and the float32 zero beside it decides which end of the circle
    assert acceleration.sum().item() == pytest.approx(3 / 8)
    assert not torch.equal(velocity, acceleration)
    with pytest.raises(ValueError, match="at least 3 frames"):
        motion_features(flow[:, :1])


def test_distance_between_histograms():
    metric = MotionDistance(cells=2, times=2)
    real, fake = random_flow(40, 1), random_flow(30, 2, scale=0.1)
    by_hand = frechet_distance(*(motion_features(side, cells=2, times=2) for side in (real, fake)))
    assert metric.measure(real, fake)["fvmd"].value == pytest.approx(by_hand, rel=1e-9)
    assert metric.measure(real, fake)["fvmd"].standard_error > 0
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert metric.compute().item() == pytest.approx(by_hand, rel=1e-9)
    assert metric.measure(real, real)["fvmd"].value < 1e-9
    assert by_hand == pytest.approx(metric.measure(fake, real)["fvmd"].value, rel=1e-9)


def test_sees_acceleration_that_velocity_does_not_show():
    real = random_flow(60, 1)
    jerky = real.clone()
    jerky[..., 2:] *= 4
    metric = MotionDistance(cells=1, times=1)
    assert metric.values(real, jerky)["fvmd"] > 0.005


def test_frozen_fakes_are_far_and_say_so():
    real = random_flow(40, 1)
    metric = MotionDistance(cells=2, times=1)
    frozen = torch.zeros_like(real)
    mean = motion_features(real, cells=2, times=1)
    expected = mean.mean(dim=0).square().sum() + mean.var(dim=0).sum()
    assert metric.values(real, frozen)["fvmd"] == pytest.approx(expected.item(), rel=1e-9)


def test_refusals_and_warnings():
    real = random_flow(5, 1)
    assert "5 clips for 1024 features" in MotionDistance(times=4).warnings(*[steady((0, 0), clips=5)] * 2)[0]
    # 4 velocities and 3 accelerations
    assert "5 clips for 896 features" in MotionDistance(times=4).warnings(real, real)[0]
    assert not MotionDistance(cells=1, times=1, angles=2).warnings(real, real)
    with pytest.raises(ValueError, match="make both alike"):
        MotionDistance().measure(real, real[:, :3])
    with pytest.raises(ValueError, match="cells=0"):
        MotionDistance(cells=0)
    assert MotionDistance().stamp == "N-1,1x4x4x8,velocity+acceleration"
    assert MotionDistance(times=4, quantized=True).stamp == "N-1,4x4x4x8,velocity+acceleration,quantized"
