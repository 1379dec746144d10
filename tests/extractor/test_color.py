import pytest
import torch

from vgen.extractor.color import Color


def test_mean_colour_of_each_frame():
    clip = torch.zeros(1, 2, 4, 4, 3, dtype=torch.uint8)
    clip[0, 0, :, :, 0] = 200
    clip[0, 1, :2, :, 2] = 100  # half of the second frame is blue
    assert Color()(clip)["color"].tolist() == [[[200, 0, 0], [0, 0, 50]]]


def test_grey_stands_three_times():
    assert Color()(torch.full((1, 1, 2, 2, 1), 7, dtype=torch.uint8))["color"].tolist() == [[[7, 7, 7]]]
    with pytest.raises(ValueError, match="1 or 3 channels"):
        Color()(torch.zeros(1, 1, 2, 2, 4, dtype=torch.uint8))
