from functools import partial

import pytest
import torch

from vgen.clip import regular_times
from vgen.generator.framewise import Framewise
from vgen.generator.motion.gru import GRUMotion
from vgen.generator.synthesis.dcgan import DCGAN
from vgen.generator.vgan import VGAN
from vgen.training.generated_clips import GeneratedClips
from vgen.training.swapped_clips import swapped_clips

FRAMES = 5


def clips_of(generator: torch.nn.Module, labels: torch.Tensor | None = None) -> GeneratedClips:
    return GeneratedClips(generator, count=3, times=regular_times(1, FRAMES)[0], labels=labels, seed=7)


class Codes(torch.nn.Module):
    """A clip whose pixels are its codes: content, motion and label in one row."""

    classes, frames, reads_times = 3, None, False

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def sample_latent(self, batch, times, rng):
        draw = torch.rand(batch, 3, generator=rng)
        return {"content": draw[:, :1], "motion_start": draw[:, 1:2], "motion_noise": draw[:, 2:]}

    def forward(self, latent, times, label):
        row = torch.cat([*latent.values(), label[:, None] / 3], 1)  # (B, 4)
        return row[:, None, None, None, :].expand(-1, 1, times.shape[1], 1, -1)


def test_rows_share_the_content_and_columns_motion_and_label():
    grid = swapped_clips(clips_of(Codes(), torch.tensor([2, 0, 1])))[:, :, 0, 0, :, 0]  # (row, column, code)
    content, motion = grid[..., 0], grid[..., 1:]
    assert torch.equal(content, content[:, :1].expand_as(content))
    assert torch.equal(motion, motion[:1].expand_as(motion))
    assert len(content[:, 0].unique()) == 3
    assert len(motion[0].unique(dim=0)) == 3


def test_the_diagonal_holds_the_clips_themselves():
    torch.manual_seed(0)
    generator = Framewise(
        motion=partial(GRUMotion, motion_dim=4),
        synthesis=partial(DCGAN, size=16, channels=3, base_channels=4),
        content_dim=6,
    )
    clips = clips_of(generator)
    grid = swapped_clips(clips)
    assert grid.shape == (3, 3, FRAMES, 16, 16, 3)
    assert torch.equal(grid[range(3), range(3)], clips.read(range(3)))
    assert not torch.equal(grid[0, 1], grid[0, 0])


def test_a_latent_without_motion_is_refused():
    generator = VGAN(size=16, frames=8, base_channels=4)
    clips = GeneratedClips(generator, count=2, times=regular_times(1, 8)[0])
    with pytest.raises(ValueError, match=r"does not tell motion from content: it has z$"):
        swapped_clips(clips)
