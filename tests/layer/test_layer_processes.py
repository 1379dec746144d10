import pytest
import torch
import torch.distributed as dist

from vgen.layer import processes


def test_one_process_reduces_nothing():
    assert processes.process_count() == 1
    values = torch.arange(4.0)
    assert processes.over_processes(values) is values
    assert processes.global_mean(values) == 1.5


def test_three_processes_that_hold_the_same(monkeypatch: pytest.MonkeyPatch):
    """As if each of three held these values; tests/training/test_ddp.py has real ones with different values."""
    monkeypatch.setattr(processes, "process_count", lambda: 3)
    monkeypatch.setattr(dist, "all_reduce", lambda values: values.mul_(3))
    values = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(processes.global_mean, (values,))
    assert torch.autograd.gradgradcheck(lambda x: processes.global_mean(x) ** 2, (values,))
    assert processes.global_mean(values).item() == pytest.approx(3)
