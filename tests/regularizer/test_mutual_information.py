import pytest
import torch

from vgen.clip import Judgement, Regularizer
from vgen.regularizer.mutual_information import MutualInformation


def judge(clip):
    return Judgement({"video": clip.video.sum((1, 2, 3, 4))})


def test_is_minus_the_mean_cosine(make_step):
    noise = torch.tensor([[[1.0, 0.0], [3.0, 4.0]]], dtype=torch.float64)
    guess = torch.tensor([[[2.0, 0.0], [4.0, -3.0]]], dtype=torch.float64, requires_grad=True)
    term = MutualInformation()
    assert isinstance(term, Regularizer)
    assert (term.player, term.weight) == ("generator", 1.0)
    value = term(make_step(judge, parts={"motion_noise": noise, "motion_noise_guess": guess}))
    torch.testing.assert_close(value, torch.tensor(-0.5, dtype=torch.float64))
    value.backward()
    assert guess.grad.any()


def test_a_single_frame_gives_nothing(make_step):
    nothing = torch.zeros(2, 0, 3)
    assert (
        MutualInformation()(make_step(judge, parts={"motion_noise": nothing, "motion_noise_guess": nothing}))
        == 0
    )


def test_a_generator_that_guesses_no_noise_is_refused(make_step):
    with pytest.raises(ValueError, match="generator/motion=lstm_residual"):
        MutualInformation()(make_step(judge))
