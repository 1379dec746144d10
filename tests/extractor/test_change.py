import pytest
import torch

from vgen.extractor.change import Change


def test_frozen_clip_has_no_change():
    frame = torch.randint(0, 256, (2, 1, 20, 30, 3), generator=torch.Generator().manual_seed(0))
    assert not Change()(frame.expand(-1, 5, -1, -1, -1).to(torch.uint8))["change"].any()


def test_a_pulse_of_one_cell():
    clip = torch.full((1, 4, 16, 16, 1), 100, dtype=torch.uint8)
    clip[0, 2, :4, :4] += 40
    steps, consecutive, from_first = Change(cells=4)(clip)["change"][0].unbind(dim=1)
    assert steps.tolist() == [0, 40 / 16, 40 / 16]
    assert consecutive.tolist() == [0, 40, 40]
    assert from_first.tolist() == [0, 40, 0]


def test_slow_drift_adds_up_from_the_first_frame():
    clip = torch.arange(6, dtype=torch.uint8).reshape(1, 6, 1, 1, 1).expand(-1, -1, 9, 9, 3)
    change = Change()(clip)["change"][0]
    assert change[:, 1].tolist() == [1.0] * 5
    assert change[:, 2].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_refusals():
    with pytest.raises(ValueError, match="at least 2 frames"):
        Change()(torch.zeros(1, 1, 8, 8, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match="cells=0"):
        Change(cells=0)
