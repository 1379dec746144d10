"""The parts of a step add up to the step, and profiling changes nothing in it."""

from pathlib import Path

import pytest
import torch
from toy import fit, toy_gan

from vgen.callback.step_profile import StepProfile
from vgen.training import step_timer
from vgen.training.step_timer import StepTimer


def test_time_inside_another_part_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 4.0, 9.0])
    monkeypatch.setattr(step_timer.time, "perf_counter", lambda: next(clock))
    timer = StepTimer()
    with timer("outer"), timer("inner"):
        pass
    assert timer.flush() == {"outer": 1.0 + 5.0, "inner": 3.0}
    assert timer.flush() == {}


def test_every_part_of_a_step_is_there_and_the_shares_are_of_the_whole(tmp_path: Path) -> None:
    profile = StepProfile()
    fit(toy_gan(), tmp_path, 5, callbacks=[profile])
    assert profile.iterations == 5
    parts = {"data", "rest", "average", "logging"}
    parts |= {
        f"{player}_{what}" for player in "gd" for what in ("forward", "backward", "regularizers", "optimizer")
    }
    assert set(profile.total) == parts | {"d_fakes"}
    assert all(seconds >= 0 for seconds in profile.total.values())
    assert "mean of 5" in profile.table()


def test_profiling_does_not_change_the_run(tmp_path: Path) -> None:
    plain, profiled = fit(toy_gan(), tmp_path, 4), fit(toy_gan(), tmp_path, 4, callbacks=[StepProfile()])
    for one, other in zip(plain.parameters(), profiled.parameters(), strict=True):
        assert torch.equal(one, other)
