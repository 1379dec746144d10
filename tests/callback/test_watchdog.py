"""The watchdog finds what it should, says it once, and puts a broken run back on its feet."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from toy import FRAMES, EachStep, ToyGenerator, fit, toy_gan

from vgen.callback.checkpoint import KeepEvery
from vgen.callback.symptoms import Explosion, Growth, Saturation, Shrinkage
from vgen.callback.watchdog import Watchdog
from vgen.training.scalars import NonFiniteLoss
from vgen.training.video_gan import VideoGAN

QUIET = dict.fromkeys(("explosion", "saturation", "collapse", "stall", "leak"), "ignore")


def watchdog(folder: Path, **changes: Any) -> Watchdog:
    return Watchdog(folder=str(folder), frames=FRAMES, **QUIET | changes)


def poison(at: set[int]) -> EachStep:
    """Puts NaN into a weight of G after the iterations `at`."""

    def look(_: Any, module: VideoGAN) -> None:
        if module.iteration in at:
            at.discard(module.iteration)
            with torch.no_grad():
                next(module.generator.parameters())[0, 0] = torch.nan

    return EachStep(look)


def saver(folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(
        dirpath=folder, filename="last", every_n_train_steps=4, enable_version_counter=False
    )


def test_explosion_is_told_against_the_median_and_stays_out_of_it() -> None:
    symptom = Explosion(factor=10, window=8)
    assert [symptom.look(v) for v in (1.0, 2.0, 1.0, 2.0, 9.0)] == [None] * 5
    assert "median" in str(symptom.look(100.0))
    assert symptom.look(100.0) is not None
    assert symptom.look(2.0) is None


def test_saturation_must_last_and_critics_have_none() -> None:
    symptom = Saturation(below=0.1, patience=3)
    assert [symptom.look(v) is None for v in (0.01, 0.01, 0.5, 0.01, 0.01, 0.01)] == [True] * 5 + [False]
    critic = Saturation(below=0.1, patience=2)
    assert [critic.look(-5.0), critic.look(-5.0)] == [None, None]


def test_shrinkage_is_measured_from_the_best() -> None:
    symptom = Shrinkage(fraction=0.5, patience=2)
    assert [symptom.look(v) is None for v in (0.2, 1.0, 0.4, 0.6, 0.4, 0.4)] == [True] * 5 + [False]


def test_growth_is_reported_once_per_step_up() -> None:
    symptom = Growth(factor=2, settle=2)
    assert [symptom.look(v) is None for v in (0.5, 1.0, 1.5, 2.5, 2.6, 5.5)] == [
        True,
        True,
        True,
        False,
        True,
        False,
    ]


def test_without_rollback_nan_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLoss):
        fit(toy_gan(), tmp_path, 8, callbacks=[poison({5}), watchdog(tmp_path)])


def test_rollback_restores_weights_and_goes_on_to_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    at = {6}
    guard = watchdog(tmp_path, non_finite="rollback")
    with caplog.at_level(logging.WARNING, "vgen"):
        module = fit(
            toy_gan(), tmp_path, 12, callbacks=[poison(at), guard, saver(tmp_path)], enable_checkpointing=True
        )
    assert guard.put_back == 1
    assert module.iteration == 12
    assert all(bool(p.isfinite().all()) for p in module.parameters())
    assert "put the run back" in caplog.text


@pytest.mark.parametrize("at", [8, 6], ids=["last", "kept"])
def test_a_weight_that_breaks_as_a_checkpoint_is_due_is_put_back(tmp_path: Path, at: int) -> None:
    guard = watchdog(tmp_path, non_finite="rollback")
    savers = [saver(tmp_path), KeepEvery(folder=str(tmp_path), every=0.012)]  # after 4 and after 3 iterations
    module = fit(
        toy_gan(log_every=100),
        tmp_path,
        12,
        callbacks=[poison({at}), guard, *savers],
        enable_checkpointing=True,
    )
    assert guard.put_back == 1
    assert module.iteration == 12
    assert all(bool(p.isfinite().all()) for p in module.parameters())


def test_rollback_gives_up_and_says_so(tmp_path: Path) -> None:
    at = {5, 6, 7, 8, 9, 10, 11}
    guard = watchdog(tmp_path, non_finite="rollback", rollbacks=2)
    with pytest.raises(NonFiniteLoss):
        fit(
            toy_gan(), tmp_path, 12, callbacks=[poison(at), guard, saver(tmp_path)], enable_checkpointing=True
        )
    assert guard.put_back == 2


def test_rollback_before_the_first_checkpoint_fails_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLoss, match="none yet"):
        fit(toy_gan(), tmp_path, 8, callbacks=[poison({1}), watchdog(tmp_path, non_finite="rollback")])


class Collapsed(ToyGenerator):
    """Falls onto one clip after its first samples."""

    calls = 0

    def forward(self, latent: Any, times: Any, label: Any = None) -> torch.Tensor:
        made = super().forward(latent, times, label)
        if not self.training:
            self.calls += 1
            return made if self.calls == 1 else made[:1].expand_as(made)
        return made


def test_collapse_stops_the_run_early(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    guard = watchdog(tmp_path, collapse="stop", diversity_every=3)
    with caplog.at_level(logging.WARNING, "vgen"):
        module = fit(toy_gan(generator=Collapsed()), tmp_path, 30, callbacks=[guard])
    assert module.iteration == 6
    assert "collapse" in caplog.text


def test_gradient_norms_are_those_of_the_step(tmp_path: Path) -> None:
    logged: dict[str, float] = {}
    guard = watchdog(tmp_path, explosion="warn")
    module = toy_gan(log_every=1)
    module.log_everywhere = logged.update  # type: ignore[method-assign]
    fit(module, tmp_path, 1, callbacks=[guard])
    for player, network in (("g", module.generator), ("d", module.discriminator)):
        if player == "d":  # G's update leaves no gradient in D
            norm = torch.stack([p.grad.norm() for p in network.parameters() if p.grad is not None]).norm()
            assert logged["gradient/d"] == pytest.approx(float(norm), rel=1e-5)
        assert logged[f"gradient/{player}"] > 0


def test_an_unknown_action_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose ignore, warn, rollback or stop"):
        watchdog(tmp_path, leak="panic")


def test_speed_and_memory_are_of_the_process_and_not_continued() -> None:
    before, after = (Watchdog(folder="x", frames=FRAMES, stride=1) for _ in range(2))
    for symptom in before.symptoms.values():
        symptom.look(100.0)
    after.load_state_dict(before.state_dict())
    assert after.symptoms["stall"].look(1.0) is None
    assert after.symptoms["stall"].history == [1.0, 0.0]
    assert after.symptoms["leak"].history == [0.0, 0.0]
    assert after.symptoms["collapse"].history == before.symptoms["collapse"].history
