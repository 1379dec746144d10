"""Schedules: their shapes in closed form, every knob that they turn, exact resuming, and what is refused."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from toy import EachStep, fit, toy_gan

from vgen.augment.ada import AdaptiveAugment
from vgen.regularizer.r1 import R1
from vgen.training.schedule import read_schedule
from vgen.training.video_gan import VideoGAN


def test_a_cosine_from_the_configured_value() -> None:
    schedule = read_schedule("key", {"end": 1.0, "over": 8}, 3.0)
    for kclips, expected in {0: 3, 2: 2 + math.sqrt(0.5), 4: 2, 8: 1, 100: 1}.items():
        assert schedule.at(kclips) == pytest.approx(expected)


def test_lines_to_the_configured_value_and_halves_in_equal_times() -> None:
    warm_up = read_schedule("key", {"shape": "linear", "start": 0, "over": 4}, 2.0)
    assert [warm_up.at(k) for k in (0, 1, 4, 9)] == [0, 0.5, 2, 2]
    halving = read_schedule("key", {"shape": "geometric", "end": 1.0, "over": 3}, 8.0)
    assert [halving.at(k) for k in (0, 1, 2, 3, 4)] == pytest.approx([8, 4, 2, 1, 1])


def test_pieces_follow_one_another() -> None:
    pieces = [
        {"shape": "linear", "start": 0, "over": 2},
        {"over": 3},
        {"shape": "linear", "end": 0.5, "over": 5},
    ]
    schedule = read_schedule("key", pieces, 1.0)
    assert [schedule.at(k) for k in (0, 1, 2, 4, 5, 7.5, 10, 11)] == [0, 0.5, 1, 1, 1, 0.75, 0.5, 0.5]


# The toys show 4 clips per step: step i begins at 0.004 i thousand clips.
LINE = {"shape": "linear", "over": 0.016}
SCHEDULES = {
    "generator_lr": LINE | {"end": 0.0},
    "discriminator_lr": LINE | {"start": 0.0},
    "generator_beta2": LINE | {"end": 0.99},
    "discriminator_beta2": LINE | {"start": 0.5},
    "ema_half_life": LINE | {"start": 0.0},
    "top_k": LINE | {"start": 1.0},
    "augment_p": LINE | {"start": 0.0},
    "weight": {"r1": LINE | {"end": 0.4}},
}


def scheduled(**changes: Any) -> VideoGAN:
    augment = AdaptiveAugment(target=None, p=0.8, brightness=0, contrast=0, luma_flip=0, hue=0, saturation=0)
    arguments = {
        "lr": 0.008,
        "augment": augment,
        "regularizers": {"r1": R1(weight=2.0)},
        "schedules": SCHEDULES,
        "top_k": 0.5,
        "ema_half_life": 0.04,
        "ema_ramp_up": None,
    }
    return toy_gan(**arguments | changes)


def test_every_knob_is_turned_before_each_step(tmp_path: Path) -> None:
    rows: list[list[float]] = []

    def look(trainer: Any, module: VideoGAN) -> None:
        of_g, of_d = (optimizer.param_groups[0] for optimizer in trainer.optimizers)
        rows.append(
            [
                *(
                    of_g["lr"],
                    of_d["lr"],
                    of_g["betas"][1],
                    of_d["betas"][1],
                    module.ema_half_life,
                    module.top_k,
                ),
                module.augment.p.item(),  # type: ignore[attr-defined]
                module.objective.regularizers["r1"].weight,
            ]
        )

    module = fit(scheduled(), tmp_path, 6, callbacks=[EachStep(look)])
    start = [0.008, 0.0, 0.9, 0.5, 0.0, 1.0, 0.0, 2.0]
    end = [0.0, 0.008, 0.99, 0.9, 0.04, 0.5, 0.8, 0.4]
    for step, row in enumerate(rows):
        done = min(step / 4, 1)
        assert row == pytest.approx([a + (b - a) * done for a, b in zip(start, end, strict=True)], abs=1e-7)
    assert module.schedules.values["schedule/weight/r1"] == pytest.approx(0.4)
    assert len(module.schedules.values) == 8


def test_a_rate_of_0_changes_nothing(tmp_path: Path) -> None:
    module = toy_gan(schedules={"discriminator_lr": LINE | {"start": 0.0}})
    before = [p.detach().clone() for p in module.discriminator.parameters()]
    fit(module, tmp_path, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, module.discriminator.parameters(), strict=True))


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, adaptive: bool) -> None:
    def build() -> VideoGAN:
        if not adaptive:
            return scheduled(log_every=1)
        augment = AdaptiveAugment(p=0.3, ada_kclips=0.1, target=0.0, interval=2, hue=0, noise=1)
        for name in augment.color:
            augment.color[name] = 0.0
        return toy_gan(augment=augment, log_every=1)

    saver = ModelCheckpoint(dirpath=tmp_path, filename="{step}", every_n_train_steps=3, save_top_k=-1)
    whole = fit(build(), tmp_path, 6, callbacks=[saver], enable_checkpointing=True)
    resumed = fit(build(), tmp_path, 6, checkpoint=tmp_path / "step=3.ckpt")
    expected = whole.state_dict()
    assert not adaptive or expected["augment.p"].item() != pytest.approx(0.3)
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize(
    ("schedules", "message"),
    [
        (
            {"learning_rate": {"end": 0, "over": 1}},
            r"schedules\.learning_rate: what can follow .* generator_lr",
        ),
        ({"generator_lr": {"end": 0}}, r"generator_lr\.over=None: give the thousand clips"),
        ({"generator_lr": {"end": "small", "over": 1}}, r"generator_lr\.end='small': expected a number"),
        ({"generator_lr": {"end": 0, "over": 1, "shape": "step"}}, r"\.shape=step: choose cosine, linear"),
        ({"generator_lr": {"end": 0, "during": 1}}, r"generator_lr\.during: a piece of a schedule has shape"),
        ({"generator_lr": 3}, r"generator_lr=3: write \{start: 0, over: 5\}"),
        ({"ema_half_life": {"start": 1, "end": 2, "over": 1}}, r"leave out start or end.* configured 10"),
        ({"ema_half_life": {"end": -2, "over": 1}}, r"ema_half_life: -2 cannot be; it must be 0 or more"),
        ({"top_k": {"end": 2, "over": 1}}, r"top_k: 2 cannot be; it must lie in \[0, 1\]"),
        ({"augment_p": {"end": 1, "over": 1}}, r"augment_p: this augmentation has no probability"),
        ({"weight": {"r2": {"end": 1, "over": 1}}}, r"weight\.r2: the regularizers of the run are r1"),
        ({"weight": {"r1": {"shape": "geometric", "end": 0, "over": 1}}}, r"geometric goes from 10 to 0"),
    ],
)
def test_what_is_no_schedule_is_said(schedules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toy_gan(schedules=schedules, regularizers={"r1": R1()})


def test_what_does_not_go_together_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"augment_p: p already follows augment\.target"):
        toy_gan(augment=AdaptiveAugment(), schedules={"augment_p": LINE | {"end": 1.0}})
    module = toy_gan(
        generator_optimizer=partial(torch.optim.RMSprop, lr=1e-3),
        schedules={"generator_beta2": LINE | {"start": 0.5}},
    )
    with pytest.raises(ValueError, match=r"generator_beta2: RMSprop has no beta2"):
        fit(module, tmp_path, 1)
