import math

import pytest
import torch
from two_halves import as_processes

from vgen.layer.mapping import MappingNetwork

DOUBLE = torch.float64


def make(*arguments, **keys) -> MappingNetwork:
    torch.manual_seed(0)
    network = MappingNetwork(*arguments, **keys).double()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter)
    return network


def by_the_paper(network: MappingNetwork, z, label) -> torch.Tensor:
    def rooted(x):
        return x / x.square().mean(1, keepdim=True).sqrt()

    def leaky(x):
        return 2**0.5 * torch.where(x > 0, x, 0.2 * x)

    parts = [] if z is None else [rooted(z)]
    if label is not None:
        embed = network.embed
        parts.append(rooted(label @ embed.weight.T / math.sqrt(label.shape[1]) + embed.bias))
    w = torch.cat(parts, 1)
    for layer in network.layers:
        w = leaky(w @ layer.weight.T * 0.01 / math.sqrt(w.shape[1]) + 0.01 * layer.bias)
    return w


@pytest.mark.parametrize(("latent", "label"), [(5, 0), (5, 3), (0, 3)])
def test_by_the_paper(latent: int, label: int):
    network = make(latent, 4, label_dim=label, layers=3)
    z = torch.randn(6, latent, dtype=DOUBLE) if latent else None
    code = torch.eye(3, dtype=DOUBLE).repeat(2, 1) if label else None
    torch.testing.assert_close(network(z, code), by_the_paper(network, z, code), rtol=1e-6, atol=1e-6)


def test_the_average_follows_in_training_only():
    network = make(5, 4, decay=0.9)
    z = torch.randn(8, 5, dtype=DOUBLE)
    w = network(z).detach()
    torch.testing.assert_close(network.average, 0.1 * w.mean(0))
    network.eval()(z)
    torch.testing.assert_close(network.average, 0.1 * w.mean(0))
    assert "average" in network.state_dict()
    assert "average" not in make(5, 4, decay=None).state_dict()


def test_truncation_moves_towards_the_average():
    network = make(5, 4).eval()
    network.average.copy_(torch.tensor([1.0, -2, 3, 0.5]))
    z = torch.randn(8, 5, dtype=DOUBLE)
    w = network(z)
    network.truncation = 0.7
    torch.testing.assert_close(network(z), network.average + 0.7 * (w - network.average))
    network.truncation = 0.0
    torch.testing.assert_close(network(z), network.average.expand(8, -1))


def test_processes_average_over_all_of_the_batch():
    z = torch.randn(8, 5, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    whole = make(5, 4)
    whole(z)

    def work(given):
        network, part = given
        network(part)
        return network.average

    # made here: weights are drawn from torch's default generator, which the threads share
    for average in as_processes(work, [(make(5, 4), part) for part in z.chunk(2)]):
        torch.testing.assert_close(average, whole.average)


def test_full_precision_under_autocast():
    network = MappingNetwork(5, 4).eval()
    z = torch.randn(8, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        w = network(z.bfloat16())
    assert w.dtype == torch.float32
    torch.testing.assert_close(w, network(z.bfloat16().float()))


def test_what_cannot_be():
    with pytest.raises(ValueError, match="mapping_layers=0"):
        MappingNetwork(5, 4, layers=0)
    with pytest.raises(ValueError, match="a latent or a label"):
        MappingNetwork(0, 4)
