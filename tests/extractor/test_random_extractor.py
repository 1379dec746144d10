import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.extractor.random import Random
from vgen.metric.frechet import frechet_distance

CLIPS, FRAMES = 48, 12


def moving_shapes(clips: int, size: int, seed: int, frames: int = FRAMES) -> Tensor:
    """Antialiased discs and squares that cross a shaded background at constant speed and bounce: uint8."""
    rng = torch.Generator().manual_seed(seed)
    background, colour = torch.rand(2, clips, 1, 1, 1, 3, generator=rng) * 0.5
    start, speed = torch.rand(2, clips, 1, 2, generator=rng)
    radius, disc = torch.rand(2, clips, 1, 1, 1, generator=rng)
    at = (0.2 + 0.6 * start + 0.12 * (speed - 0.5) * torch.arange(frames)[:, None]) % 2
    at = torch.where(at > 1, 2 - at, at)[..., None, None]  # (N, T, 2, 1, 1)
    grid = torch.arange(size) / size
    across, down = (grid - at[:, :, 0]).abs(), (grid[:, None] - at[:, :, 1]).abs()
    distance = torch.where(disc > 0.5, (across.square() + down.square()).sqrt(), torch.maximum(across, down))
    inside = ((0.1 + 0.12 * radius - distance) * size + 0.5).clamp(0, 1)[..., None]
    shade = background + 0.2 * grid[:, None, None]
    return ((shade + (0.5 + colour - shade) * inside) * 255).round().clamp(0, 255).to(torch.uint8)


def noised(clips: Tensor, strength: float) -> Tensor:
    noise = torch.randn(clips.shape, generator=torch.Generator().manual_seed(0))
    return (clips + 24 * strength * noise).round().clamp(0, 255).to(torch.uint8)


def blurred(clips: Tensor, strength: float) -> Tensor:
    sigma = 2.5 * strength
    reach = torch.arange(-6, 7)
    kernel = torch.softmax(-reach.square() / (2 * sigma**2), dim=0)
    frames = clips.permute(0, 1, 4, 2, 3).reshape(-1, 1, *clips.shape[2:4]).float()
    frames = F.conv2d(F.pad(frames, (6, 6, 6, 6), mode="replicate"), kernel.outer(kernel)[None, None])
    return frames.reshape(clips.permute(0, 1, 4, 2, 3).shape).permute(0, 1, 3, 4, 2).round().to(torch.uint8)


def shuffled(clips: Tensor, strength: float) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    mixed = clips.clone()
    for clip in mixed:
        moved = torch.randperm(clips.shape[1], generator=rng)[: round(strength * clips.shape[1])]
        clip[moved] = clip[moved.roll(1)]
    return mixed


def frozen(clips: Tensor, strength: float) -> Tensor:
    last = round((1 - strength) * (clips.shape[1] - 1))
    return clips[:, torch.arange(clips.shape[1]).clamp(max=last)]


@pytest.fixture(scope="module")
def extractor():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for few clips, and much faster on a busy machine
    yield Random()
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("size", "strengths"), [(64, (0.5, 1.0)), (32, (1.0,))])
def test_distance_grows_with_corruption(extractor, size, strengths):
    real, other = (extractor(moving_shapes(CLIPS, size, seed))["clip"] for seed in (1, 2))
    clips = moving_shapes(CLIPS, size, 2)
    same = frechet_distance(real, other)
    for corrupt in (noised, blurred, shuffled, frozen):
        distances = [
            frechet_distance(real, extractor(corrupt(clips, strength))["clip"]) for strength in strengths
        ]
        assert [same, *distances] == sorted([same, *distances]), corrupt.__name__
        assert distances[-1] > 4 * same, corrupt.__name__


def test_few_distinct_clips_are_noticed(extractor):
    real = extractor(moving_shapes(CLIPS, 32, 1))["clip"]
    fake = extractor(moving_shapes(CLIPS, 32, 2))["clip"]
    assert frechet_distance(real, fake[:4].repeat(12, 1)) > 2 * frechet_distance(real, fake)


