import math

import pytest
import torch

from vgen.metric.diversity import Diversity, mean_pairwise_distance


def drawn(clips, seed, shape=(2, 5), scale=1.0):
    return scale * torch.randn(
        clips, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def by_pairs(x):
    pairs = [(a - b).square().sum(dim=1).mean() for i, a in enumerate(x) for b in x[:i]]
    return torch.stack(pairs).mean().item()


def test_is_the_mean_over_all_pairs():
    x = drawn(23, 1) + 100
    assert mean_pairwise_distance(x).value == pytest.approx(by_pairs(x), rel=1e-9)


def test_standard_error_is_that_of_fresh_draws():
    estimates = [mean_pairwise_distance(drawn(60, seed)) for seed in range(60)]
    values = torch.tensor([e.value for e in estimates])
    assert values.mean().item() == pytest.approx(10, abs=3 * values.std().item() / math.sqrt(60))
    mean_error = sum(e.standard_error for e in estimates) / 60
    assert 0.75 < mean_error / values.std().item() < 1.3


def test_collapse_is_zero_and_spread_is_more():
    metric = Diversity()
    real = drawn(20, 1).float()
    collapsed = real[:1].expand(20, -1, -1)
    assert metric.measure(real, collapsed)["diversity"].value == 0
    found = metric.measure(real, 2 * real)["diversity"]
    assert found.value == pytest.approx(4 * found.real, rel=1e-6)


def test_frames_are_compared_by_angle():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    frames = torch.stack([torch.stack([a, a]), torch.stack([5 * a, 2 * b])])  # 1 - cos is 0 and 1
    found = Diversity(reads="frames").measure(frames, frames)["diversity"]
    assert found.value == pytest.approx(0.5)
    assert Diversity(reads="frames").stamp == "1-cos,all pairs,aligned frames"
    with pytest.raises(ValueError, match="perceptual or frames"):
        Diversity(reads="clip")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="1 fake clips"):
        Diversity().measure(frames, frames[:1])
