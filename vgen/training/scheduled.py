"""What can follow a schedule in a run, and the turning of these knobs before each iteration."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim import Optimizer

from vgen.training.schedule import Schedule, read_schedule

_OPTIMIZER_KNOBS = {
    f"{player}_{what}": (number, what)
    for number, player in enumerate(("generator", "discriminator"))
    for what in ("lr", "beta2")
}
_OWN_KNOBS = ("ema_half_life", "top_k")
_AT_MOST_1 = ("generator_beta2", "discriminator_beta2", "top_k")


class Schedules:
    """Turns learning rates, beta2, the half-life of the average, top-k, p and weights of terms as the clips go by.

    All follow from the clips shown so far and the configured values, never from where a knob stands: a resumed run
    goes on exactly. Knobs are turned before each iteration and hold throughout.

    Args:
        written: knob -> schedule (`vgen.training.schedule.read_schedule`), or None for a knob that stays. The knobs:
            generator_lr, discriminator_lr, generator_beta2, discriminator_beta2; ema_half_life in thousand clips;
            top_k; augment_p; and "weight", name of a regulariser -> schedule of its weight.
        trainer: the VideoGAN whose values these are. For augment_p, its augmentation has to offer `configured_p`,
            `p_max`, `p` and `check_schedulable`.

    Raises ValueError, naming the key, for what is no knob or no schedule, and for values that a knob cannot have.
    """

    def __init__(self, written: Mapping[str, Any] | None, trainer: Any) -> None:
        flat = _flattened(written or {}, trainer)
        self._schedules: dict[str, Schedule] = {}
        self.values: dict[str, float] = {}
        for knob in _OWN_KNOBS:
            _check_range(f"training.{knob}", getattr(trainer, knob), _highest(knob, trainer))
        self._of_optimizers = {knob: flat.pop(knob) for knob in _OPTIMIZER_KNOBS if knob in flat}
        for knob, schedule in flat.items():
            self._add(knob, schedule, _configured(knob, trainer), _highest(knob, trainer))
        for (
            knob,
            schedule,
        ) in self._of_optimizers.items():  # what is wrong can be said before there are optimizers
            read_schedule(f"training.schedules.{knob}", schedule, configured=1.0)

    def read_optimizers(self, optimizers: list[Optimizer]) -> list[Optimizer]:
        """Take the configured values of the generator's and the discriminator's optimizer, just made; returns both.

        Those in a checkpoint are what the schedules had come to.
        """
        for knob, schedule in self._of_optimizers.items():
            number, what = _OPTIMIZER_KNOBS[knob]
            group = optimizers[number].param_groups[0]
            if what == "beta2" and "betas" not in group:
                kind = type(optimizers[number]).__name__
                raise ValueError(f"training.schedules.{knob}: {kind} has no beta2; choose adam or adamw")
            configured = group["lr"] if what == "lr" else group["betas"][1]
            self._add(knob, schedule, configured, _highest(knob))
        return optimizers

    def follow(self, trainer: Any, optimizers: Sequence[Any]) -> None:
        """Turn every knob that has a schedule to its value at `trainer.kclips`."""
        for knob, schedule in self._schedules.items():
            value = self.values[f"schedule/{knob}"] = schedule.at(trainer.kclips)
            if knob in _OPTIMIZER_KNOBS:
                number, what = _OPTIMIZER_KNOBS[knob]
                # Lightning's wrapper keeps the groups that were there before a checkpoint was loaded.
                optimizer = getattr(optimizers[number], "optimizer", optimizers[number])
                for group in optimizer.param_groups:
                    group.update({"lr": value} if what == "lr" else {"betas": (group["betas"][0], value)})
            elif knob in _OWN_KNOBS:
                setattr(trainer, knob, value)
            elif knob == "augment_p":
                trainer.augment.p.fill_(value)
            else:
                trainer.objective.regularizers[knob.removeprefix("weight/")].weight = value

    def _add(self, knob: str, written: Any, configured: float, highest: float) -> None:
        key = f"training.schedules.{knob.replace('/', '.')}"
        schedule = read_schedule(key, written, configured)
        for piece in schedule.pieces:
            for value in (piece.start, piece.end):
                _check_range(key, value, highest)
        self._schedules[knob] = schedule


def _highest(knob: str, trainer: Any = None) -> float:
    if knob == "augment_p":
        return trainer.augment.p_max
    return 1.0 if knob in _AT_MOST_1 else math.inf


def _check_range(key: str, value: float, highest: float) -> None:
    if not 0 <= value <= highest:
        limits = "be 0 or more" if highest == math.inf else f"lie in [0, {highest:g}]"
        raise ValueError(f"{key}: {value:g} cannot be; it must {limits}")


def _configured(knob: str, trainer: Any) -> float:
    """What a knob of no optimizer stands at without a schedule."""
    if knob in _OWN_KNOBS:
        return getattr(trainer, knob)
    if knob.startswith("weight/"):
        return trainer.objective.regularizers[knob.removeprefix("weight/")].weight
    check = getattr(trainer.augment, "check_schedulable", None)
    if check is None:
        raise ValueError(
            "training.schedules.augment_p: this augmentation has no probability; choose augment=ada "
            "augment.target=null"
        )
    check()
    return trainer.augment.configured_p


def _flattened(written: Mapping[str, Any], trainer: Any) -> dict[str, Any]:
    """Knob -> schedule, weights as "weight/NAME", knobs without a schedule left out; ValueError for other names."""
    known = (*_OPTIMIZER_KNOBS, *_OWN_KNOBS, "augment_p")
    flat = {knob: schedule for knob, schedule in written.items() if knob != "weight"}
    unknown = flat.keys() - set(known)
    if unknown:
        raise ValueError(
            f"training.schedules.{min(unknown)}: what can follow a schedule is {', '.join(known)}, weight.REGULARIZER"
        )
    regularizers = trainer.objective.regularizers
    weights = {
        name: schedule for name, schedule in (written.get("weight") or {}).items() if schedule is not None
    }
    for name in weights.keys() - regularizers.keys():
        chosen = ", ".join(regularizers) or "none"
        raise ValueError(f"training.schedules.weight.{name}: the regularizers of the run are {chosen}")
    flat |= {f"weight/{name}": schedule for name, schedule in weights.items()}
    return {knob: schedule for knob, schedule in flat.items() if schedule is not None}
