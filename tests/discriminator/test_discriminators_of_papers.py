"""What every discriminator owes its callers, at toy widths."""

import copy

import pytest
import torch
from judges import check_gradients_of_gradients, check_two_processes_judge_as_one, total
from torch import Tensor, nn

from vgen import rng
from vgen.clip import Clip, Discriminator, regular_times
from vgen.discriminator.dvdgan import DVDGANDiscriminator
from vgen.discriminator.g3an import G3ANDiscriminator
from vgen.discriminator.mocogan_hd import MoCoGANHDDiscriminator
from vgen.discriminator.tgan import TGANDiscriminator
from vgen.discriminator.tganv2 import TGANv2Discriminator
from vgen.discriminator.tsm import TSMDiscriminator

VARIANTS = {
    "tgan": (TGANDiscriminator, {}),
    "tgan_told": (TGANDiscriminator, {"classes": 3, "label_by": "projection", "norm": "none"}),
    "tgan_tells": (TGANDiscriminator, {"classes": 3, "norm": "gain", "minibatch_std": True}),
    "g3an": (G3ANDiscriminator, {"classes": 3, "image_frames": 2}),
    "mocogan_hd": (MoCoGANHDDiscriminator, {}),
    "tsm": (TSMDiscriminator, {"classes": 3, "minibatch_std": True}),
    "tsm_tells": (TSMDiscriminator, {"classes": 3, "label_by": "auxiliary", "spectral": True}),
    "dvdgan": (DVDGANDiscriminator, {"classes": 3, "image_frames": 4}),
    "tganv2": (TGANv2Discriminator, {"classes": 3}),
}
PLAIN = ("tgan", "g3an", "mocogan_hd", "tsm", "dvdgan", "tganv2")


def make(variant: str, *, double: bool = False, **changes) -> nn.Module:
    torch.manual_seed(0)
    kind, arguments = VARIANTS[variant]
    network = kind(**{"size": 16, "frames": 8, "base_channels": 8, "max_channels": 16} | arguments | changes)
    return network.double() if double else network


def clips(batch: int = 4, frames: int = 8, size: int = 16, *, double: bool = False) -> Clip:
    generator = torch.Generator().manual_seed(5)
    video = torch.rand(batch, 3, frames, size, size, generator=generator) * 2 - 1
    label = torch.arange(batch) % 3
    return Clip(video.double() if double else video, regular_times(batch, frames), label)


@pytest.mark.parametrize(("size", "frames"), [(32, 8), (32, 16), (64, 8), (64, 16), (128, 8), (128, 16)])
@pytest.mark.parametrize("variant", PLAIN)
def test_sizes_and_lengths(variant: str, size: int, frames: int):
    network = make(variant, size=size, frames=frames, base_channels=2, max_channels=4)
    assert isinstance(network, Discriminator)
    judgement = network(clips(2, frames, size))
    assert judgement.features
    for values in (*judgement.logits.values(), *judgement.features.values()):
        assert values.shape[0] == 2
        assert values.isfinite().all()
    if judgement.class_logits is not None:
        assert judgement.class_logits.shape == (2, 3)


@pytest.mark.parametrize("frames", [2, 3])
@pytest.mark.parametrize("variant", PLAIN)
def test_few_frames_and_small_ones(variant: str, frames: int):
    fewer = {"dvdgan": {"image_frames": 2}, "tganv2": {"levels": 2}, "mocogan_hd": {"scales": 1}}
    for size in (8, 16):
        changes = fewer.get(variant, {}) if size == 8 or variant != "mocogan_hd" else {}
        network = make(variant, size=size, frames=frames, **changes)
        judgement = network(clips(2, frames, size))
        assert all(logits.isfinite().all() for logits in judgement.logits.values())


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_and_their_gradients_reach_every_parameter(variant: str):
    network = make(variant, noise_sigma=0.1)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):  # at 0 it would keep gradients from what stands behind it
            nn.init.ones_(parameter)
    check_gradients_of_gradients(network, clips())


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_frame_is_seen(variant: str):
    network = make(variant, frames=9)
    clip = clips(32, 9)
    total(network(Clip(clip.video.requires_grad_(), clip.times, clip.label))).backward()
    assert clip.video.grad.abs().sum((0, 1, 3, 4)).min() > 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_processes_judge_as_one(variant: str):
    check_two_processes_judge_as_one(make(variant, double=True), clips(double=True))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_draws_give_the_same_judgement(variant: str):
    network = make(variant, noise_sigma=0.1, spectral=False)
    clip = clips()
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        draws = rng.mark()
        first = network(clip)
        with rng.repeat(draws):
            again = network(clip)
        other = network(clip)
    for head, values in first.logits.items():
        assert torch.equal(values, again.logits[head])
        assert not torch.equal(values, other.logits[head])


@pytest.mark.parametrize("variant", [name for name in VARIANTS if "minibatch_std" not in VARIANTS[name][1]])
def test_clips_do_not_leak_in_evaluation_and_state_travels(variant: str):
    network = make(variant)
    network(clips())
    network.eval()
    clip = clips()
    first = Clip(clip.video[:1], clip.times[:1], clip.label[:1])
    twin = make(variant, spectral=network_is_spectral(network))
    twin.load_state_dict(copy.deepcopy(network.state_dict()))

    def judge(judged: nn.Module, seen: Clip) -> dict[str, Tensor]:
        with rng.use_stream(rng.BatchStream(rng.generator(0))):
            return dict(judged(seen).logits)

    whole = judge(network, clip)
    for head, values in judge(network, first).items():
        torch.testing.assert_close(values, whole[head][:1])
    for head, values in judge(twin.eval(), clip).items():
        assert torch.equal(values, whole[head])


