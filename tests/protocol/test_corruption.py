import itertools

import pytest
import torch
from torch import Tensor

from vgen.protocol.contract import ClipSet
from vgen.protocol.corruption import CORRUPTIONS, CorruptedClips, corrupt

SPATIAL = {"noise", "blur", "blocks"}
TEMPORAL = {"shuffle", "freeze", "jitter", "speed", "splice"}


def drawn(clips: int, *shape: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (clips, *shape), dtype=torch.uint8, generator=rng)


def numbered(frames: int = 16, clips: int = 1) -> Tensor:
    """Clips (B, T, 1, 1, 1) whose value is the number of the frame, plus 100 for each clip."""
    number = torch.arange(frames) + 100 * torch.arange(clips)[:, None]
    return number.to(torch.uint8)[:, :, None, None, None]


def order(kind: str, level: float, frames: int = 16) -> list[int]:
    return corrupt(numbered(frames), kind, level, index=[0])[0].flatten().tolist()


def test_both_families_are_there():
    by_family = {
        family: {c.name for c in CORRUPTIONS.values() if c.family == family}
        for family in ("spatial", "temporal")
    }
    assert by_family == {"spatial": SPATIAL, "temporal": TEMPORAL}
    for name, corruption in CORRUPTIONS.items():
        assert name == corruption.name
        assert 4 <= len(corruption.levels) <= 5
        assert list(corruption.levels) == sorted(set(corruption.levels))
        assert corruption.levels[0] > 0
        assert corruption.levels[-1] <= corruption.most


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(16, 32, 32, 3), (9, 20, 28, 1), (4, 64, 48, 3)])
def test_shape_type_identity_and_determinism(kind, shape):
    clips, others = drawn(3, *shape), drawn(3, *shape, seed=1)
    before = clips.clone()
    for level in (0, *CORRUPTIONS[kind].levels):
        damaged = corrupt(clips, kind, level, index=[5, 6, 7], others=others)
        assert damaged.shape == clips.shape
        assert damaged.dtype == torch.uint8
        # a clip's damage is its own: no matter the batch
        alone = corrupt(clips[1:2], kind, level, index=[6], others=others[1:2])
        assert torch.equal(alone[0], damaged[1])
    assert torch.equal(clips, before)
    assert torch.equal(corrupt(clips, kind, 0, index=[5, 6, 7], others=others), clips)
    strongest = corrupt(clips, kind, CORRUPTIONS[kind].levels[-1], index=[5, 6, 7], others=others)
    assert not torch.equal(strongest, clips)


@pytest.mark.parametrize("kind", ["noise", "shuffle", "jitter"])
def test_clips_and_seeds_draw_their_own(kind):
    clip = drawn(1, 16, 24, 24, 3).repeat(2, 1, 1, 1, 1)
    level = CORRUPTIONS[kind].levels[-1]
    first, second = corrupt(clip, kind, level, index=[0, 1])
    assert not torch.equal(first, second)
    assert not torch.equal(corrupt(clip, kind, level, index=[0, 1], seed=1)[0], first)


@pytest.mark.parametrize("kind", sorted(SPATIAL | {"jitter"}))
def test_a_higher_level_departs_further(kind):
    side = torch.arange(64)
    waves = (127 + 100 * torch.sin(side / 5) * torch.cos(side / 7)[:, None]).to(torch.uint8)
    clip = waves[None, None, :, :, None].repeat(1, 16, 1, 1, 3)
    errors = [
        float((corrupt(clip, kind, level, index=[0]).float() - clip.float()).square().mean())
        for level in (0, *CORRUPTIONS[kind].levels)
    ]
    assert all(low < high for low, high in itertools.pairwise(errors))


def test_noise_has_its_deviation_and_scales():
    grey = torch.full((1, 16, 64, 64, 3), 128, dtype=torch.uint8)
    five = corrupt(grey, "noise", 5, index=[0]).float() - 128
    twenty = corrupt(grey, "noise", 20, index=[0]).float() - 128
    assert five.std() == pytest.approx(5, rel=0.02)
    assert (twenty - 4 * five).abs().max() <= 2.5  # the same noise, up to rounding


def test_blur_keeps_brightness_and_has_its_width():
    dot = torch.zeros(1, 1, 65, 65, 1, dtype=torch.uint8)
    dot[0, 0, 32, 32] = 255
    flat = torch.full((1, 4, 32, 48, 3), 77, dtype=torch.uint8)
    assert torch.equal(corrupt(flat, "blur", 0.1, index=[0]), flat)
    # on a step edge the blurred profile is the normal distribution: 84 % one sigma beyond the edge
    edge = torch.zeros(1, 1, 64, 64, 1, dtype=torch.uint8)
    edge[:, :, :, 32:] = 255
    profile = corrupt(edge, "blur", 4 / 64, index=[0])[0, 0, 32, :, 0].float() / 255
    assert float(profile[35:37].mean()) == pytest.approx(0.841, abs=0.01)
    assert corrupt(dot, "blur", 0.02, index=[0])[0, 0].amax() < 255


