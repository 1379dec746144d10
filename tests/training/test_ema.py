"""The averaged generator: half-life in clips, ramp-up, buffers, gradients."""

import pytest
import torch
from torch import nn

from vgen.training.ema import GeneratorAverage, ema_decay


def test_half_life_is_counted_in_clips() -> None:
    for clips_per_step in (1, 10, 250):
        decay = ema_decay(clips_seen=10**9, clips_per_step=clips_per_step, half_life=1000, ramp_up=None)
        assert decay ** (1000 / clips_per_step) == pytest.approx(0.5)


def test_ramp_up_shortens_the_half_life_early_only() -> None:
    early = ema_decay(clips_seen=100, clips_per_step=10, half_life=1000, ramp_up=0.05)
    late = ema_decay(clips_seen=10**6, clips_per_step=10, half_life=1000, ramp_up=0.05)
    assert early == pytest.approx(0.5 ** (10 / 5))
    assert late == pytest.approx(0.5 ** (10 / 1000))
    assert ema_decay(clips_seen=5, clips_per_step=10, half_life=0, ramp_up=None) == 0


def test_average_equals_the_recursion_and_copies_counters() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = GeneratorAverage(net)
    expected = [value.clone() for value in net.state_dict().values()]
    for decay in (0.9, 0.5, 0.25):
        with torch.no_grad():
            for value in net.state_dict().values():
                value += 1
        average.update(net, decay)
        current = list(net.state_dict().values())
        first = average.n_averaged == 1
        expected = [
            new.clone() if first or not new.is_floating_point() else decay * old + (1 - decay) * new
            for old, new in zip(expected, current, strict=True)
        ]
    for ours, theirs in zip(average.module.state_dict().values(), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_average_takes_no_gradient_and_stays_in_evaluation_mode() -> None:
    average = GeneratorAverage(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    nn.ModuleList([average]).train()
    assert not any(p.requires_grad for p in average.parameters())
    assert not any(m.training for m in average.modules())
