"""What is said of a run whose numbers are no longer finite."""

import os

from pytorch_lightning import Trainer
from torch import nn

from vgen.training.scalars import NonFiniteLoss


def non_finite_weight(module: nn.Module) -> str | None:
    """Name of the first parameter or buffer that holds a NaN or inf, or None. Synchronises."""
    values = {name: value for name, value in module.state_dict().items() if value.is_floating_point()}
    return next((name for name, value in values.items() if not bool(value.isfinite().all())), None)


def non_finite_error(
    name: str, iteration: int, clips_per_step: int, trainer: Trainer | None
) -> NonFiniteLoss:
    """The error to raise: which term or weight, when, and what to go back to."""
    kclips = iteration * clips_per_step / 1000
    return NonFiniteLoss(
        f"{name} became NaN or inf at iteration {iteration} ({kclips:g} kclips); last good checkpoint: "
        f"{last_checkpoint(trainer) or 'none yet'}. Lower the learning rate, add regularizer=r1, or set "
        "training.clip_norm."
    )


def last_checkpoint(trainer: Trainer | None) -> str | None:
    """The newest checkpoint file of the trainer's checkpoint callbacks."""
    callbacks = trainer.checkpoint_callbacks if trainer is not None else []
    paths = [
        getattr(callback, name, "")
        for callback in callbacks
        for name in ("last_model_path", "best_model_path")
    ]
    return max((path for path in paths if path and os.path.exists(path)), key=os.path.getmtime, default=None)
