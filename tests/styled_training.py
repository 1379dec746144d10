"""Training of style-based generators, stopped and continued."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from toy import ToyData, fit, toy_gan, toy_trainer

from vgen.clip import Clip, Judgement
from vgen.regularizer.path_length import PathLength
from vgen.training.video_gan import VideoGAN


class ImageJudge(nn.Module):
    """A linear judge of a clip's mean frame, of 16 pixels a side."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(16 * 16, 1)

    def forward(self, clip: Clip) -> Judgement:
        return Judgement({"video": self.net(clip.video.mean((1, 2)).flatten(1))[:, 0]})


def assert_resumed_bit_for_bit(build: Callable[[], nn.Module], folder: Path, *, half: int) -> None:
    """A run of twice `half` steps ends with the weights of one that was stopped after `half` and continued."""

    def gan() -> VideoGAN:
        terms = {"path_length": PathLength(interval=2)}
        return toy_gan(generator=build(), discriminator=ImageJudge(), regularizers=terms, accumulate=2)

    whole = fit(gan(), folder / "whole", 2 * half, size=16)
    first = gan()
    trainer = toy_trainer(folder / "first", half)
    trainer.fit(first, datamodule=ToyData(first.batch, first.d_steps, 16))
    trainer.save_checkpoint(folder / "half.ckpt")
    resumed = fit(gan(), folder / "second", 2 * half, checkpoint=folder / "half.ckpt", size=16)
    for (name, one), two in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, two), name