@pytest.mark.parametrize("shape", [(3, 4, 32, 32, 3), (2, 7, 20, 28, 1), (1, 16, 128, 96, 3)])
def test_any_size_and_length(extractor, shape):
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features = extractor(pixels)
    assert tuple(features) == extractor.roles
    assert features["clip"].shape == (shape[0], extractor.dim)
    assert features["frames"].shape == (*shape[:2], extractor.frame_dim)
    for role, values in features.items():
        assert values.dtype == torch.float32
        assert values.isfinite().all()
        # a clip's features do not depend on its neighbours
        torch.testing.assert_close(extractor(pixels[:1])[role], values[:1], rtol=1e-4, atol=1e-5)


def test_a_frame_is_described_alone(extractor):
    clips = moving_shapes(3, 64, 4)
    frames = extractor(clips)["frames"]
    backwards = extractor(clips.flip(1))["frames"]
    torch.testing.assert_close(backwards.flip(1), frames, rtol=1e-4, atol=1e-5)


def test_frames_of_one_clip_are_alike(extractor):
    frames = extractor(moving_shapes(CLIPS, 64, 4))["frames"]
    within = F.cosine_similarity(frames[:, 0], frames[:, -1], dim=1)
    between = F.cosine_similarity(frames[:, 0], frames.roll(1, dims=0)[:, 0], dim=1)
    assert within.mean() > between.mean() + 0.2


def test_the_same_network_every_time(extractor):
    clips = moving_shapes(2, 32, 0)
    assert all(torch.equal(Random()(clips)[role], extractor(clips)[role]) for role in Random.roles)
    # changes with the network, and must then change deliberately: it names every published number
    assert Random().fingerprint == extractor.fingerprint
    assert extractor.fingerprint.startswith("b78e210e7ee1b027")
    assert not list(extractor.parameters())


def test_another_seed_is_another_extractor(extractor):
    clips = moving_shapes(2, 32, 0)
    other = Random(seed=1)
    assert other.fingerprint != extractor.fingerprint
    assert not torch.allclose(other(clips)["clip"], extractor(clips)["clip"], atol=0.1)


def test_features_are_of_unit_scale(extractor):
    features = extractor(moving_shapes(CLIPS, 64, 3))
    spread = features["clip"].std(dim=0)
    assert 0.2 < spread.median() < 2
    assert spread.max() < 5
    spread = features["frames"].flatten(0, 1).std(dim=0)
    assert 0.05 < spread.median() < 2
    assert spread.max() < 5


def test_a_clip_too_short_for_differences_stands_still_at_its_end(extractor):
    clips = moving_shapes(3, 64, 4)
    for frames in (1, 3):
        short = extractor(clips[:, :frames])
        held = extractor(
            torch.cat(
                [clips[:, :frames], clips[:, frames - 1 : frames].expand(-1, 4 - frames, -1, -1, -1)], 1
            )
        )
        torch.testing.assert_close(short["clip"], held["clip"])
        torch.testing.assert_close(
            short["frames"], extractor(clips)["frames"][:, :frames], rtol=1e-4, atol=1e-5
        )


def test_filters_ignore_flat_and_linear_shading(extractor):
    ramp = torch.arange(4.0) + 3 * torch.arange(4.0)[:, None]
    assert (extractor.bands * ramp).sum(dim=(2, 3)).abs().max() < 1e-2
    assert extractor.bands.sum(dim=(2, 3)).abs().max() < 1e-2
    gram = extractor.bands.flatten(1) @ extractor.bands.flatten(1).T
    torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-2, rtol=0)


def test_errors(extractor):
    with pytest.raises(ValueError, match="at least 1 frames, got 0"):
        extractor(torch.zeros(1, 0, 8, 8, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match="1 or 3 channels, got 4"):
        extractor(torch.zeros(1, 4, 8, 8, 4, dtype=torch.uint8))
