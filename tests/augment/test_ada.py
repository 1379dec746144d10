"""ADA: each operation against a reference, alike for all frames, the right probabilities, and the pace of p."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from vgen import rng
from vgen.augment import ada_color, ada_corruption, ada_geometry, ada_time
from vgen.augment.ada import AdaptiveAugment
from vgen.augment.ada_geometry import warp
from vgen.augment.ada_time import play
from vgen.augment.chance import Chance, change_and_choose
from vgen.clip import Augment, Clip, regular_times

OFF: dict[str, Any] = dict.fromkeys(AdaptiveAugment().rates, 0.0)
ALL: dict[str, Any] = dict.fromkeys(OFF, 1.0)
SPATIAL = [name for name in OFF if name not in ("reversal", "speed")]


def build(p: float = 1.0, **rates: Any) -> AdaptiveAugment:
    return AdaptiveAugment(p=p, target=None, **OFF | rates)


def augment(
    video: Tensor, p: float = 1.0, seed: int = 0, rank: int = 0, world: int = 1, **rates: float
) -> Tensor:
    clip = Clip(video, regular_times(video.shape[0], video.shape[2]), torch.arange(video.shape[0]))
    with rng.use_stream(rng.BatchStream(rng.generator(seed), rank, world)):
        return build(p, **rates)(clip).video


def pictures(batch: int = 6, size: int = 16, frames: int = 2) -> Tensor:
    """Clips that differ, of frames that do not, float64."""
    frame = torch.rand(
        batch, 3, 1, size, size, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    return (frame * 2 - 1).repeat(1, 1, frames, 1, 1)


def smooth(size: int = 32) -> Tensor:
    """A bump off the centre, (1, 1, 1, size, size), so smooth that resampling loses next to nothing."""
    x = torch.linspace(-1, 1, size, dtype=torch.float64)
    bump = torch.exp(-8 * ((x[:, None] - 0.2) ** 2 + (x[None] + 0.1) ** 2))
    return bump.view(1, 1, 1, size, size)


def force(monkeypatch: pytest.MonkeyPatch, **values: float) -> None:
    """Let the dice show `values` for the operations named, in all clips."""
    for kind in ("uniform", "normal"):
        drawn = getattr(Chance, kind)

        def shown(self: Chance, name: str, drawn: Any = drawn) -> Tensor:
            usual = drawn(self, name)
            return torch.full_like(usual, values[name]) if name in values else usual

        monkeypatch.setattr(Chance, kind, shown)


def test_nothing_happens_at_probability_0() -> None:
    video = pictures()
    assert torch.equal(augment(video, p=0.0, **ALL), video)
    assert torch.equal(augment(video, p=1.0), video)


@pytest.mark.parametrize("name", SPATIAL)
def test_one_operation_changes_clips_and_treats_their_frames_alike(name: str) -> None:
    video = pictures(16)
    changed = augment(video, **{name: 1.0})
    torch.testing.assert_close(changed, changed[:, :, :1].expand_as(changed), rtol=0, atol=1e-12)
    assert not torch.allclose(changed, video)
    assert torch.equal(changed, augment(video, **{name: 1.0}))


def test_draws_depend_neither_on_the_processes_nor_on_other_operations() -> None:
    video = pictures()
    halves = [augment(half, p=0.7, rank=rank, world=2, **ALL) for rank, half in enumerate(video.chunk(2))]
    torch.testing.assert_close(torch.cat(halves), augment(video, p=0.7, **ALL))
    alone, more = augment(video, flip=1.0), augment(video, flip=1.0, reversal=1.0)
    assert torch.equal(alone, more)  # frames are alike: reversal is not seen


def which(changed: Tensor, candidates: dict[Any, Tensor]) -> list[Any]:
    """Of each clip, the one candidate that it equals."""
    found = []
    for clip in range(len(changed)):
        equal = [name for name, value in candidates.items() if torch.equal(changed[clip], value[clip])]
        assert len(equal) == 1
        found += equal
    return found


def test_flip_and_quarter_turns() -> None:
    video = pictures(300, 4)
    found = which(augment(video, flip=1.0), {False: video, True: video.flip(4)})
    assert 120 < sum(found) < 180
    turned = which(augment(video, quarter_turn=1.0), {k: video.rot90(k, (3, 4)) for k in range(4)})
    assert min(turned.count(k) for k in range(4)) > 50


def test_a_frame_that_is_not_square_is_turned_upside_down_at_most() -> None:
    video = pictures(60)[..., :8]
    found = which(augment(video, quarter_turn=1.0), {0: video, 2: video.rot90(2, (3, 4))})
    assert 5 < found.count(2) < 30  # one of four turns


def test_translation_rolls_and_mirrors_at_the_border() -> None:
    size, most = 16, 2
    video = pictures(150, size)
    mirrored = torch.nn.functional.pad(video.flatten(1, 2), (most,) * 4, mode="reflect").unflatten(1, (3, 2))
    steps = range(2 * most + 1)
    windows = {(y, x): mirrored[..., y : y + size, x : x + size] for y in steps for x in steps}
    moved = augment(video, translation=1.0)
    found = which(moved, windows)
    assert {y for y, _ in found} == {x for _, x in found} == set(steps)
    y, x = found[0]
    rolled = video[0].roll((most - y, most - x), (2, 3))
    inside = (..., slice(most, -most), slice(most, -most))
    assert torch.equal(moved[0][inside], rolled[inside])


def test_warp_by_known_maps() -> None:
    picture = smooth()
    eye, still = torch.eye(2, dtype=torch.float64)[None], torch.zeros(1, 2, dtype=torch.float64)
    torch.testing.assert_close(
        warp(picture, eye, still)[..., 4:-4, 4:-4], picture[..., 4:-4, 4:-4], rtol=0, atol=1e-12
    )
    right_down = torch.tensor([[3.0, 5.0]], dtype=torch.float64)
    rolled = picture.roll((5, 3), (3, 4))
    torch.testing.assert_close(
        warp(picture, eye, right_down)[..., 9:-9, 9:-9], rolled[..., 9:-9, 9:-9], rtol=0, atol=1e-12
    )
    quarter = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64)
    torch.testing.assert_close(warp(picture, quarter, still), picture.rot90(1, (3, 4)), rtol=0, atol=0.02)
    larger = warp(picture, eye / 2, still)
    size = picture.shape[-1]
    # A position q from the centre shows what was at q / 2.
    middle = larger[..., size // 2 - 8 : size // 2 + 8, size // 2 - 8 : size // 2 + 8]
    expected = torch.nn.functional.interpolate(
        picture[:, :, 0], scale_factor=2, mode="bicubic", align_corners=False
    )
    torch.testing.assert_close(
        middle[:, :, 0], expected[..., size - 8 : size + 8, size - 8 : size + 8], rtol=0, atol=0.02
    )


@pytest.mark.parametrize(
    ("name", "shown", "reference"),
    [
        ("scale", {"scale": 5.0}, 2.0),  # 2 ** (0.2 * 5)
        ("rotation", {"rotation": 0.5 + 1e-9, "rotation_after": 0.75}, "rot90"),
        ("fraction", {"fraction": 1.0, "fraction_y": -0.5}, "roll"),
    ],
)
def test_affine_operations_mean_what_they_say(
    monkeypatch: pytest.MonkeyPatch, name: str, shown: dict[str, float], reference: Any
) -> None:
    force(monkeypatch, **shown)
    picture = smooth()
    changed = augment(picture, **{name: 1.0})
    if reference == "roll":
        torch.testing.assert_close(
            changed[..., 9:-9, 9:-9], picture.roll((-2, 4), (3, 4))[..., 9:-9, 9:-9], rtol=0, atol=1e-6
        )
    elif reference == "rot90":
        # Angles of 0 and 90 degrees: rightwards becomes downwards, clockwise as a viewer sees it.
        torch.testing.assert_close(changed, picture.rot90(-1, (3, 4)), rtol=0, atol=0.02)
    else:
        area = (changed > 0.5).sum() / (picture > 0.5).sum()
        assert area.item() == pytest.approx(reference**2, rel=0.1)


def test_stretch_keeps_the_area(monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, stretch=2.5)  # wider by sqrt 2
    before, after = smooth() > 0.5, augment(smooth(), stretch=1.0) > 0.5
    extent = lambda mask, dim: mask.any(dim).sum().item()  # noqa: E731
    assert extent(after, 3) / extent(before, 3) == pytest.approx(math.sqrt(2), rel=0.15)
    assert extent(after, 4) / extent(before, 4) == pytest.approx(1 / math.sqrt(2), rel=0.15)
    assert (after.sum() / before.sum()).item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"brightness": 0.5}, lambda v: v + 0.1),
        ({"contrast": 2.0}, lambda v: 2 * v),
        ({"luma_flip": 0.0}, lambda v: v - 2 * v.mean(1, keepdim=True)),
        ({"luma_flip": 0.9}, lambda v: v),
        ({"hue": 0.5 + 1 / 3}, lambda v: v.roll(1, 1)),
        ({"hue": 0.0}, lambda v: 2 * v.mean(1, keepdim=True) - v),
        ({"saturation": 1.0}, lambda v: 2 * v - v.mean(1, keepdim=True)),
    ],
)
def test_colors_in_closed_form(
    monkeypatch: pytest.MonkeyPatch, shown: dict[str, float], expected: Any
) -> None:
    force(monkeypatch, **shown)
    video = pictures(2, 4)
    (name,) = shown
    hue_180 = name == "hue" and shown["hue"] == 0.0
    if hue_180:  # half a turn: what is across the grey axis changes sign
        assert torch.allclose(expected(video).mean(1), video.mean(1))
    torch.testing.assert_close(augment(video, **{name: 1.0}), expected(video), rtol=1e-5, atol=1e-5)


def test_a_grey_channel_follows_what_happens_to_a_grey_picture() -> None:
    rates = dict.fromkeys(("brightness", "contrast", "luma_flip", "hue", "saturation"), 1.0)
    grey = pictures()[:, :1]
    in_color = augment(grey.expand(-1, 3, -1, -1, -1), **rates)
    torch.testing.assert_close(augment(grey, **rates), in_color[:, :1], rtol=1e-5, atol=1e-6)


def test_filtering_multiplies_what_lies_in_a_band(monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, band_0=1.0, band_1=0.0, band_2=0.0, band_3=0.0)
    even = torch.ones(1, 3, 1, 16, 16, dtype=torch.float64)
    checks = (torch.arange(16).view(-1, 1) + torch.arange(16)).remainder(2).mul(2).sub(1).to(even.dtype)
    gain = 1 / math.sqrt(10 / 13 * 4 + 3 / 13)  # of the bands that are not amplified, both dimensions squared
    torch.testing.assert_close(augment(even, filtering=1.0), even * (2 * gain) ** 2, rtol=1e-5, atol=0)
    torch.testing.assert_close(
        augment(checks.expand_as(even), filtering=1.0), checks.expand_as(even) * gain**2, rtol=1e-5, atol=1e-6
    )


def test_noise_and_cutout() -> None:
    empty = torch.zeros(400, 3, 2, 16, 16, dtype=torch.float64)
    deviation = augment(empty, noise=1.0).flatten(1).std(1)
    assert deviation.square().mean().sqrt().item() == pytest.approx(0.1, rel=0.15)
    cut = augment(empty + 1, cutout=1.0)[:, 0, 0] == 0
    rows, columns = cut.any(2), cut.any(1)
    assert torch.equal(cut, rows[:, :, None] & columns[:, None])
    assert rows.sum(1).max() == columns.sum(1).max() == 8
    assert rows.sum(1).min() >= 4


def test_reversal_turns_time_and_its_times_around() -> None:
    video = torch.arange(5.0).view(1, 1, 5, 1, 1).expand(64, 1, 5, 4, 4)
    times = torch.tensor([0.0, 1.0, 4.0, 5.0, 9.0]).expand(64, 5)
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        clip = build(reversal=1.0)(Clip(video, times))
    backwards = clip.video[:, 0, 0, 0, 0] == 4
    assert 16 < backwards.sum() < 48
    assert torch.equal(clip.video[backwards], video.flip(2)[backwards])
    assert torch.equal(clip.times[backwards][0], torch.tensor([0.0, 4.0, 5.0, 8.0, 9.0]))
    assert torch.equal(clip.times[~backwards], times[~backwards])


def test_speed_is_a_change_of_slope() -> None:
    ramp = torch.arange(9.0, dtype=torch.float64).view(1, 1, 9, 1, 1)
    slow = play(ramp, torch.tensor([0.5]), torch.tensor([4.0]))[0, 0, :, 0, 0]
    torch.testing.assert_close(slow, 4 + (torch.arange(9.0, dtype=torch.float64) - 4) / 2)
    fast = play(ramp, torch.tensor([2.0]), torch.tensor([0.0]))[0, 0, :, 0, 0]
    assert fast.tolist() == [0, 2, 4, 6, 8, 6, 4, 2, 0]
    slopes = augment(ramp.expand(200, 3, -1, -1, -1), speed=1.0)[:, 0, :, 0, 0].diff(dim=1).abs().amax(1)
    assert 0.5 <= slopes.min() < 0.6
    assert 1.8 < slopes.max() <= 2 + 1e-9


def test_the_identity_has_its_probability() -> None:
    """At p < 1 a clip stays exactly as it is with the product of the operations' chances of doing nothing."""
    p, batch = 0.3, 3000
    video = pictures(1, 4, 1).expand(batch, -1, -1, -1, -1)
    changed = augment(video, p=p, flip=1.0, scale=1.0, rotation=1.0, hue=1.0, cutout=1.0)
    same = (changed == video).flatten(1).all(1).double().mean().item()
    # A flip that is drawn mirrors every other time; all else changes the picture almost surely.
    expected = (1 - p / 2) * (1 - p) ** 4
    assert abs(same - expected) < 4 * math.sqrt(expected * (1 - expected) / batch)


