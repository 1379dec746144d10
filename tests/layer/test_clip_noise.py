import torch

from vgen import rng
from vgen.layer.clip_noise import clip_noise


def draw(rank=0, world=1, batch=4, dtype=torch.float32):
    with rng.use_stream(rng.BatchStream(rng.generator(7), rank, world)):
        return clip_noise(torch.zeros(batch, 3, 50, dtype=dtype))


def test_does_not_depend_on_the_processes():
    whole = draw()
    parts = torch.cat([draw(rank, 2, 2) for rank in (0, 1)])
    assert torch.equal(whole, parts)


def test_rows_differ_and_are_normal():
    noise = draw(batch=200)
    assert len({row.sum().item() for row in noise}) == 200
    assert abs(noise.mean().item()) < 4 / noise.numel() ** 0.5
    assert abs(noise.std().item() - 1) < 4 / noise.numel() ** 0.5


def test_types():
    assert draw(dtype=torch.bfloat16).dtype == torch.float32
    assert draw(dtype=torch.float64).dtype == torch.float64
