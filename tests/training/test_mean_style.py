import pytest
import torch
from styled import STYLED, styled

from vgen import rng
from vgen.clip import regular_times
from vgen.training.mean_style import mean_style

TIMES = regular_times(1, 2)


@pytest.mark.parametrize("form", STYLED)
def test_against_all_styles_at_once(form: str):
    generator = styled(form)
    found = mean_style(generator, times=TIMES, seed=3, count=130)
    times = TIMES[:, :1].expand(64, -1)
    drawn = [generator.sample_latent(64, times, rng.generator(3, "mean style", n)) for n in range(3)]
    w = torch.cat([generator.styles(latent, times) for latent in drawn]).double()
    torch.testing.assert_close(found.mean.double(), w.mean(0), rtol=1e-6, atol=1e-7)
    apart = (w[:, 0] - w[:, 0].mean(0)).square().sum(1).mean().sqrt()
    assert found.radius == pytest.approx(float(apart), rel=1e-4)
    again = mean_style(generator, times=TIMES, seed=3, count=130)
    assert torch.equal(again.mean, found.mean)
    assert not torch.equal(mean_style(generator, times=TIMES, seed=4, count=130).mean, found.mean)


def test_of_a_class_and_of_all_in_turn():
    generator = styled("styleganv", classes=2, label_to="synthesis")
    of = [mean_style(generator, times=TIMES, label=torch.tensor([c]), count=64).mean for c in range(2)]
    assert not torch.allclose(*of)
    both = mean_style(generator, times=TIMES, count=64).mean
    assert not torch.allclose(both, of[0])


def test_a_generator_without_styles_is_refused():
    with pytest.raises(ValueError, match="no style for each"):
        mean_style(styled("mocogan"), times=TIMES)
