import pytest
import torch

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.mask_sparsity import MaskSparsity


def judge(clip):
    return Judgement({"video": clip.video.sum((1, 2, 3, 4))})


def test_is_the_mean_of_the_mask(make_step):
    mask = torch.rand(3, 1, 3, 4, 4)
    term = MaskSparsity()
    assert isinstance(term, Regularizer)
    assert (term.player, term.weight) == ("generator", 0.1)
    torch.testing.assert_close(term(make_step(judge, parts={"mask": mask})), mask.mean())


def test_a_generator_without_a_mask_is_refused(make_step):
    with pytest.raises(ValueError, match="generator=vgan"):
        MaskSparsity()(make_step(judge))