def test_blocks_are_means_of_cells():
    clip = drawn(1, 2, 32, 64, 3)
    cells = corrupt(clip, "blocks", 1 / 4, index=[0])  # 8 x 8 pixels
    mean = clip[0, 1, 8:16, 56:64].float().mean(dim=(0, 1)).round().to(torch.uint8)
    assert (cells[0, 1, 8:16, 56:64] == mean).all()


def test_shuffle_extends_one_cycle():
    levels = CORRUPTIONS["shuffle"].levels
    moved = [{t for t, source in enumerate(order("shuffle", level)) if source != t} for level in levels]
    assert [len(places) for places in moved] == [2, 4, 8, 16]
    assert moved[0] < moved[1] < moved[2] < moved[3]
    for level in levels:
        assert sorted(order("shuffle", level)) == list(range(16))


def test_freeze_speed_and_their_limits():
    assert order("freeze", 0.5, frames=9) == [0, 1, 2, 3, 4, 4, 4, 4, 4]
    assert order("freeze", 1, frames=4) == [0, 0, 0, 0]
    assert order("speed", 1, frames=8) == [0, 2, 4, 6, 4, 2, 0, 2]
    assert order("speed", 3, frames=5) == [0, 4, 0, 4, 0]
    assert order("speed", 1, frames=1) == [0]


def test_jitter_moves_whole_frames_by_whole_pixels():
    clip = torch.zeros(1, 16, 41, 41, 1, dtype=torch.uint8)
    clip[:, :, 20, 20] = 255
    damaged = corrupt(clip, "jitter", 0.08, index=[0])[0, :, :, :, 0]
    assert (damaged.flatten(1).sum(dim=1) == 255).all()
    places = (damaged == 255).nonzero()[:, 1:]
    assert 1.5 < places.float().std() < 6  # 0.08 of 41 pixels is 3.3
    assert len(places.unique(dim=0)) > 8


def test_splice_ends_with_the_other_clip():
    clips = numbered(clips=2)
    spliced = corrupt(clips[:1], "splice", 0.25, index=[0], others=clips[1:])
    assert spliced.flatten().tolist() == [*range(12), *range(112, 116)]
    with pytest.raises(ValueError, match="give the other clips as `others`"):
        corrupt(clips, "splice", 0.25, index=[0, 1])
    with pytest.raises(ValueError, match="splice needs equal shapes"):
        corrupt(clips, "splice", 0.25, index=[0, 1], others=clips[:, :3])


def test_errors_say_what_to_give():
    clips = numbered()
    with pytest.raises(ValueError, match="no corruption 'fog'; choose from noise, blur"):
        corrupt(clips, "fog", 1, index=[0])
    with pytest.raises(ValueError, match=r"shuffle at level 1\.5 is out of range; give 0 to 1"):
        corrupt(clips, "shuffle", 1.5, index=[0])
    with pytest.raises(ValueError, match="noise at level -1 is out of range"):
        corrupt(clips, "noise", -1, index=[0])
    with pytest.raises(ValueError, match="1 clips but 2 indices"):
        corrupt(clips, "noise", 1, index=[0, 1])


class Numbers:
    """Four clips that tell their number."""

    labels = torch.arange(4)

    def __init__(self):
        self.identity = {"kind": "numbers"}
        self.info = {"source": "numbers"}

    def __len__(self):
        return 4

    def read(self, indices):
        return torch.stack([torch.full((8, 4, 4, 1), 10 * i, dtype=torch.uint8) for i in indices])


def test_a_set_of_corrupted_clips():
    clips = CorruptedClips(Numbers(), kind="splice", level=0.5)
    assert isinstance(clips, ClipSet)
    assert len(clips) == 4
    assert clips.labels is Numbers.labels
    joined = clips.read([3, 1])
    assert joined[:, :4].unique().tolist() == [10, 30]
    # each with the clip half the set further on
    assert joined[0, 4:].unique().tolist() == [10]
    assert joined[1, 4:].unique().tolist() == [30]
    noisy = CorruptedClips(Numbers(), kind="noise", level=5)
    assert torch.equal(noisy.read([2, 0])[1], noisy.read([0])[0])
    identities = [
        clips.identity,
        noisy.identity,
        CorruptedClips(Numbers(), kind="noise", level=10).identity,
        CorruptedClips(Numbers(), kind="noise", level=5, seed=1).identity,
    ]
    assert all(a != b for i, a in enumerate(identities) for b in identities[:i])


def test_a_set_refuses_early():
    with pytest.raises(ValueError, match="no corruption 'fog'"):
        CorruptedClips(Numbers(), kind="fog", level=1)
    with pytest.raises(ValueError, match="out of range"):
        CorruptedClips(Numbers(), kind="splice", level=0.9)
