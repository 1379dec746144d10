import pytest
import torch

from vgen.layer.temporal_shift import TemporalShift


def test_channels_come_from_both_neighbours():
    x = torch.arange(1.0, 25).view(1, 3, 8, 1, 1)
    out = TemporalShift(0.25)(x)
    assert torch.equal(out[:, :2, :2], x[:, 1:, :2])
    assert torch.equal(out[:, 1:, 2:4], x[:, :2, 2:4])
    assert torch.equal(out[:, :, 4:], x[:, :, 4:])
    assert not out[:, 2, :2].any()
    assert not out[:, 0, 2:4].any()


def test_one_frame_and_no_share_stay():
    x = torch.randn(2, 1, 8, 2, 2)
    assert TemporalShift(0.25)(x) is x
    x = torch.randn(2, 3, 8, 2, 2)
    assert TemporalShift(0.0)(x) is x
    assert TemporalShift(0.1)(x) is x


@pytest.mark.parametrize("share", [-0.1, 0.51])
def test_shares_that_cannot_be(share: float):
    with pytest.raises(ValueError, match="shift="):
        TemporalShift(share)
