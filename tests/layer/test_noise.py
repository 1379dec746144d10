import pytest
import torch

from vgen.layer.noise import InstanceNoise


def test_noise_in_training_only():
    x = torch.ones(100, 100)
    layer = InstanceNoise(0.1)
    torch.manual_seed(0)
    added = layer(x) - x
    assert abs(added.std() - 0.1) < 0.005
    assert abs(added.mean()) < 0.005
    assert torch.equal(layer.eval()(x), x)


def test_no_noise_is_the_identity():
    x = torch.ones(3)
    assert InstanceNoise(0.0)(x) is x


def test_negative_sigma_is_refused():
    with pytest.raises(ValueError, match="sigma"):
        InstanceNoise(-0.1)
