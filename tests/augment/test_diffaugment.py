import pytest
import torch

from vgen import rng
from vgen.augment.diffaugment import DiffAugment
from vgen.clip import Augment, Clip, regular_times

ALL = ("color", "translation", "cutout", "flip")


def augment(video: torch.Tensor, *policy: str, seed: int = 0, rank: int = 0, world: int = 1) -> torch.Tensor:
    clip = Clip(video, regular_times(video.shape[0], video.shape[2]), torch.arange(video.shape[0]))
    with rng.use_stream(rng.BatchStream(rng.generator(seed), rank, world)):
        augmented = DiffAugment(policy=policy)(clip)
    assert augmented.times is clip.times
    assert augmented.label is clip.label
    return augmented.video


def still(batch: int = 6, size: int = 16) -> torch.Tensor:
    """Clips that differ, of frames that do not, float64."""
    frame = torch.rand(
        batch, 3, 1, size, size, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    return (frame * 2 - 1).repeat(1, 1, 4, 1, 1)


@pytest.mark.parametrize("policy", [*((name,) for name in ALL), ALL])
def test_frames_alike_clips_apart_and_reproducible(policy):
    same = still(1).expand(6, -1, -1, -1, -1)
    video = augment(same, *policy)
    assert video.shape == same.shape
    torch.testing.assert_close(video, video[:, :, :1].expand_as(video))
    assert any(not torch.allclose(video[0], other) for other in video[1:])
    assert torch.equal(video, augment(same, *policy))
    assert not torch.equal(video, augment(same, *policy, seed=1))


def test_draws_do_not_depend_on_the_processes():
    video = still(6)
    halves = [augment(half, *ALL, rank=rank, world=2) for rank, half in enumerate(video.chunk(2))]
    torch.testing.assert_close(torch.cat(halves), augment(video, *ALL))


def test_translation_moves_whole_pixels_by_at_most_an_eighth():
    size, most = 16, 2
    video = still(64, size)
    padded = torch.nn.functional.pad(video, (most,) * 4)
    windows = {
        (y, x): padded[..., y : y + size, x : x + size]
        for y in range(2 * most + 1)
        for x in range(2 * most + 1)
    }
    moved = augment(video, "translation")
    shifts = []
    for clip in range(len(video)):
        found = [shift for shift, window in windows.items() if torch.equal(moved[clip], window[clip])]
        assert len(found) == 1
        shifts += found
    assert {y for y, _ in shifts} == {x for _, x in shifts} == set(range(2 * most + 1))


def test_cutout_clears_one_square():
    size = 16
    cleared = augment(torch.ones(256, 1, 2, size, size), "cutout")[:, 0, 0] == 0
    rows, columns = cleared.any(2), cleared.any(1)
    assert torch.equal(cleared, rows[:, :, None] & columns[:, None, :])
    for covered in (rows, columns):
        assert (covered.int().diff(dim=1).abs().sum(1) <= 2).all()  # in one piece
        assert covered.sum(1).min() >= size // 4
        assert covered.sum(1).max() == size // 2
        assert covered.any(0).all()


def test_flip_mirrors_half_of_the_clips():
    video = still(400, 4)
    flipped = augment(video, "flip")
    mirrored = (flipped == video.flip(4)).flatten(1).all(1)
    untouched = (flipped == video).flatten(1).all(1)
    assert (mirrored ^ untouched).all()
    assert 150 < mirrored.sum() < 250


def test_color_is_one_affine_map_per_clip():
    grey = torch.rand(32, 1, 4, 8, 8, dtype=torch.float64).expand(-1, 3, -1, -1, -1) * 2 - 1
    changed = augment(grey, "color")
    mean_before, mean_after = grey.mean((1, 2, 3, 4)), changed.mean((1, 2, 3, 4))
    brightness = mean_after - mean_before
    assert brightness.abs().max() <= 0.5
    contrast = changed.flatten(1).std(1) / grey.flatten(1).std(1)
    assert contrast.min() >= 0.5
    assert contrast.max() <= 1.5
    centred = (grey - mean_before.view(-1, 1, 1, 1, 1)) * contrast.view(-1, 1, 1, 1, 1)
    torch.testing.assert_close(changed, centred + mean_after.view(-1, 1, 1, 1, 1))
    one_channel = augment(grey[:, :1], "color")
    torch.testing.assert_close(one_channel, changed[:, :1])


def test_stretch_interpolates_and_shows_a_part_or_leaves_a_gap():
    """As torch's own interpolation, of each clip by its own factor."""
    frames, batch = 12, 64
    torch.manual_seed(0)
    video = torch.randn(batch, 1, frames, 2, 2, dtype=torch.float64)
    stretched = augment(video, "stretch")
    uniform = torch.rand(batch, 8, generator=rng.generator(0))  # of the other operations
    stream = rng.generator(0)
    assert torch.equal(torch.rand(batch, 8, generator=stream), uniform)
    factors = (2 * torch.rand(batch, 2, generator=stream).double()[:, 1] - 1).exp2()
    longer = shorter = 0
    places = set()
    for clip, result, factor in zip(video, stretched, factors.tolist(), strict=True):
        line = torch.nn.functional.interpolate(
            clip.flatten(2).transpose(1, 2), scale_factor=factor, mode="linear", align_corners=False
        )
        line = line.transpose(1, 2).unflatten(2, (2, 2))
        room = frames - line.shape[1]
        if room == 0:  # torch then copies, whatever the factor
            continue
        candidates = [
            torch.nn.functional.pad(line, (0, 0, 0, 0, before, room - before))
            for before in range(min(0, room), max(0, room) + 1)
        ]
        found = [n for n, other in enumerate(candidates) if torch.allclose(other, result, atol=1e-9)]
        assert len(found) == 1
        places.add(found[0])
        longer, shorter = longer + (room < 0), shorter + (room > 0)
    assert min(longer, shorter) > 20
    assert len(places) > 6
    sparse = Clip(torch.zeros(1, 1, 3, 4, 4), regular_times(1, 3), levels=2)
    with pytest.raises(ValueError, match="stretch compares"):
        DiffAugment(policy=("stretch",))(sparse)


def test_can_be_differentiated_twice():
    video = still(2, 4)[:, :, :2].requires_grad_()
    everything = (*ALL, "stretch")
    assert torch.autograd.gradcheck(lambda v: augment(v, *everything), (video,))
    gradient = torch.autograd.grad(augment(video, *everything).square().sum(), video, create_graph=True)[0]
    torch.autograd.grad(gradient.square().sum(), video)


def test_keeps_the_type_under_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert augment(still().float(), *ALL).dtype == torch.float32
        assert augment(still().bfloat16(), *ALL, "stretch").dtype == torch.bfloat16


def test_unknown_operations_are_named():
    assert isinstance(DiffAugment(), Augment)
    with pytest.raises(ValueError, match=r"augment\.policy has 'colour'; choose from color, translation"):
        DiffAugment(policy=("colour", "flip"))
