import pytest
import torch
from torch import nn

from vgen.layer.spectral import add_spectral_norm, refresh_spectral_norm


def test_averages_of_weights_and_vectors_get_norm_one_again():
    torch.manual_seed(0)
    networks = [nn.Sequential(nn.Linear(6, 5), nn.Conv2d(3, 4, 2)) for _ in range(2)]
    for network in networks:
        assert add_spectral_norm(network, iterations=20) == 2
    here, there = networks
    for mine, other in zip(
        [*here.parameters(), *here.buffers()], [*there.parameters(), *there.buffers()], strict=True
    ):
        mine.data.lerp_(other.data, 0.5)
    here.eval()
    norms = [torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() for layer in here]
    assert max(norms) > 1.5  # unrepaired
    for _ in range(3):
        refresh_spectral_norm(here)
    assert not any(module.training for module in here.modules())
    for layer in here:
        assert abs(torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() - 1) < 1e-3


def test_other_networks_stay_as_they_are():
    network = nn.Sequential(nn.Linear(3, 3), nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    refresh_spectral_norm(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_layers_that_run_twice_are_refused():
    network = nn.Sequential(nn.Linear(2, 2))
    network.checkpointing = True
    with pytest.raises(ValueError, match="does not go with Sequential's checkpointing"):
        add_spectral_norm(network)
