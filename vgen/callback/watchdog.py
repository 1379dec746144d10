"""Looks after an unattended run: NaN, exploding gradients, collapse, stalls and leaks are told, logged and acted on."""

import logging
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from vgen.callback.checkpoint import KeepEvery
from vgen.callback.diversity import clip_diversity
from vgen.callback.symptoms import Explosion, Growth, Saturation, Shrinkage, Symptom
from vgen.training.checkpoint import read_checkpoint
from vgen.training.video_gan import VideoGAN

log = logging.getLogger("vgen")

Action = Literal["ignore", "warn", "rollback", "stop"]
PLAYERS = {"g": "generator", "d": "discriminator"}
# In the order in which they are told; an action on the first says nothing of the others.
CONDITIONS = ("non_finite", "explosion", "saturation", "collapse", "stall", "leak")

# A run may be continued on another machine: its speed and memory there are no fault of the run.
OF_THE_PROCESS = ("stall", "leak")


class Looks(NamedTuple):
    """What is looked at after an iteration: losses for NaN, weights for NaN, scalars, the diversity of clips."""

    losses: bool
    weights: bool
    scalars: bool
    diversity: bool


class Watchdog(Callback):
    """Looks at the run at every logging event and takes the action chosen for what it finds.

    Every condition is logged as `watchdog/<condition>` (1 when found) and told in one line with what to do. Actions:
    "warn" tells; "stop" ends the run in an orderly way, last checkpoint included; "rollback" puts networks,
    optimizers, average and augmentation back to the last checkpoint and goes on with the data that come next (the
    same data again would end in the same place), at most `rollbacks` times, then stops; "ignore" does not look.
    All processes take the same action.

    Args:
        non_finite: a loss or weight is NaN or infinite. Without rollback the run fails, as it does without watchdog.
        explosion: the gradient norm of a player is above `explosion_factor` times its recent median. Norms are
            logged as `gradient/g` and `gradient/d`.
        saturation: the adversarial loss of D stays below `saturated_below` for `patience` looks.
        collapse: the diversity of clips from fixed latents (mean distance between pairs, in [0, 1], logged as
            `watchdog/diversity`) falls below `collapse_fraction` of the largest it was.
        stall: clips per second stay below `stall_fraction` of the best for `patience` looks.
        leak: memory of the process (and of the device) grows by `leak_factor` after the first looks.
        explosion_factor, saturated_below, collapse_fraction, stall_fraction, leak_factor, patience: see above.
        diversity_every: iterations between two measurements of diversity.
        frames, stride: of the clips whose diversity is measured.
        rollbacks: how often a run may be put back.
        folder: of the checkpoints, where `last.ckpt` is.
        seed: of the fixed latents.

    Raises:
        ValueError: an unknown action, or "rollback" without a checkpoint folder.
    """

    def __init__(
        self,
        *,
        folder: str,
        frames: int,
        stride: int = 1,
        non_finite: Action = "stop",
        explosion: Action = "warn",
        saturation: Action = "warn",
        collapse: Action = "warn",
        stall: Action = "warn",
        leak: Action = "warn",
        explosion_factor: float = 100.0,
        saturated_below: float = 0.02,
        collapse_fraction: float = 0.2,
        stall_fraction: float = 0.25,
        leak_factor: float = 1.5,
        patience: int = 10,
        diversity_every: int = 1000,
        rollbacks: int = 3,
        seed: int = 0,
    ) -> None:
        chosen = (non_finite, explosion, saturation, collapse, stall, leak)
        self.actions: dict[str, Action] = dict(zip(CONDITIONS, chosen, strict=True))
        for condition, action in self.actions.items():
            if action not in ("ignore", "warn", "rollback", "stop"):
                raise ValueError(f"watchdog.{condition}={action!r}: choose ignore, warn, rollback or stop")
        self.folder = Path(folder)
        self.frames, self.stride, self.seed = frames, stride, seed
        self.diversity_every, self.rollbacks = diversity_every, rollbacks
        self.symptoms: dict[str, Symptom] = {
            "gradient/g": Explosion(factor=explosion_factor),
            "gradient/d": Explosion(factor=explosion_factor),
            "saturation": Saturation(below=saturated_below, patience=patience),
            "collapse": Shrinkage(fraction=collapse_fraction),
            "stall": Shrinkage(fraction=stall_fraction, patience=patience),
            "leak": Growth(factor=leak_factor),
        }
        self.put_back = 0
        self._norms: dict[str, Tensor] = {}
        self._since = time.perf_counter()
        self._looked_at = 0

    # What Lightning calls

    def on_train_start(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        # With rollback the watchdog, and not the module, meets NaN first.
        pl_module.stop_at_non_finite = self.actions["non_finite"] != "rollback"
        self._since, self._looked_at = time.perf_counter(), pl_module.iteration

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: VideoGAN, optimizer: Optimizer) -> None:
        if self.actions["explosion"] == "ignore" or (pl_module.iteration + 1) % pl_module.log_every:
            return
        first = optimizer.param_groups[0]["params"][0]
        player = "g" if any(first is p for p in pl_module.generator.parameters()) else "d"
        gradients = [
            p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
        ]
        if gradients:
            self._norms[f"gradient/{player}"] = nn.utils.get_total_norm(gradients).detach()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        looks = self._due(trainer, pl_module)
        if not any(looks):
            return
        found = _on_any_process(trainer, pl_module, self._found(trainer, pl_module, looks))
        for condition, said in found.items():
            log.warning("%s (%g kclips): %s", condition, pl_module.kclips, said)
        if found:
            pl_module.log_everywhere({f"watchdog/{condition}": 1.0 for condition in found})
        actions = {self.actions[condition] for condition in found}
        if "rollback" in actions:
            self._roll_back(trainer, pl_module, found)
        elif "stop" in actions:
            trainer.should_stop = True
            log.warning("the watchdog stops the run: %s", ", ".join(found))

    def _due(self, trainer: Trainer, pl_module: VideoGAN) -> Looks:
        logged = pl_module.iteration % pl_module.log_every == 0
        diverse = pl_module.iteration % self.diversity_every == 0 and self.actions["collapse"] != "ignore"
        unguarded = self.actions["non_finite"] == "rollback"
        # Lightning calls checkpoint callbacks last: what is broken must be found before they refuse to write it.
        weights = unguarded and (logged or _saves(trainer, pl_module))
        return Looks(weights or (unguarded and pl_module.device.type == "cpu"), weights, logged, diverse)

    def state_dict(self) -> dict[str, Any]:
        return {
            "put_back": self.put_back,
            "history": {
                name: list(symptom.history)
                for name, symptom in self.symptoms.items()
                if name not in OF_THE_PROCESS
            },
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.put_back = int(state_dict["put_back"])
        for name, history in state_dict["history"].items():
            if name not in OF_THE_PROCESS:  # older checkpoints have them
                self.symptoms[name].history = [float(value) for value in history]

    # Looking

    def _found(self, trainer: Trainer, pl_module: VideoGAN, looks: Looks) -> dict[str, str]:
        """Condition -> what is wrong, of this process."""
        found: dict[str, str] = {}
        if looks.losses:
            broken = pl_module.first_non_finite(looks.weights)
            if broken is not None:
                found["non_finite"] = f"{broken[0]} became NaN or infinite at iteration {broken[1]}"
        if looks.scalars:
            self._look_at_gradients(pl_module, found)
            self._look_at_scalars(trainer, pl_module, found)
        if looks.diversity:
            # measured by every process whatever it has found: the average may be sharded between them
            diversity = clip_diversity(
                trainer, pl_module.averaged(), frames=self.frames, stride=self.stride, seed=self.seed
            )
            if not found:
                pl_module.log_everywhere({"watchdog/diversity": diversity})
                advice = "the generator may have collapsed: look at samples/"
                self._ask(found, "collapse", diversity, "the diversity of generated clips", advice)
        return found

    def _look_at_gradients(self, pl_module: VideoGAN, found: dict[str, str]) -> None:
        norms = {name: float(norm) for name, norm in self._norms.items()}
        self._norms = {}
        if norms:
            pl_module.log_everywhere(norms)
        for name, norm in norms.items():
            said = self.symptoms[name].look(norm)
            if said:
                found["explosion"] = (
                    f"the {PLAYERS[name[-1]]}'s gradient norm {said}; lower its learning rate or set training.clip_norm"
                )

    def _look_at_scalars(self, trainer: Trainer, pl_module: VideoGAN, found: dict[str, str]) -> None:
        losses = [float(v) for name, v in trainer.callback_metrics.items() if name.startswith("loss/d_")]
        if losses:
            advice = "weaken D: regularizer=r1, a lower learning rate, augment=diffaugment"
            self._ask(found, "saturation", sum(losses), "D's loss", advice)
        now = time.perf_counter()
        clips = (pl_module.iteration - self._looked_at) * pl_module.clips_per_step
        speed = clips / max(now - self._since, 1e-9)
        self._since, self._looked_at = now, pl_module.iteration
        self._ask(
            found, "stall", speed, "clips per second", "is another job on this machine, or the disk slow?"
        )
        self._ask(found, "leak", _memory(pl_module.device), "memory in GB", "it may run out")

    def _ask(self, found: dict[str, str], condition: str, value: float, what: str, advice: str) -> None:
        if self.actions[condition] == "ignore":
            return
        said = self.symptoms[condition].look(value)
        if said:
            found[condition] = f"{what} {said}; {advice}"

    # Acting

    def _roll_back(self, trainer: Trainer, pl_module: VideoGAN, found: dict[str, str]) -> None:
        file = self.folder / "last.ckpt"
        broken = ", ".join(found)
        if not file.is_file() or self.put_back >= self.rollbacks:
            why = (
                "there is no checkpoint yet"
                if not file.is_file()
                else f"it was put back {self.put_back} times"
            )
            pl_module.stop_at_non_finite = True
            trainer.should_stop = True
            log.warning("the watchdog stops the run: %s, and %s", broken, why)
            if "non_finite" in found:
                pl_module.check_finite(weights=True)
            return
        checkpoint = read_checkpoint(file)
        trainer.strategy.load_model_state_dict(checkpoint)
        trainer.strategy.load_optimizer_state_dict(checkpoint)
        pl_module.scalars.flush()
        self.put_back += 1
        log.warning(
            "the watchdog put the run back to %s (%g kclips) because of %s; it goes on with the next clips",
            file,
            checkpoint["vgen"]["iteration"] * pl_module.clips_per_step / 1000,
            broken,
        )


def _saves(trainer: Trainer, pl_module: VideoGAN) -> bool:
    """Whether a checkpoint is written after this iteration."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, KeepEvery):
            due = callback.due(pl_module)
        else:
            every = getattr(callback, "_every_n_train_steps", 0)
            due = bool(every) and trainer.global_step % every == 0
        if due:
            return True
    return False


def _on_any_process(trainer: Trainer, pl_module: VideoGAN, found: dict[str, str]) -> dict[str, str]:
    """What any process has found, so that all act alike; a line of another process is told there."""
    if trainer.world_size == 1:
        return found
    flags = torch.tensor([float(condition in found) for condition in CONDITIONS], device=pl_module.device)
    torch.distributed.all_reduce(flags, op=torch.distributed.ReduceOp.MAX)
    return {
        condition: found.get(condition, "found on another process")
        for condition, flag in zip(CONDITIONS, flags.tolist(), strict=True)
        if flag
    }


def _memory(device: torch.device) -> float:
    """Gigabytes that this process holds: on the device if it is one of its own, else resident in RAM."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / 1e9
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):  # no /proc on this system
        return 0.0
    return pages * 4096 / 1e9
