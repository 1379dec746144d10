"""What several processes exchange, looked at on one: buffers, layouts, and what users are told."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from toy import EachStep, ToyGenerator, fit, toy_gan

from vgen.layer.batch_norm import BatchNorm, share_statistics
from vgen.training.players_ddp import PlayersDDP, own_buffers
from vgen.training.players_fsdp import PlayersFSDP


@pytest.fixture(autouse=True)
def own_group() -> Iterator[None]:
    """What a process group leaves behind, its port in the environment too, is no other test's."""
    before = dict(os.environ)
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    os.environ.clear()
    os.environ.update(before)


def test_only_buffers_that_may_differ_are_broadcast() -> None:
    network = nn.Sequential(BatchNorm(2), nn.BatchNorm1d(3))
    share_statistics(network, True)
    assert own_buffers(network) == []
    share_statistics(network, False)
    assert len(own_buffers(network)) == 6


def test_unused_parameters_are_explained() -> None:
    error = RuntimeError(
        "Expected to have finished reduction in the prior iteration before starting a new one. More"
    )
    PlayersDDP().on_exception(error)
    assert "trainer.strategy.find_unused_parameters=true" in str(error)


@pytest.mark.parametrize("strategy", [PlayersDDP, PlayersFSDP])
def test_one_process_is_the_plain_trainer(tmp_path: Path, strategy: type) -> None:
    """A job that was given one device of many."""
    plain = copy.deepcopy(fit(toy_gan(accumulate=2), tmp_path, 3).state_dict())
    weights: dict[str, torch.Tensor] = {}
    module = toy_gan(accumulate=2)

    def keep(trainer: object, gan: object) -> None:
        weights.update(copy.deepcopy(trainer.strategy.lightning_module_state_dict()))  # type: ignore[attr-defined]

    fit(module, tmp_path, 3, strategy=strategy(), callbacks=[EachStep(keep)])
    torch.testing.assert_close(weights, dict(plain))


def test_a_parameter_without_dimensions_cannot_be_sharded(tmp_path: Path) -> None:
    generator = ToyGenerator()
    generator.gain = nn.Parameter(torch.ones(()))
    with pytest.raises(ValueError, match=r"cannot shard gain.*shape \(1,\)"):
        fit(toy_gan(generator=generator), tmp_path, 1, strategy=PlayersFSDP())
