"""Runs `vgen train` again and again in processes of their own, each killed at a moment of its own (test_kill.py).

python kill_training_job.py FOLDER@MOMENT [FOLDER@MOMENT ...] -- ARGUMENTS OF VGEN TRAIN, WITH RUN FOR THE FOLDER

A moment is one of `killing.arm`; `end` is none. Processes are forked from one that has imported everything, which
takes most of the time. Prints how each ended.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from killing import ending

from vgen.cli import train  # noqa: F401  (imported once, for all)
from vgen.cli.main import main


def training(run: str, arguments: list[str]) -> None:
    os.environ["VGEN_FEATURES"] = f"{run}_features"
    main(["train", *(argument.replace("RUN", run) for argument in arguments)])


if __name__ == "__main__":
    split = sys.argv.index("--")
    for given in sys.argv[1:split]:
        run, moment = given.split("@")
        code = ending(
            lambda run=run: training(run, sys.argv[split + 1 :]), None if moment == "end" else moment
        )
        print(f"{given}={code}", flush=True)
