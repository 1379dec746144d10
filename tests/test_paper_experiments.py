"""The runs of papers go through a training step when their networks and clips are made small."""

from pathlib import Path

import pytest
from test_config import train_steps


@pytest.mark.parametrize(
    "option", ["ivgan", "vgan_first_frame", "g3an_uva", "dvdgan_kinetics", "tganv2_faceforensics"]
)
def test_a_step_of_an_experiment(tmp_path: Path, option: str) -> None:
    small = ("clip.size=32", "width=8", "discriminator.base_channels=8")
    train_steps(tmp_path, f"experiment={option}", "data=shapes", *small, steps=1)
