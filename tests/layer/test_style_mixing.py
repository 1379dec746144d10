import torch

from vgen import rng
from vgen.layer.style_mixing import draw_mixing, mix_styles


def draw(probability: float, batch: int = 4000):
    content, second = torch.zeros(batch, 2), torch.ones(batch, 2)
    return draw_mixing(content, second, 5, probability, rng.generator(0))


def test_layers_are_drawn_evenly_and_as_often_as_asked():
    mixed, begin = draw(0.8)
    counts = begin.bincount(minlength=6).double() / len(begin)
    torch.testing.assert_close(counts, torch.tensor([0, 0.2, 0.2, 0.2, 0.2, 0.2]).double(), atol=0.02, rtol=0)
    assert torch.equal(mixed[:, 0] == 1, begin < 5), "who is not mixed has its own code twice"


def test_never_and_always():
    assert (draw(0.0)[1] == 5).all()
    assert (draw(1.0)[1] < 5).all()


def test_later_layers_have_the_second_style():
    first, second = torch.zeros(2, 3, 4), torch.ones(2, 3, 4)
    mixed = mix_styles(first, second, torch.tensor([1, 3]))
    assert mixed[:, :, 0].tolist() == [[0, 1, 1], [0, 0, 0]]
