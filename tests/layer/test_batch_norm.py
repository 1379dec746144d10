import copy
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from vgen.layer.batch_norm import BatchNorm, share_statistics

WORLD = 2


def network(norm: Callable[[int], nn.Module] = BatchNorm) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv3d(2, 3, 2), norm(3), nn.Tanh(), nn.Conv3d(3, 2, 2), norm(2), nn.Tanh())
    for parameter in layers.parameters():
        nn.init.normal_(parameter)
    return layers.double()


def clips() -> torch.Tensor:
    # A large mean beside a small spread: moments must not be taken from sums of squares.
    return 3 + torch.randn(4, 2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def measure(layers: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Outputs, gradients, a gradient penalty's second-order gradients and running statistics."""
    x = x.clone().requires_grad_()
    out = layers(x)
    scores = (out * torch.linspace(-1, 2, out[0].numel(), dtype=out.dtype).view_as(out[0])).sum()
    (gradient,) = torch.autograd.grad(scores, x, create_graph=True)
    parameters = list(layers.parameters())
    first = torch.autograd.grad(scores, parameters, retain_graph=True)
    (gradient**2).sum().backward()
    found = {"out": out, "gradient": gradient, "second/x": x.grad}
    found |= {f"first/{i}": value for i, value in enumerate(first)}
    found |= {
        f"second/{i}": parameter.grad for i, parameter in enumerate(parameters) if parameter.grad is not None
    }
    found |= {f"buffer/{name}": value.clone() for name, value in layers.named_buffers()}
    return {name: value.detach() for name, value in found.items() if value is not None}


def _worker(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=WORLD)
    layers, mine = network(), clips().chunk(WORLD)[rank]
    found = measure(layers, mine)
    foreign = network(nn.BatchNorm3d)
    share_statistics(foreign, True)
    found |= {f"foreign/{name}": value for name, value in measure(foreign, mine).items()}
    apart = network()
    share_statistics(apart, False)
    found["apart"] = apart(mine).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found["autocast"] = layers.float()(mine.float()).detach()
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(_worker, (port, str(tmp_path)), nprocs=WORLD)
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in range(WORLD)]
    layers = network()
    one = measure(layers, clips())
    theirs = measure(network(nn.BatchNorm3d), clips())
    one |= {f"foreign/{name}": value for name, value in theirs.items()}
    assert {"out", "second/x", "second/2", "first/3", "buffer/1.running_var"} <= one.keys()
    for name, expected in one.items():
        values = [part[name] for part in parts]
        if "buffer" in name:
            assert torch.equal(values[0], values[1])
            together = values[0]
        elif name.removeprefix("foreign/") in ("out", "gradient", "second/x"):
            together = torch.cat(values)
        else:
            together = torch.stack(values).sum(0)
        torch.testing.assert_close(
            together, expected, rtol=1e-10, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}"
        )
    for part, mine in zip(parts, clips().chunk(WORLD), strict=True):
        torch.testing.assert_close(part["apart"], network()(mine).detach())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = layers.float()(clips().float()).detach()
    together = torch.cat([part["autocast"] for part in parts])
    torch.testing.assert_close(together, expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 5), (6, 3, 5, 2), (6, 3, 2, 5, 2)])
def test_one_process_is_torch_for_any_rank(shape: tuple[int, ...]):
    ours = BatchNorm(3, eps=1e-3, momentum=0.3)
    reference = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[len(shape)]
    theirs = reference(3, eps=1e-3, momentum=0.3)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(shape) * 2 + 1
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(dict(ours.named_buffers()), dict(theirs.named_buffers()))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_evaluation_keeps_samples_apart_and_state():
    layer = BatchNorm(2)
    layer(torch.randn(8, 2, 3))
    before = copy.deepcopy(layer.eval().state_dict())
    x = torch.randn(4, 2, 3)
    torch.testing.assert_close(layer(x)[:1], layer(x[:1]))
    torch.testing.assert_close(layer.state_dict(), before)


def test_sharing_keeps_parameters_and_names() -> None:
    network = nn.Sequential(
        nn.Linear(2, 3), nn.BatchNorm1d(3, eps=1e-3, momentum=0.2), nn.BatchNorm1d(3, affine=False)
    )
    before, names = [id(p) for p in network.parameters()], list(network.state_dict())
    share_statistics(network, True)
    assert [id(p) for p in network.parameters()] == before
    assert list(network.state_dict()) == names
    assert all(isinstance(layer, BatchNorm) and layer.shared for layer in (network[1], network[2]))
    assert (network[1].eps, network[1].momentum) == (1e-3, 0.2)


def test_statistics_that_cannot_be_shared_are_named() -> None:
    network = nn.ModuleDict({"norm": nn.BatchNorm2d(3, momentum=None)})
    with pytest.raises(ValueError, match=r"^norm: .*sync_batchnorm=false"):
        share_statistics(network, True)


def test_without_gain_or_shift():
    x = torch.randn(6, 3, 5)
    plain = BatchNorm(3, gain=False, shift=False)
    torch.testing.assert_close(plain(x), nn.BatchNorm1d(3, affine=False)(x))
    assert [list(dict(BatchNorm(3, **{part: False}).named_parameters())) for part in ("gain", "shift")] == [
        ["bias"],
        ["weight"],
    ]
