import pytest
import torch
from styled import STYLED, styled

from vgen.clip import regular_times
from vgen.training.generated_clips import GeneratedClips
from vgen.training.style_mixed_clips import style_mixed_clips


def clips_of(form: str, **changes) -> GeneratedClips:
    generator = styled(form, **changes)
    labels = torch.tensor([0, 1, 0]) if changes else None
    return GeneratedClips(generator, count=3, times=regular_times(1, 4)[0], labels=labels, seed=2)


@pytest.mark.parametrize("form", STYLED)
def test_the_diagonal_holds_the_clips_themselves(form: str):
    clips = clips_of(form, classes=2)
    grid = style_mixed_clips(clips)
    assert grid.shape == (3, 3, 4, 16, 16, 3)
    assert (grid[range(3), range(3)].int() - clips.read(range(3)).int()).abs().max() <= 1
    assert not torch.equal(grid[0, 1], grid[0, 0])


def test_rows_give_the_first_layers_and_the_motion():
    clips = clips_of("styleganv")
    codes = clips.latents(range(3), "sample")
    w = clips.styles(codes, range(3))
    own = {name: part[:1] for name, part in codes.items()}
    for coarse in (1, 5):
        mixed = torch.cat([w[:1, :coarse], w[1:2, coarse:]], 1)
        expected = clips.make(own | {"w": mixed}, [0])[0]
        made = style_mixed_clips(clips, coarse=coarse)[0, 1]
        assert (made.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("coarse", [0, 6])
def test_no_such_split(coarse: int):
    with pytest.raises(ValueError, match="give 1 to 5"):
        style_mixed_clips(clips_of("styleganv"), coarse=coarse)


def test_a_generator_without_styles():
    with pytest.raises(ValueError, match="no style for each"):
        style_mixed_clips(clips_of("mocogan"))
