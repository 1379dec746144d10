"""torch.compile reaches what the trainer calls of a network."""

from collections.abc import Callable

import torch
from torch import Tensor

from vgen.clip import regular_times
from vgen.generator.vgan import VGAN
from vgen.training.compiled import compile_networks


def test_a_generator_that_decomposes_is_compiled_too() -> None:
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    network = VGAN(size=8, frames=4, base_channels=4).eval()
    times = regular_times(1, 4)
    latent = network.sample_latent(1, times, torch.Generator().manual_seed(0))
    plain = network.decompose(latent, times)["video"]
    names = list(network.state_dict())
    compile_networks([network], backend)  # type: ignore[arg-type] - of torch's backends any has a name
    assert torch.equal(network.decompose(latent, times)["video"], plain)
    assert graphs
    assert list(network.state_dict()) == names
