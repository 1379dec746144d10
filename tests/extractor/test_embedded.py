import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vgen import rng
from vgen.data.evaluation_clips import VideoClips
from vgen.data.shapes import Shapes
from vgen.data.videos import Videos
from vgen.extractor import embedded
from vgen.extractor.embedded import Embedded
from vgen.extractor.embedded_damage import DAMAGES, TAUGHT, degrade
from vgen.extractor.embedded_textures import SHAPES, TEXTURES, Textures
from vgen.extractor.embedded_world import MOTIONS, Scenes, draw_scenes
from vgen.metric.frechet import frechet_distance
from vgen.protocol.corruption import CORRUPTIONS, corrupt

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("VGEN_SHARED", ROOT.parent / "shared")) / "data"


@pytest.fixture(scope="module")
def extractor():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for few clips, and much faster on a busy machine
    yield Embedded()
    torch.set_num_threads(threads)


def moving_shapes(clips: int) -> Tensor:
    source = Shapes(videos=clips)
    return torch.stack([torch.from_numpy(source.read(i, np.arange(8, 24))) for i in range(clips)])


def real_videos(folder: Path, cache: Path) -> Tensor:
    source = Videos(path=str(folder), size=64, cache=str(cache), min_frames=16)
    source.prepare()
    source.setup()
    clips = VideoClips(source, frames=16, choice="windows", hop=12, count=200)
    return clips.read(range(len(clips)))


def held_out(count: int) -> Scenes:
    stream = rng.generator(7, "held out")
    return draw_scenes(count, 16, Textures(224, stream), stream)


def as_pixels(video: Tensor) -> Tensor:
    """(B, C, T, H, W) in [0, 1] -> (B, T, H, W, C) uint8."""
    return video.mul(255).round().to(torch.uint8).permute(0, 2, 3, 4, 1).contiguous()


