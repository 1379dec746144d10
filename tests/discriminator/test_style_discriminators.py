"""What every discriminator made of StyleGAN2's judge owes its callers, at toy widths."""

import copy

import pytest
import torch
from judges import check_gradients_of_gradients, check_two_processes_judge_as_one
from torch import Tensor, nn

from vgen import rng
from vgen.clip import Clip, Discriminator, regular_times
from vgen.discriminator.digan import DIGANDiscriminator
from vgen.discriminator.mocogan_sg2 import MoCoGANSG2Discriminator
from vgen.discriminator.styleganv import StyleGANVDiscriminator
from vgen.discriminator.stylesv import StyleSVDiscriminator

VARIANTS = {
    "styleganv": (StyleGANVDiscriminator, {"time_dim": 4, "longest": 16}),
    "stylesv": (StyleSVDiscriminator, {"time_dim": 4, "longest": 16, "shift": 0.25}),
    "mocogan_sg2": (MoCoGANSG2Discriminator, {"video_channels": 4}),
    "digan": (DIGANDiscriminator, {}),
}


def make(variant: str, **changes) -> nn.Module:
    torch.manual_seed(0)
    kind, arguments = VARIANTS[variant]
    toy = {"size": 16, "frames": 3, "classes": 2, "base_channels": 4, "max_channels": 8, "mapping_layers": 2}
    network = kind(**toy | arguments | changes)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    return network


def clips(batch: int = 4, frames: int = 3, size: int = 16) -> Clip:
    video = torch.rand(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Clip(video, regular_times(batch, frames), torch.arange(batch) % 2)


@pytest.mark.parametrize(("size", "frames", "classes"), [(8, 2, 0), (32, 3, 2), (64, 16, 0), (128, 3, 0)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_sizes_and_lengths(variant: str, size: int, frames: int, classes: int):
    network = make(variant, size=size, frames=frames, classes=classes, base_channels=2, max_channels=4)
    assert isinstance(network, Discriminator)
    judgement = network(clips(2, frames, size))
    for values in (*judgement.logits.values(), *judgement.features.values()):
        assert values.shape[0] == 2
        assert values.isfinite().all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_and_their_gradients_reach_every_parameter(variant: str):
    check_gradients_of_gradients(make(variant), clips())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("group", [2, 4, None])
def test_two_processes_judge_as_one(variant: str, group: int | None):
    still = {"noise_sigma": 0.0} if variant == "mocogan_sg2" else {}
    whole = clips()
    check_two_processes_judge_as_one(
        make(variant, minibatch_group=group, **still).double(), whole.with_video(whole.video.double())
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_class_counts_and_state_travels(variant: str):
    network = make(variant).eval()
    clip = clips()
    twin = make(variant)
    for parameter in twin.parameters():
        nn.init.zeros_(parameter)
    twin.load_state_dict(copy.deepcopy(network.state_dict()))

    def judge(judged: nn.Module, seen: Clip) -> dict[str, Tensor]:
        with rng.use_stream(rng.BatchStream(rng.generator(0))):
            return dict(judged(seen).logits)

    whole = judge(network, clip)
    for head, values in judge(twin.eval(), clip).items():
        assert torch.equal(values, whole[head])
    swapped = judge(network, Clip(clip.video, clip.times, 1 - clip.label))
    assert any(not torch.allclose(values, whole[head]) for head, values in swapped.items())
    with pytest.raises(ValueError, match=r"conditional .*labels"):
        network(Clip(clip.video, clip.times))


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_clips_are_refused(variant: str):
    network = make(variant)
    for other in (clips(frames=1), clips(size=32)):
        with pytest.raises(ValueError, match=r"frames of 3x16x16 .*clip\.frames"):
            network(other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_half_precision_stays_near(variant: str):
    network = make(variant).eval()
    clip = clips()
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        exact = network(clip).logits
    with (
        rng.use_stream(rng.BatchStream(rng.generator(0))),
        torch.autocast("cpu", dtype=torch.bfloat16),
    ):
        rough = network(clip).logits
    for head, values in rough.items():
        assert (values.float() - exact[head]).abs().max() < 0.1 * exact[head].abs().max() + 0.02