@pytest.mark.parametrize("rates", [ALL, {"scale": 1.0, "rotation": 1.0}])
def test_can_be_differentiated_twice(rates: dict[str, float]) -> None:
    video = pictures(2, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: augment(v, **rates), (video,), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda v: augment(v, **rates).square(), (video,), fast_mode=True)


def test_keeps_the_type_under_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert augment(pictures().float(), **ALL).dtype == torch.float32
        assert augment(pictures().bfloat16(), **ALL).dtype == torch.bfloat16


def adapted(augmenter: AdaptiveAugment, real: float, updates: int, clips: int = 50) -> float:
    logits = torch.tensor([real, real, real, -real])  # mean sign 1/2 or -1/2
    for _ in range(updates):
        augmenter.adapt([logits], clips)
    return augmenter.p.item()


def test_p_moves_at_its_pace() -> None:
    """0 to 1 in `ada_kclips`, in steps of `interval` updates, up above the target and down below it."""
    augmenter = AdaptiveAugment(target=0.4, ada_kclips=1.0, interval=2)
    assert adapted(augmenter, 1.0, 1) == 0
    assert adapted(augmenter, 1.0, 1) == pytest.approx(0.1)
    assert adapted(augmenter, 1.0, 10) == pytest.approx(0.6)
    assert adapted(augmenter, -1.0, 4) == pytest.approx(0.4)
    assert adapted(augmenter, -1.0, 40) == 0
    assert adapted(augmenter, 1.0, 60) == 1
    assert adapted(AdaptiveAugment(target=0.6, ada_kclips=1.0), 1.0, 40) == 0  # 1/2 lies below the target
    assert adapted(AdaptiveAugment(target=0.4, ada_kclips=1.0, p_max=0.5), 1.0, 400) == 0.5
    assert adapted(AdaptiveAugment(target=None, p=0.25), 1.0, 8) == 0.25


