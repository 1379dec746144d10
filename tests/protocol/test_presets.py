"""The presets against what their tools do, as data; nothing here needs weights or videos."""

import hydra
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from hydra.errors import HydraException

from vgen.cli.preset import preset
from vgen.config import CONF_DIR, ConfigError
from vgen.extractor.frames import fit_frames
from vgen.protocol.standard import Standard

LINEAGES = {
    # divisor, eps, kernel, fit; real clips, fake clips, order; real clips and fakes in each of the repeats
    "styleganv_16f": ("N", 1e-3, "torch", "squash", "random", "first", "sorted", 2048, 2048, 1),
    "styleganv_128f": ("N", 1e-3, "torch", "squash", "random", "first", "sorted", 2048, 2048, 1),
    "styleganv_128f_s8": ("N", 1e-3, "torch", "squash", "random", "first", "sorted", 2048, 2048, 1),
    "longvideogan": ("N", 1e-3, "torch", "squash", "cycle", "random", "shuffled", 2048, 2048, 1),
    "digan": ("N-1", 1e-5, "torch", "crop", "windows", "first", "shuffled", 2048, 2048, 10),
    "videogpt": ("N-1", 1e-5, "torch", "crop", "windows", "first", "shuffled", 256, 256, 4),
    "cdfvd": ("N", 1e-5, "torch", "squash", "random", "random", "shuffled", None, 2048, 1),
    "tf2018": ("N-1", 1e-3, "tf1", "squash", "random", "first", "shuffled", 2048, 2048, 1),
}
PIXELS = {
    "styleganv_16f": "styleganv",
    "digan": "truncate",
    "videogpt": "truncate",
    "longvideogan": "styleganv",
}
OPTIONS = sorted(path.stem for path in (CONF_DIR / "protocol").glob("*.yaml"))


def composed(primary: str, *overrides: str):
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return hydra.compose(primary, overrides=list(overrides))


def test_every_preset_is_known_here():
    assert set(OPTIONS) == {*LINEAGES, "quick", "standard"}


@pytest.mark.parametrize("name", LINEAGES)
def test_what_the_tool_does(name):
    chosen = preset(name)
    assert isinstance(chosen, Standard)
    assert (
        chosen.divisor, chosen.eps, chosen.kernel, chosen.fit, chosen.real_choice, chosen.fake_choice, chosen.order,
        chosen.count, chosen.fakes, chosen.repeats,
    ) == LINEAGES[name]  # fmt: skip
    assert chosen.name == name
    assert chosen.size is None
    assert chosen.pixels == PIXELS.get(name, chosen.pixels)


def test_lengths_and_strides():
    shapes = {name: (preset(name).frames, preset(name).stride, preset(name).fake_stride) for name in LINEAGES}
    assert shapes.pop("styleganv_128f") == (128, 1, 1)
    assert shapes.pop("styleganv_128f_s8") == (16, 8, 8)
    assert preset("styleganv_128f_s8").shortest == 128
    assert set(shapes.values()) == {(16, 1, 1)}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_file_says_all_there_is_to_choose(name):
    keys = set(yaml.safe_load((CONF_DIR / "protocol" / f"{name}.yaml").read_text()))
    assert keys - {"_target_", "defaults"} == {"name", *preset(name).settings()}


def test_no_two_are_the_same_protocol():
    assert len({preset(name).id() for name in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize("primary", ["evaluate", "train"])
def test_a_lineage_brings_its_extractor_and_gives_way_to_another(primary):
    def i3d_is_in(config) -> bool:
        return "vgen.extractor.i3d.I3D" in str(config.extractor)

    for name in LINEAGES:
        assert i3d_is_in(composed(primary, f"protocol={name}"))
        assert not i3d_is_in(composed(primary, f"protocol={name}", "extractor=[embedded]"))
        assert "extractor" not in composed(primary, f"protocol={name}").protocol
    for name in ("quick", "standard"):
        assert not i3d_is_in(composed(primary, f"protocol={name}"))
        assert i3d_is_in(composed(primary, f"protocol={name}", "extractor=[i3d]"))


def test_metrics_follow_the_divisor():
    for name, divisor in (("styleganv_16f", "N"), ("tf2018", "N-1")):
        assert composed("evaluate", f"protocol={name}").metric.frechet.divisor == divisor


def test_quick_and_standard_take_the_clips_of_the_run():
    config = composed("train", "protocol=standard", "clip.frames=12", "clip.size=32", "clip.stride=3")
    assert (config.protocol.frames, config.protocol.size, config.protocol.stride) == (12, 32, 3)
    assert preset("quick").count == 256
    assert preset("standard", frames=9, size=64, stride=2).settings().items() >= {
        ("frames", 9), ("size", 64), ("stride", 2), ("count", 2048),
    }  # fmt: skip


def test_changes_are_made_and_checked():
    assert preset("digan", "hop=16", "split=test").settings()["hop"] == 16
    with pytest.raises(ConfigError, match=r"protocol\.count=1: expected 2 or more"):
        preset("digan", "count=1")
    with pytest.raises(HydraException, match="styleganv_16f"):
        preset("styleganv")
    with pytest.raises(HydraException, match="counts"):
        preset("digan", "counts=1")


@pytest.mark.parametrize("name", LINEAGES)
def test_videos_of_just_the_clips_are_compared_whole(name, tmp_path):
    """Where each video is one clip, no choice of starts is left: every preset sees the same clips, each once."""
    chosen = preset(name)
    least = chosen.shortest or (chosen.frames - 1) * chosen.stride + 1
    videos = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (5, least, 6, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", videos)
    source = chosen.open_videos(tmp_path / "a.npy", real=True)
    for side in (chosen.real_clips(source), chosen.fake_clips(source)):
        seen = {side.read([k]).numpy().tobytes() for k in range(len(side))}
        starts = range(least - (chosen.frames - 1) * chosen.stride) if side is not None else ()
        allowed = {
            video[start :: chosen.stride][: chosen.frames].tobytes() for video in videos for start in starts
        }
        assert seen <= allowed
        assert len(seen) == 5
        assert len(side) == 5 or side.choice == "cycle"


@pytest.mark.parametrize(
    ("height", "width", "scaled"), [(100, 100, (225, 224)), (48, 432, (224, 2017)), (60, 45, (299, 224))]
)
def test_crop_scales_as_the_ports_do(height, width, scaled):
    """VideoGPT and DIGAN round the float product side * (224 / short) up, for some squares to 225."""
    frames = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(frames, scaled, mode="bilinear", align_corners=False)
    top, left = (scaled[0] - 224) // 2, (scaled[1] - 224) // 2
    assert torch.equal(fit_frames(frames, 224, fit="crop"), whole[..., top : top + 224, left : left + 224])
