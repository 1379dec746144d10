import pytest
import torch

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.first_frame import FirstFrame


def judge(clip):
    return Judgement({"video": clip.video.sum((1, 2, 3, 4))})


def test_is_the_mean_distance_of_the_frames(make_step):
    given = torch.tensor([0.0, 1.0], dtype=torch.float64).view(1, 1, 2, 1, 1)
    made = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    parts = {"given": given, "reconstruction": made.view(1, 1, 2, 1, 1)}
    l1, l2 = FirstFrame(), FirstFrame(distance="l2")
    assert isinstance(l1, Regularizer)
    assert (l1.player, l1.weight) == ("generator", 10.0)
    assert l1(make_step(judge, parts=parts)).item() == (0.5 + 2) / 2
    assert l2(make_step(judge, parts=parts)).item() == (0.25 + 4) / 2
    (gradient,) = torch.autograd.grad(l1(make_step(judge, parts=parts)), made)
    assert gradient.tolist() == [0.5, -0.5]


def test_what_cannot_be_is_refused(make_step):
    with pytest.raises(ValueError, match="condition=frames"):
        FirstFrame()(make_step(judge))
    with pytest.raises(ValueError, match="l1 or l2"):
        FirstFrame(distance="l3")