def test_the_sign_is_averaged_over_the_interval_and_saved_half_way() -> None:
    signs = [1.0, -1.0, 1.0, 1.0]  # mean 1/2; the last alone would say otherwise with a target of 3/4
    whole = AdaptiveAugment(p=0.5, target=0.75, ada_kclips=1.0)
    resumed = AdaptiveAugment(target=0.75, ada_kclips=1.0)
    for number, sign in enumerate(signs):
        logged = whole.adapt([torch.full((2,), sign)], 25)
        if number == 1:
            resumed.load_state_dict(whole.state_dict())
        if number > 1:
            resumed.adapt([torch.full((2,), sign)], 25)
    assert whole.p.item() == pytest.approx(0.4)
    assert torch.equal(resumed.p, whole.p)
    assert {name: value.item() for name, value in logged.items()} == pytest.approx(
        {"augment/p": 0.4, "augment/real_sign": 1.0}
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p": 0.5, "p_max": 0.2}, r"augment\.p=0\.5: must lie between 0 and augment\.p_max=0\.2"),
        ({"target": 1.5}, r"augment\.target=1\.5"),
        ({"hue": 2.0}, r"augment\.hue=2\.0: a rate lies in \[0, 1\]"),
        ({"interval": 0}, r"augment\.interval=0"),
    ],
)
def test_what_cannot_be_is_said(arguments: dict[str, Any], message: str) -> None:
    assert isinstance(AdaptiveAugment(), Augment)
    with pytest.raises(ValueError, match=message):
        AdaptiveAugment(**arguments)


def test_colors_of_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"1 or 3 channels, not of 2; set augment\.brightness=0"):
        AdaptiveAugment()(Clip(torch.zeros(1, 2, 1, 8, 8), regular_times(1, 1)))


def test_accelerators_compute_the_same_without_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    video = pictures()
    expected = augment(video, p=0.5, **ALL)
    for part in (ada_color, ada_corruption, ada_geometry, ada_time):
        monkeypatch.setattr(part, "change_where", change_and_choose)
    torch.testing.assert_close(augment(video, p=0.5, **ALL), expected, rtol=0, atol=1e-12)
