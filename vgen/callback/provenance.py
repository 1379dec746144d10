"""provenance.json: what made this run, so that its numbers can be trusted and made again."""

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer

from vgen.files import replacing
from vgen.protocol.score import versions
from vgen.training.video_gan import VideoGAN

PACKAGES = (
    "vgen", "torch", "pytorch-lightning", "hydra-core", "omegaconf", "torchmetrics", "wandb", "numpy", "av",
    "pillow",
)  # fmt: skip


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and uncommitted diff of the checkout that holds `folder`; None outside one."""

    def git(*arguments: str) -> str | None:
        try:
            command = ["git", "-C", str(folder), *arguments]
            return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return None

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit.strip(), "diff": git("diff", "HEAD") or ""}


def hardware() -> dict[str, Any]:
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


class Provenance(Callback):
    """Writes provenance.json when training starts and completes it when training ends.

    Args:
        file: where to write.
        seed: of the run.
    """

    def __init__(self, *, file: str, seed: int) -> None:
        self.file = Path(file)
        self.record: dict[str, Any] = {
            "command": shlex.join(sys.argv),
            "seed": seed,
            "git": git_state(Path(__file__).parent),
            "versions": versions(PACKAGES),
            "hardware": hardware(),
        }

    def on_train_start(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        earlier = self._earlier()
        self.record["data"] = trainer.datamodule.describe()  # type: ignore[attr-defined]
        self.record["parameters"] = {
            name: sum(p.numel() for p in getattr(pl_module, name).parameters())
            for name in ("generator", "discriminator")
        }
        self.record["processes"] = trainer.world_size
        self.record["precision"] = str(trainer.precision)
        # A run that is continued loads its own checkpoint.
        started_from = pl_module.started_from or earlier.get("started_from")
        if started_from is not None:
            self.record["started_from"] = started_from
        self.record["started"] = earlier.get("started", _now())
        resumed = earlier.get("resumed", [])
        self.record["resumed"] = [*resumed, {"at_kclips": pl_module.kclips, "on": _now()}] if earlier else []
        self._write(trainer)

    def _earlier(self) -> dict[str, Any]:
        """What an earlier start of the run has written."""
        try:
            earlier = json.loads(self.file.read_text()) if self.file.exists() else {}
        except ValueError:
            earlier = None
        if not isinstance(earlier, dict):
            raise ValueError(
                f"{self.file} is damaged: put back a good copy, or move it away to go on without it"
            )
        return earlier

    def on_train_end(self, trainer: Trainer, pl_module: VideoGAN) -> None:
        self.record |= {"finished": _now(), "kclips": pl_module.kclips}
        self._write(trainer)

    def on_exception(self, trainer: Trainer, pl_module: VideoGAN, exception: BaseException) -> None:
        self.record |= {"failed": str(exception).splitlines()[0] if str(exception) else repr(exception)}
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            with replacing(self.file) as partial:
                partial.write_text(json.dumps(self.record, indent=2))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
