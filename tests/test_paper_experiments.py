"""The runs of papers go through a training step when their networks and clips are made small."""

from pathlib import Path

import pytest
import torch
from test_config import build, compose, train_steps

from vgen.config import instantiate, plain
from vgen.training.transfer import start_from_weights

OWN = {
    "digan": ("clip.frames=2",),
    "mocogan_sg2": (
        "clip.size=16",
        "generator.content_dim=16",
        "discriminator.video_channels=8",
        "clip.frames=4",
    ),
}


@pytest.mark.parametrize(
    "option",
    [
        "ivgan", "vgan_first_frame", "g3an_uva", "dvdgan_kinetics", "tganv2_faceforensics", "styleganv_ffs",
        "longvideogan_lres", "digan", "mocogan_sg2",
    ],
)  # fmt: skip
def test_a_step_of_an_experiment(tmp_path: Path, option: str) -> None:
    small = ("clip.size=32", "width=8", "discriminator.base_channels=8", *OWN.get(option, ()))
    train_steps(tmp_path, f"experiment={option}", "data=shapes", *small, steps=1)


SMALL_STYLESV = (
    "data=shapes", "clip.size=32", "width=4", "generator.synthesis.layers=4", "generator.synthesis.w_dim=16",
    "generator.synthesis.max_channels=8", "generator.motion.motion_dim=8", "discriminator.max_channels=8",
)  # fmt: skip


def test_both_stages_of_stylesv_step_and_chain(tmp_path: Path) -> None:
    """Image pre-training (a clip is a frame), then clips: what the first stage has is all that the second wants."""
    pictures, clips = (build(f"experiment={name}", f"clip.frames={frames}", *SMALL_STYLESV)[2]
                       for name, frames in (("stylesv_pretrain", 1), ("stylesv", 3)))  # fmt: skip
    weights = {"generator": pictures.generator.state_dict(), "average": {}}
    weights["discriminator"] = pictures.discriminator.state_dict()
    taken = start_from_weights(clips, weights)
    assert taken["generator"].share == 1
    assert set(taken["discriminator"].other) == {"end.out.weight", "end.out.bias"}
    for name, frames in (("stylesv_pretrain", 1), ("stylesv", 3)):
        train_steps(tmp_path, f"experiment={name}", f"clip.frames={frames}", *SMALL_STYLESV, steps=1)


def test_stylesv_as_published() -> None:
    first, second = (
        compose(f"experiment={name}", "data.path=x", "paths.run=unused", "callback=[progress]")
        for name in ("stylesv_pretrain", "stylesv")
    )
    assert [plain(stage.regularizer)["r1"]["weight"] for stage in (first, second)] == [0.5, 8.0]
    assert [stage.clip.frames for stage in (first, second)] == [1, 3]
    assert [stage.generator.synthesis.learn_mask for stage in (first, second)] == [False, True]
    with torch.device("meta"):
        players = [
            instantiate(stage[player])
            for stage in (first, second)
            for player in ("generator", "discriminator")
        ]
    sizes = [round(sum(p.numel() for p in network.parameters()) / 1e6, 2) for network in players]
    assert sizes[0] == sizes[2] == 30.40
    assert sizes[1] < sizes[3]  # which is told distances
    assert plain(second)["start_from"] == "runs/stylesv_pretrain"


def test_the_stages_of_longvideogan_as_published(tmp_path: Path) -> None:
    """Sizes of all four networks and how long each stage is trained, from the experiments alone."""
    published = {"lres": ([83.22, 46.42], 128, 100_000), "sres": ([27.17, 24.0], 12, 275_000)}
    for stage, (millions, frames, steps) in published.items():
        config = compose(
            f"experiment=longvideogan_{stage}", "data.path=x", "paths.run=unused", "callback=[progress]"
        )
        with torch.device("meta"):
            networks = [instantiate(config[player]) for player in ("generator", "discriminator")]
        sizes = [round(sum(p.numel() for p in network.parameters()) / 1e6, 2) for network in networks]
        assert sizes == millions
        assert config.clip.frames == frames
        assert config.kclips * 1000 / config.batch == steps
        decay = 0.5 ** (config.batch / config.training.ema_half_life / 1000)
        assert decay == pytest.approx(0.99985, abs=1e-6)
        # the half-life grows with the steps until after 25 000 it is what it stays
        assert config.training.ema_half_life / config.training.ema_ramp_up * 1000 / config.batch == (
            pytest.approx(25_000, rel=2e-3)
        )
    small = ("clip.frames=12", "clip.size=32", "width=8", "discriminator.base_channels=8")
    train_steps(
        tmp_path, "experiment=longvideogan_sres", "data=shapes", *small, "generator.base_channels=8", steps=1
    )


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


@pytest.mark.parametrize(
    ("option", "size", "sizes"),
    [("digan", 128, [63.54, 56.78]), ("mocogan_sg2", 256, [None, 49.22])],
)
def test_sizes_of_style_based_baselines_as_published(
    option: str, size: int, sizes: list[float | None]
) -> None:
    config = compose(f"experiment={option}", "data.path=x", "paths.run=unused", "callback=[progress]")
    assert (config.clip.size, config.batch, config.generator.style_mixing) == (size, 64, 0)
    assert "path_length" not in plain(config.regularizer)
    with torch.device("meta"):
        networks = [instantiate(config[player]) for player in ("generator", "discriminator")]
    for network, millions in zip(networks, sizes, strict=True):
        found = sum(p.numel() for p in network.parameters()) / 1e6
        assert millions is None or found == pytest.approx(millions, abs=6e-3)
    assert plain(config.regularizer)["r1"]["interval"] == 16
