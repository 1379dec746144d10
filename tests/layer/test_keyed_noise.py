import torch

from vgen import rng
from vgen.layer.keyed_noise import clip_seeds, keyed_normal


def test_noise_belongs_to_seed_and_key():
    seeds = clip_seeds(3, rng.generator(0))
    whole = keyed_normal(seeds, [range(-2, 4)] * 3, 5)
    assert whole.shape == (3, 6, 5)
    part = keyed_normal(seeds[1:2], [[3, -1]], 5)
    assert torch.equal(part[0], whole[1, [5, 1]])
    assert not torch.equal(whole[0], whole[1])


def test_noise_is_normal_and_independent():
    noise = keyed_normal(clip_seeds(4, rng.generator(1)), [range(500)] * 4, 4).reshape(-1, 16)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    off_diagonal = torch.corrcoef(noise.T) - torch.eye(16)
    assert off_diagonal.abs().max() < 0.2


def test_seeds_do_not_depend_on_what_follows():
    first = rng.generator(2)
    seeds = clip_seeds(2, first)
    keyed_normal(seeds, [range(5)] * 2, 3)
    assert torch.equal(clip_seeds(2, rng.generator(2)), seeds)
    assert torch.equal(torch.rand(3, generator=first), _after_seeds())


def _after_seeds() -> torch.Tensor:
    stream = rng.generator(2)
    clip_seeds(2, stream)
    return torch.rand(3, generator=stream)
