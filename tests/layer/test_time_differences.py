import math

import pytest
import torch

from vgen.layer.time_differences import TimeDifferences


def test_a_vector_and_waves_for_each_distance():
    layer = TimeDifferences(3, dim=4, longest=8)
    times = torch.tensor([[0.0, 1.0, 6.0], [2.0, 4.5, 30.0]])
    code = layer(times).view(2, 2, -1)
    assert layer.dim == code.shape[1] * code.shape[2] == 2 * (4 + 2 * 3)
    for clip, distances in enumerate([(1.0, 5.0), (2.5, 25.5)]):
        for number, distance in enumerate(distances):
            vector, waves = code[clip, number, :4], code[clip, number, 4:]
            nearest = min(round(distance), 7)
            assert torch.equal(vector, layer.vectors.weight[nearest])
            angles = torch.tensor([math.pi * distance * 2**i / 8 for i in range(3)])
            torch.testing.assert_close(waves, torch.cat([angles.sin(), angles.cos()]), atol=1e-5, rtol=1e-5)


def test_sizes_of_the_paper():
    assert TimeDifferences(3).dim == 2 * (256 + 20)
    assert TimeDifferences(2, longest=1000).dim == 256 + 20


def test_what_cannot_be():
    for arguments in ({"dim": 0}, {"longest": 1}):
        with pytest.raises(ValueError, match="must be at least 1"):
            TimeDifferences(3, **arguments)
