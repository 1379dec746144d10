"""`clip.frames=1`: the style-based generators are trained on images, sampled and measured."""

import json
from pathlib import Path

import pytest
from test_config import train_steps

from vgen.cli.main import main

SMALL = {
    "styleganv": ["generator.synthesis.w_dim=16"],
    "stylesv": [
        "generator.synthesis.w_dim=16",
        "generator.synthesis.layers=4",
        "generator.synthesis.margin=4",
    ],
    "mocogan_sg2": ["generator.synthesis.w_dim=16"],
    "digan": ["generator.synthesis.w_dim=16"],
}
NARROW = [
    "width=4",
    "generator.synthesis.max_channels=8",
    "generator.content_dim=8",
    "generator.motion.motion_dim=8",
]


@pytest.mark.parametrize("discriminator", ["styleganv", "stylesv"])
@pytest.mark.parametrize("generator", SMALL)
def test_a_step_on_images(tmp_path: Path, generator: str, discriminator: str) -> None:
    train_steps(
        tmp_path, f"generator={generator}", *SMALL[generator], *NARROW, f"discriminator={discriminator}",
        "discriminator.max_channels=8", "clip.frames=1", "augment=ada", "regularizer=r1", steps=1,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("generator", SMALL)
def test_train_sample_and_evaluate(tmp_path: Path, generator: str) -> None:
    run = tmp_path / "run"
    main(["train", "debug=fast", f"generator={generator}", *SMALL[generator], *NARROW, "discriminator=stylesv",
          "discriminator.max_channels=8", "clip.frames=1", "clip.size=16", "data.videos=8", "batch=4", "logger=[csv]",
          "extractor=random", "metric=frame_frechet", "best=fid/random", f"output={run}"])  # fmt: skip
    assert (run / "checkpoints" / "best.ckpt").is_file()
    main(["sample", f"checkpoint={run}", "count=2", "format=png", f"output={tmp_path / 'pictures'}"])
    assert len(list((tmp_path / "pictures").rglob("*.png"))) >= 2
    main(["evaluate", f"checkpoint={run}", "extractor=random", "metric=[frame_frechet]", "protocol.count=16"])
    assert "fid/random" in json.dumps(json.loads((run / "metrics.json").read_text()))
