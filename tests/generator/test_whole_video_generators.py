"""What every generator of whole videos owes its callers, at toy widths."""

import copy

import pytest
import torch
from torch import Tensor, nn
from two_halves import as_one_process, as_processes

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.dvdgan import DVDGAN
from vgen.generator.g3an import G3AN
from vgen.generator.ivgan import IVGAN
from vgen.generator.r3gan3d import R3GAN3D
from vgen.generator.tganv2 import TGANv2
from vgen.generator.vgan import VGAN
from vgen.layer.attention import SelfAttention

VARIANTS = {
    "vgan": (VGAN, {"frames": 8}),
    "ivgan": (IVGAN, {"frames": 8}),
    "g3an": (G3AN, {"frames": 8, "appearance_dim": 6}),
    "dvdgan": (DVDGAN, {"frames": 8, "latent_dim": 6}),
    "dvdgan_first": (DVDGAN, {"latent_dim": 6, "recurrent": "first", "frame_statistics": False}),
    "tganv2": (TGANv2, {"latent_dim": 6}),
    "r3gan3d": (R3GAN3D, {"frames": 8}),
}
TIMES = regular_times(4, 8)
LABELS = torch.tensor([0, 1, 2, 1])


def make(variant: str, *, double: bool = True) -> nn.Module:
    torch.manual_seed(0)
    kind, arguments = VARIANTS[variant]
    network = kind(**{"size": 16, "classes": 3, "base_channels": 8, "max_channels": 16} | arguments)
    for layer in network.modules():
        if isinstance(layer, SelfAttention):
            nn.init.constant_(layer.gamma, 0.5)
    return network.double() if double else network


def latents(network: nn.Module) -> dict[str, Tensor]:
    return {name: part.double() for name, part in network.sample_latent(4, TIMES, rng.generator(0)).items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_processes_make_what_one_makes(variant: str):
    """Videos, running statistics and gradients."""
    original = make(variant)
    whole = latents(original)
    weights = torch.linspace(-1, 1, 4 * 3 * 8 * 16 * 16, dtype=torch.float64).view(4, 3, 8, 16, 16)

    def work(rows: slice):
        network = copy.deepcopy(original)
        video = network({name: part[rows] for name, part in whole.items()}, TIMES[rows], LABELS[rows])
        (video * weights[rows]).sum().backward()
        grads = {name: parameter.grad for name, parameter in network.named_parameters()}
        return video.detach(), grads, dict(network.named_buffers())

    video, grads, buffers = as_one_process(work, slice(0, 4))
    split = as_processes(work, [slice(0, 2), slice(2, 4)])
    torch.testing.assert_close(torch.cat([part[0] for part in split]), video)
    for name, value in grads.items():
        total = sum(part[1][name] for part in split)
        torch.testing.assert_close(total, value, msg=name, rtol=1e-6, atol=1e-8)
    for part in split:
        torch.testing.assert_close(part[2], buffers)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_can_be_differentiated_twice(variant: str):
    """As path length and latent penalties do."""
    network = make(variant)
    latent = {name: part.requires_grad_() for name, part in latents(network).items()}
    video = network(latent, TIMES, LABELS)
    first = torch.autograd.grad(video.square().sum(), list(latent.values()), create_graph=True)
    sum(gradient.square().sum() for gradient in first).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    assert all(part.grad is not None and part.grad.any() for part in latent.values())


@pytest.mark.parametrize("variant", VARIANTS)
def test_latents_come_from_the_given_generator_alone(variant: str):
    network = make(variant)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, again = (network.sample_latent(4, TIMES, rng.generator(5)) for _ in range(2))
    other = network.sample_latent(4, TIMES, rng.generator(6))
    assert torch.equal(torch.get_rng_state(), state)
    for name, part in first.items():
        assert part.shape[0] == 4
        assert torch.equal(part, again[name])
        assert not torch.equal(part, other[name])


@pytest.mark.parametrize("variant", VARIANTS)
def test_half_precision_stays_near(variant: str):
    network = make(variant, double=False).eval()
    latent = network.sample_latent(4, TIMES, rng.generator(0))
    video = network(latent, TIMES, LABELS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = network(latent, TIMES, LABELS)
    assert (rough.float() - video).abs().max() < 0.1 * video.abs().max()


@pytest.mark.parametrize("variant", VARIANTS)
def test_state_travels(variant: str):
    network, copied = make(variant).eval(), make(variant)
    for parameter in copied.parameters():
        nn.init.zeros_(parameter)
    copied.load_state_dict(network.state_dict())
    latent = latents(network)
    assert torch.equal(copied.eval()(latent, TIMES, LABELS), network(latent, TIMES, LABELS))
