"""Two processes of which the second gets a signal; run by test_preemption.py.

python preemption_job.py FOLDER
"""

import os
import signal
import sys
from pathlib import Path

import torch
from pytorch_lightning import Callback
from toy import EachStep, fit, toy_gan

from vgen.callback.preemption import Preemption
from vgen.launch.processes import other_ranks


def main(folder: Path) -> None:
    torch.set_num_threads(1)

    def strike(trainer, module) -> None:
        if module.global_rank == 1 and module.iteration == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        (folder / f"rank{module.global_rank}").write_text(str(module.iteration))

    callbacks: list[Callback] = [Preemption(file=str(folder / "last.ckpt"), agree_every=3), EachStep(strike)]
    with other_ranks(2, [sys.executable, *sys.argv]):
        fit(
            toy_gan(), folder, 30, callbacks=callbacks, enable_checkpointing=True, devices=2,
            strategy="ddp_find_unused_parameters_true",
        )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
