"""Stages that are run again give the same numbers and keep less."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from vgen.clip import Clip, regular_times
from vgen.discriminator.mocogan import MoCoGANDiscriminator
from vgen.discriminator.vgan import VGANDiscriminator
from vgen.generator.synthesis.dcgan import DCGAN
from vgen.generator.vgan import VGAN
from vgen.layer.score import clip_score

SIZE, FRAMES, BATCH = 16, 8, 2
WIDTHS = {"size": SIZE, "channels": 1, "base_channels": 12, "max_channels": 24}


def judged(network: nn.Module, x: Tensor) -> Tensor:
    return clip_score(network(Clip(x, regular_times(BATCH, FRAMES).double())))


def made(network: nn.Module, x: Tensor) -> Tensor:
    video = network({"z": x}, regular_times(BATCH, FRAMES))
    return video.flatten(1).square().sum(1)


def drawn(network: nn.Module, x: Tensor) -> Tensor:
    return network(x[:, :3], x[:, 3:]).flatten(1).square().sum(1)


NETWORKS: dict[
    str, tuple[Callable[..., nn.Module], Callable[[nn.Module, Tensor], Tensor], tuple[int, ...]]
] = {
    "discriminator/mocogan": (
        lambda on: MoCoGANDiscriminator(frames=FRAMES, noise_sigma=0.1, checkpointing=on, **WIDTHS),
        judged,
        (BATCH, 1, FRAMES, SIZE, SIZE),
    ),
    "discriminator/vgan": (
        lambda on: VGANDiscriminator(frames=FRAMES, checkpointing=on, **WIDTHS),
        judged,
        (BATCH, 1, FRAMES, SIZE, SIZE),
    ),
    "generator/vgan": (
        lambda on: VGAN(frames=FRAMES, latent_dim=5, checkpointing=on, **WIDTHS),
        made,
        (BATCH, 5),
    ),
    "generator/synthesis/dcgan": (
        lambda on: DCGAN(content_dim=3, motion_dim=2, checkpointing=on, **WIDTHS),
        drawn,
        (BATCH, 5),
    ),
}


def measure(name: str, on: bool) -> tuple[dict[str, Tensor], int]:
    """Scores, gradients with a penalty on the input's gradient in them, buffers; and bytes kept by the forward pass."""
    build, score, shape = NETWORKS[name]
    torch.manual_seed(0)
    network = build(on).double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    held: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in (*network.parameters(), *network.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    torch.manual_seed(1)
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        scores = score(network, x)
    kept = sum(held.values())
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    (scores.sum() + gradient.square().sum()).backward()
    found = {"scores": scores, "gradient": gradient, "x": x.grad, "next draw": torch.rand(3)}
    found |= {f"{key}.grad": parameter.grad for key, parameter in network.named_parameters()}
    found |= dict(network.named_buffers())
    return {key: copy.deepcopy(value.detach()) for key, value in found.items() if value is not None}, kept


@pytest.mark.parametrize("name", NETWORKS)
def test_same_numbers_bit_for_bit_from_less_memory(name: str) -> None:
    (plain, bytes_plain), (again, bytes_again) = measure(name, False), measure(name, True)
    assert plain.keys() == again.keys()
    for key, value in plain.items():
        assert torch.equal(value, again[key]), key
    assert bytes_again < 0.75 * bytes_plain, (bytes_again, bytes_plain)


def test_state_dicts_are_interchangeable() -> None:
    for build, _, _ in NETWORKS.values():
        assert build(True).state_dict().keys() == build(False).state_dict().keys()
