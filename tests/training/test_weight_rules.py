"""Regularisers that are rules about weights, and those that remember: when they act, what checkpoints keep of them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.nn.utils import parametrize
from toy import fit, toy_gan

from vgen.clip import Player, Step
from vgen.regularizer.approximate_r1 import ApproximateR1
from vgen.regularizer.consistency import Consistency
from vgen.regularizer.latent_consistency import LatentConsistency
from vgen.regularizer.lecam import LeCam
from vgen.regularizer.mode_seeking import ModeSeeking
from vgen.regularizer.path_length import PathLength
from vgen.regularizer.r2 import R2
from vgen.regularizer.singular_value_clipping import SingularValueClipping
from vgen.regularizer.spectral_norm import SpectralNorm
from vgen.regularizer.weight_clip import WeightClip
from vgen.training.checkpoint import read_checkpoint
from vgen.training.video_gan import VideoGAN

BOTH = {"d": SpectralNorm(), "g": SpectralNorm(player="generator")}


class Watcher:
    """Counts how often it is asked, and by which network."""

    weight = 1.0
    differentiates: frozenset[str] = frozenset()

    def __init__(self, player: Player, interval: int) -> None:
        self.player: Player = player
        self.interval = interval
        self.prepared: list[nn.Module] = []
        self.updated: list[nn.Module] = []

    def __call__(self, step: Step) -> None:
        """No term of the loss."""

    def prepare(self, network: nn.Module) -> None:
        self.prepared.append(network)

    def after_update(self, network: nn.Module) -> None:
        self.updated.append(network)


def test_rules_are_asked_once_before_and_every_interval_after_updates(tmp_path: Path) -> None:
    often, seldom = Watcher("discriminator", 3), Watcher("generator", 2)
    module = toy_gan(regularizers={"often": often, "seldom": seldom}, d_steps=2)
    assert (often.prepared, seldom.prepared) == ([module.discriminator], [module.generator])
    fit(module, tmp_path, 4)
    assert often.updated == [module.discriminator] * 3  # of 8 updates numbers 0, 3 and 6
    assert seldom.updated == [module.generator] * 2
    assert not any(name.startswith("regularizer/") for name in module.scalars.flush())


@pytest.mark.parametrize(
    ("rule", "bound"), [(WeightClip(bound=0.02), 0.02), (SingularValueClipping(interval=1), 1.0)]
)
def test_weights_are_bounded_after_training(tmp_path: Path, rule: Any, bound: float) -> None:
    module = toy_gan(lr=0.5, regularizers={"rule": rule})
    fit(module, tmp_path, 3)
    weights = [p for p in module.discriminator.parameters() if p.ndim == 2]
    sizes = [w.abs().max() if bound < 1 else torch.linalg.matrix_norm(w, 2) for w in weights]
    assert max(sizes).item() == pytest.approx(bound, rel=1e-5)


def largest_singular_values(network: nn.Module) -> list[float]:
    layers = [layer for layer in network.modules() if parametrize.is_parametrized(layer, "weight")]
    return [torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() for layer in layers]


def test_spectral_norm_of_both_players_and_of_the_average(tmp_path: Path) -> None:
    terms = {
        "d": SpectralNorm(power_iterations=5),
        "g": SpectralNorm(player="generator", power_iterations=5),
    }
    module = fit(toy_gan(lr=1e-4, regularizers=terms, ema_half_life=0.01), tmp_path, 20)
    for network in (module.generator.eval(), module.discriminator.eval(), module.generator_average.module):
        norms = largest_singular_values(network)
        assert len(norms) == 2
        assert norms == pytest.approx([1.0, 1.0], rel=0.02)


def state(module: VideoGAN) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


REMEMBERING = {
    "spectral_norm": lambda: dict(BOTH),
    "averages": lambda: {"lecam": LeCam(interval=2), "path": PathLength(interval=3)},
}


@pytest.mark.parametrize("terms", REMEMBERING)
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, terms: str) -> None:
    def build() -> VideoGAN:
        return toy_gan(regularizers=REMEMBERING[terms](), log_every=1)

    saver = ModelCheckpoint(dirpath=tmp_path, filename="{step}", every_n_train_steps=3, save_top_k=-1)
    whole = fit(build(), tmp_path, 7, callbacks=[saver], enable_checkpointing=True)
    names = read_checkpoint(tmp_path / "step=3.ckpt")["state_dict"].keys()
    wanted = "parametrizations.weight.original" if terms == "spectral_norm" else "objective.stateful."
    assert any(wanted in name for name in names)
    resumed = fit(build(), tmp_path, 7, checkpoint=tmp_path / "step=3.ckpt")
    expected = state(whole)
    assert state(resumed).keys() == expected.keys()
    for name, value in state(resumed).items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_terms_train_together_and_accumulate(tmp_path: Path, precision: str) -> None:
    terms = {
        "r2": R2(weight=0.1),
        "ar1": ApproximateR1(weight=1.0),
        "ar2": ApproximateR1(weight=1.0, clips="fake"),
        "cr": Consistency(weight=0.1),
        "zcr": LatentConsistency(player="discriminator"),
        "zg": LatentConsistency(player="generator"),
        "path": PathLength(interval=1),
        "ms": ModeSeeking(weight=0.01),
    }
    module = fit(
        toy_gan(regularizers=terms, batch=8, accumulate=2, log_every=100), tmp_path, 3, precision=precision
    )
    scalars = module.scalars.flush()
    assert all(torch.isfinite(torch.tensor(scalars[f"regularizer/{name}"])) for name in terms)
