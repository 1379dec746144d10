import pytest
import torch
from test_config import TINY, compose, options

from vgen import rng
from vgen.cli.conditioned import build_generator
from vgen.clip import regular_times
from vgen.condition.codes import FreeCodes

TIMES = regular_times(2, 8)
UNFIT = ("tgan", "longvideogan_sres")  # the latter is made of clips, and is called with them
ROOM = {"longvideogan": ("generator.content_dim=4",)}  # keys that give a condition something to enter


def make(*overrides: str):
    torch.manual_seed(0)
    return build_generator(compose(*TINY, "condition=codes", "clip.frames=8", "width=4", *overrides))


def test_codes_have_their_laws():
    codes = FreeCodes(categories=[3, 2], continuous=1)
    drawn = codes.sample(3000, rng.generator(0))
    assert codes.shape == (6, 1, 1)
    shares = [(drawn["code_categories"][:, 0] == value).float().mean() for value in range(3)]
    torch.testing.assert_close(torch.stack(shares), torch.full((3,), 1 / 3), atol=0.03, rtol=0)
    assert drawn["code_categories"][:, 1].unique().tolist() == [0, 1]
    continuous = drawn["code_continuous"]
    assert continuous.abs().max() <= 1
    assert abs(continuous.mean()) < 0.05
    assert abs(continuous.var() - 1 / 3) < 0.03


@pytest.mark.parametrize("name", [n for n in options()["generator"] if n not in UNFIT])
def test_every_generator_hears_its_codes(name: str):
    generator = make(f"generator={name}", *ROOM.get(name, ())).eval()
    latent = generator.sample_latent(2, TIMES, rng.generator(0))
    parts = generator.decompose(latent, TIMES)
    assert parts["code_category_0"].shape == (2, 10)
    assert torch.equal(parts["code_category_0"].argmax(1), latent["code_categories"][:, 0])
    changes = {
        "code_categories": (latent["code_categories"] + 1) % 10,
        "code_continuous": -latent["code_continuous"],
    }
    for part, value in changes.items():
        other = generator(latent | {part: value}, TIMES)
        assert not torch.allclose(other, parts["video"], atol=1e-5), part


def test_values_change_one_code_at_a_time():
    generator = make("generator=vgan", "condition.codes.categories=[3,2]", "condition.codes.continuous=1")
    latent = generator.sample_latent(2, TIMES, rng.generator(0))
    changed = generator.code_values(latent)
    categories = [row["code_categories"].tolist() for row in changed]
    first, second = latent["code_categories"].T.tolist()
    assert categories[:3] == [[[value, second[0]], [value, second[1]]] for value in range(3)]
    assert categories[3:5] == [[[first[0], value], [first[1], value]] for value in range(2)]
    assert [row["code_continuous"].flatten().tolist() for row in changed[5:]] == [
        [value, value] for value in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    assert all(torch.equal(row["z"], latent["z"]) for row in changed)


def test_codes_and_given_frames_go_together():
    generator = make("generator=vgan", "condition=[frames,codes]").eval()
    latent = generator.sample_latent(2, TIMES, rng.generator(0)) | {"given": torch.rand(2, 3, 1, 16, 16)}
    assert {"given", "reconstruction", "code_continuous"} <= generator.decompose(latent, TIMES).keys()
    assert generator.given_frames == 1


@pytest.mark.parametrize(
    "arguments", [{"categories": [1]}, {"categories": [], "continuous": 0}, {"continuous": -1}]
)
def test_codes_that_are_none_are_refused(arguments):
    with pytest.raises(ValueError, match=r"condition\.codes"):
        FreeCodes(**arguments)