def network_is_spectral(network: nn.Module) -> bool:
    return any("parametrizations" in name for name in network.state_dict())


@pytest.mark.parametrize("variant", [name for name, (_, given) in VARIANTS.items() if given.get("classes")])
def test_the_class_counts_where_it_is_told_and_is_named_elsewhere(variant: str):
    network = make(variant).eval()
    clip = clips()
    swapped = Clip(clip.video, clip.times, (clip.label + 1) % 3)
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        draws = rng.mark()
        judged = network(clip)
        with rng.repeat(draws):
            other = network(swapped)
    told = judged.class_logits is None
    for head, values in judged.logits.items():
        assert torch.equal(values, other.logits[head]) != told
    if told:
        with pytest.raises(ValueError, match=r"conditional .*labels"):
            network(Clip(clip.video, clip.times))


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_clips_are_refused(variant: str):
    network = make(variant)
    for other in (clips(frames=5), clips(size=32)):
        with pytest.raises(ValueError, match=r"frames of 3x16x16 .*clip\.frames"):
            network(other)


@pytest.mark.parametrize(
    ("variant", "changes", "message"),
    [
        ("tgan", {"norm": "layer"}, "norm=layer"),
        ("tgan", {"label_by": "word"}, "label_by=word"),
        ("tgan", {"frames": 0}, r"clip\.frames=0"),
        ("tsm", {"label_by": "word"}, "label_by=word"),
        ("tsm", {"shift": 0.6}, "shift=0.6"),
        ("tsm", {"noise_sigma": -1.0}, "sigma"),
        ("g3an", {"image_frames": 9}, r"image_frames=9 .*8 frames"),
        ("dvdgan", {"image_frames": 0}, "image_frames=0"),
        ("mocogan_hd", {"norm": "batch"}, "norm=batch"),
        ("mocogan_hd", {"frames": 1}, r"clip\.frames=1"),
        ("mocogan_hd", {"scales": 3}, r"clip\.size=16 .*3 scales"),
        ("mocogan_hd", {"video": False, "image": False}, "both false"),
        ("tganv2", {"levels": 5}, r"levels=5 .*8 frames of 16x16"),
        ("tganv2", {"levels": 0}, "levels=0"),
    ],
)
def test_what_cannot_be_built_says_why(variant: str, changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        make(variant, **changes)


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def test_parameters_of_the_originals():
    """To the precision of the published networks' counts, in millions; spectral norm needs weights to divide."""
    with torch.device("meta"):
        tgan = TGANDiscriminator()
        g3an = G3ANDiscriminator(spectral=False)
        hd = MoCoGANHDDiscriminator()
    assert round(count(tgan) / 1e6, 2) == 11.03
    assert round(count(g3an.video, g3an.video_verdict) / 1e6, 2) == 8.35
    assert round(count(g3an.image, g3an.image_verdict) / 1e6, 2) == 2.76
    assert hd.video is not None
    assert hd.image is not None
    assert round(count(hd.video) / 1e6, 2) == 22.14
    assert round(count(hd.image) / 1e6, 2) == 5.54


def test_shapes_of_the_originals():
    """16 frames of 64x64 leave one position of TGAN's and G3AN's judges."""
    clip = clips(1, 16, 64)
    tgan = TGANDiscriminator(base_channels=2)(clip)
    g3an = G3ANDiscriminator(base_channels=2)(clip)
    assert tgan.features["video"].shape == (1, 16, 1, 4, 4)
    assert g3an.features["video"].shape == (1, 16, 4, 4, 4)
    assert [view.shape[2] for view in TGANv2Discriminator(base_channels=2).look(clip)] == [16, 8, 4, 2]


def test_mocogan_hd_sees_frames_beside_the_first():
    network = make("mocogan_hd", image=False, norm="none").eval()
    seen = {}
    network.video[0][0].register_forward_pre_hook(lambda _, given: seen.setdefault("pairs", given[0]))
    clip = clips()
    network(clip)
    first, others = seen["pairs"].chunk(2, dim=1)
    assert torch.equal(first, clip.video[:, :, :1].expand_as(first))
    assert torch.equal(others, clip.video[:, :, 1:])


def test_dvdgan_adds_scores_up_and_keeps_classes_with_their_frames():
    network = make("dvdgan", image_frames=8, spectral=False, attention=False).eval()
    clip = clips()
    judged = network(clip).logits["image"]
    one_by_one = torch.zeros(4)
    for frame in clip.video.unbind(2):
        maps = network.image_blocks(frame)
        one_by_one += network.image_verdict(maps.relu().sum((2, 3)), clip.label)
    torch.testing.assert_close(judged, one_by_one)


def test_without_shift_the_order_of_frames_is_nothing_to_tsm():
    clip = clips()
    backwards = clip.with_video(clip.video.flip(2))
    for shift, same in ((0.0, True), (0.125, False)):
        network = make("tsm", shift=shift).eval()
        close = torch.allclose(network(clip).logits["video"], network(backwards).logits["video"])
        assert close == same