def check_ranking(extractor: Embedded, clips: Tensor, *, clearly: float) -> None:
    """Every kind of damage takes half of the clips away from the other half, level by level, and in the end clearly."""
    reference, clean = extractor(clips[::2])["clip"], clips[1::2]
    baseline = frechet_distance(reference, extractor(clean)["clip"])
    others = clean.roll(len(clean) // 2, dims=0)
    for kind, corruption in CORRUPTIONS.items():
        found = [1.0]
        for level in corruption.levels:
            damaged = corrupt(clean, kind, level, index=range(len(clean)), others=others)
            found.append(frechet_distance(reference, extractor(damaged)["clip"]) / baseline)
        shown = f"{kind}: {[round(value, 2) for value in found]} times the distance of clean halves"
        assert all(low < high for low, high in itertools.pairwise(found)), shown
        assert found[-1] > clearly, shown


def test_moving_shapes_are_ranked_by_their_damage(extractor):
    check_ranking(extractor, moving_shapes(96), clearly=3)


@pytest.mark.slow
def test_scenes_of_another_seed_are_ranked_by_their_damage(extractor):
    check_ranking(extractor, as_pixels(held_out(256).video), clearly=1.5)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data here")
@pytest.mark.parametrize("folder", ["weizmann", "videos"])
def test_real_videos_are_ranked_by_their_damage(extractor, folder, tmp_path):
    check_ranking(extractor, real_videos(SHARED / folder, tmp_path), clearly=3)


def test_motion_is_recognised_in_scenes_of_another_seed(extractor):
    scenes = held_out(150)
    told = extractor(as_pixels(scenes.video))["logits"].argmax(dim=1)
    assert (told == scenes.motion).float().mean() > 0.45  # chance: 0.07


def test_few_distinct_clips_are_noticed(extractor):
    features = extractor(moving_shapes(96))["clip"]
    real, fake = features[::2], features[1::2]
    assert frechet_distance(real, fake[:4].repeat(12, 1)) > 2 * frechet_distance(real, fake)


@pytest.mark.parametrize("shape", [(3, 4, 32, 32, 3), (2, 7, 20, 28, 1), (1, 16, 128, 96, 3)])
def test_any_size_and_length(extractor, shape):
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features = extractor(pixels)
    assert tuple(features) == extractor.roles
    assert features["clip"].shape == (shape[0], 192)
    assert features["logits"].shape == (shape[0], len(MOTIONS))
    for role, values in features.items():
        assert values.dtype == torch.float32
        assert values.isfinite().all()
        # a clip's features do not depend on its neighbours
        torch.testing.assert_close(extractor(pixels[:1])[role], values[:1], rtol=1e-3, atol=1e-3)


def test_grey_clips_are_clips_of_equal_channels(extractor):
    grey = moving_shapes(2).float().mean(dim=4, keepdim=True).round().to(torch.uint8)
    told = extractor(grey)["clip"]
    torch.testing.assert_close(told, extractor(grey.expand(-1, -1, -1, -1, 3))["clip"], rtol=1e-3, atol=1e-3)


def test_constant_clips_have_finite_features(extractor):
    assert extractor(torch.zeros(2, 16, 64, 64, 3, dtype=torch.uint8))["clip"].isfinite().all()


def test_the_same_network_every_time(extractor):
    clips = moving_shapes(2)
    assert torch.equal(Embedded()(clips)["clip"], extractor(clips)["clip"])
    # changes with weights and code, and must then change deliberately: it names every published number
    assert extractor.fingerprint.startswith("6bad6132")
    assert not any(parameter.requires_grad for parameter in extractor.parameters())


def test_the_file_is_small_and_the_one_the_card_names():
    data = embedded.WEIGHTS.read_bytes()
    assert len(data) < 3_000_000
    assert hashlib.sha256(data).hexdigest() == embedded.SHA256
    assert embedded.SHA256 in embedded.WEIGHTS.with_suffix(".md").read_text()


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    data = bytearray(embedded.WEIGHTS.read_bytes())
    data[-1] ^= 1
    (tmp_path / "embedded.safetensors").write_bytes(data)
    monkeypatch.setattr(embedded, "WEIGHTS", tmp_path / "embedded.safetensors")
    with pytest.raises(ValueError, match=r"is damaged: its SHA-256 is .* reinstall vgen") as error:
        Embedded()
    assert "\n" not in str(error.value)


def test_errors(extractor):
    with pytest.raises(ValueError, match="at least 4 frames, got 3"):
        extractor(torch.zeros(1, 3, 8, 8, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match="1 or 3 channels, got 4"):
        extractor(torch.zeros(1, 4, 8, 8, 4, dtype=torch.uint8))


def test_the_world_tells_the_truth_about_its_scenes():
    scenes = held_out(120)
    assert scenes.video.shape == (120, 3, 16, 64, 64)
    assert scenes.video.amin() >= 0
    assert scenes.video.amax() <= 1
    changes = scenes.video.diff(dim=2).abs().mean(dim=(1, 2, 3, 4))
    still = scenes.motion == MOTIONS.index("still")
    assert (changes[still] == 0).all()
    assert (changes[~still] > 0).float().mean() > 0.95
    assert (scenes.speed[still] == -3).all()
    # the faster half of the moving scenes changes more
    moving = (~still).nonzero()[:, 0]
    fast = scenes.speed[moving] > scenes.speed[moving].median()
    assert changes[moving][fast].mean() > 1.5 * changes[moving][~fast].mean()
    assert set(scenes.motion.tolist()) == set(range(len(MOTIONS)))
    assert set(scenes.background.tolist()) == set(range(len(TEXTURES)))
    assert set(scenes.shape.tolist()) == set(range(len(SHAPES)))
    again = held_out(120)
    assert torch.equal(again.video, scenes.video)


@pytest.mark.parametrize("kind", TAUGHT)
def test_taught_damage_is_measured(kind):
    stream = rng.generator(3, kind)
    clip, other = held_out(20).video[torch.tensor([1, 5])]
    for _ in range(12):
        worse, measure = DAMAGES[kind](
            clip.clone(),
            other,
            lambda low, high: low + (high - low) * float(torch.rand((), generator=stream)),
            stream,
        )
        assert worse.shape == clip.shape
        assert worse.amin() >= -1e-5
        assert worse.amax() <= 1 + 1e-5
        assert 0 <= measure < 4


def test_every_taught_damage_is_dealt():
    video = held_out(20).video.repeat(3, 1, 1, 1, 1)
    worse, measures = degrade(video, rng.generator(0))
    assert ((measures > 0).sum(dim=1) <= 1).all()
    assert (measures.sum(dim=0) > 0).all()
    assert not torch.equal(worse, video)


def test_the_training_script_explains_itself():
    script = ROOT / "scripts" / "train_embedded"
    shown = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "the same seed gives the same weights" in shown
    for command in ("train", "export"):
        assert f"./scripts/train_embedded {command}" in shown
