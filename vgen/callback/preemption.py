"""A cluster wants its machine back: write a checkpoint first, then go.

Slurm sends SIGTERM before a requeue or a preemption and, if asked (`sbatch --signal=USR1@120`), USR1 before the time
is up; submitit uses USR2. Lightning's own handlers save from inside the signal handler, in the middle of a step and on
each process by itself; here the running iteration is completed and all processes stop after the same one. Ctrl-C does
the same; given again it ends the run at once.
"""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint

from vgen.training.video_gan import VideoGAN

log = logging.getLogger("vgen")

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_STOPPING = b"\nvgen: stopping after this iteration, with a checkpoint; Ctrl-C again stops at once, without\n"


class Preempted(SystemExit):
    """Ends the process as the signal would have; neither a failure of the run nor caught as one by a sweep."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number).name}; the same command continues"


class Preemption(
    Checkpoint
):  # Lightning calls checkpoint callbacks last: all else of the iteration is then done
    """Writes `file` and ends the process after the iteration in which a signal came.

    A handler that was there before training is called after the checkpoint; submitit's puts the job back into the
    queue when its time is up. Otherwise, and with `requeue`, Slurm is asked to do so: a job that leaves within the
    grace time of a preemption would count as ended.

    Args:
        file: the checkpoint from which the same command continues.
        requeue: whether to ask Slurm, for a job that it has not taken down by itself.
        agree_every: iterations after which several processes ask each other whether a signal came.
    """

    def __init__(self, *, file: str, requeue: bool = True, agree_every: int = 10) -> None:
        if agree_every < 1:
            raise ValueError(f"agree_every={agree_every}: must be at least 1")
        self.file = Path(file)
        self.requeue, self.agree_every = requeue, agree_every
        self._came: int | None = None
        self._before: dict[int, Any] = {}

    def setup(self, trainer: Trainer, pl_module: VideoGAN, stage: str) -> None:
        # Lightning sets its own handlers after this hook, and takes them back at the end.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not in a shell's background
                self._before[signal.SIGINT] = signal.default_int_handler

    def on_train_start(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        for number in self._before:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self._came == number:
                self._restore()
                raise KeyboardInterrupt
            os.write(2, _STOPPING)  # not by print or logging, which this may interrupt
        self._came = number

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: VideoGAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # A run that is complete anyway ends by itself in a moment.
        if self._agree(trainer, pl_module) and trainer.global_step < trainer.max_steps:
            trainer.save_checkpoint(self.file)
            self._leave(trainer, pl_module)

    def _agree(self, trainer: Trainer, pl_module: VideoGAN) -> bool:
        if trainer.world_size == 1:
            return self._came is not None
        if pl_module.iteration % self.agree_every:
            return False
        return trainer.strategy.reduce_boolean_decision(self._came is not None, all=False)

    def _leave(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        number = self._came or signal.SIGTERM
        if trainer.is_global_zero:
            log.warning(
                "%s: wrote %s at %g kclips; the same command continues",
                signal.Signals(number).name, self.file, pl_module.kclips,
            )  # fmt: skip
        before: Callable[..., Any] | int | None = self._before.get(number)
        self._restore()
        if number == signal.SIGINT:
            raise Preempted(number)
        if callable(before):
            before(number, None)
        if self.requeue and trainer.is_global_zero and (number == signal.SIGTERM or not callable(before)):
            _requeue()
        raise Preempted(number)

    def on_train_end(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        self._restore()

    def on_exception(self, trainer: Trainer, pl_module: VideoGAN, exception: BaseException) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def _requeue() -> None:
    """Ask Slurm to run this job again, if it is one that counts as running: not one that was cancelled."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = f"{array}_{os.environ.get('SLURM_ARRAY_TASK_ID')}" if array else os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    try:
        if _slurm("squeue", "--noheader", "--format=%T", f"--jobs={job}").strip() == "RUNNING":
            _slurm("scontrol", "requeue", job)
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        log.error("Slurm job %s could not be put back into the queue: %s", job, detail.strip())


def _slurm(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
