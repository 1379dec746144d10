"""The runs of papers go through a training step when their networks and clips are made small."""

from pathlib import Path

import pytest
import torch
from test_config import compose, train_steps

from vgen.config import instantiate, plain


@pytest.mark.parametrize(
    "option",
    [
        "ivgan", "vgan_first_frame", "g3an_uva", "dvdgan_kinetics", "tganv2_faceforensics", "styleganv_ffs",
        "longvideogan_lres",
    ],
)  # fmt: skip
def test_a_step_of_an_experiment(tmp_path: Path, option: str) -> None:
    small = ("clip.size=32", "width=8", "discriminator.base_channels=8")
    train_steps(tmp_path, f"experiment={option}", "data=shapes", *small, steps=1)


def test_styleganv_as_published() -> None:
    """Gamma, the law of distances, and the sizes of both networks, from the experiment alone."""
    config = compose(
        "experiment=styleganv_ffs", "data.path=somewhere", "paths.run=unused", "callback=[progress]"
    )
    r1 = plain(config.regularizer)["r1"]
    assert r1["weight"] == pytest.approx(0.2048)
    assert (r1["interval"], r1["frames"]) == (16, "mean")
    sampler, rng = instantiate(config.sampler), torch.Generator().manual_seed(0)
    clips = [sampler(300, rng) for _ in range(200)]
    assert {int(clip[-1] - clip[0]) for clip in clips} == {2, 4, 8, 16, 32}
    with torch.device("meta"):
        networks = [instantiate(config[player]) for player in ("generator", "discriminator")]
    sizes = [round(sum(p.numel() for p in network.parameters()) / 1e6, 2) for network in networks]
    assert sizes == [32.11, 26.91]
    half_size = compose("experiment=styleganv_ffs", "data.path=x", "paths.run=unused", "callback=[progress]",
                        "clip.size=128", "width=128", "batch=32")  # fmt: skip
    assert plain(half_size.regularizer)["r1"]["weight"] == pytest.approx(2e-4 * 128**2 / 32)
