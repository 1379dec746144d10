"""Runs `vgen train` again and again in processes of their own, each killed at a moment of its own (test_kill.py).

python kill_training_job.py FOLDER@MOMENT [FOLDER@MOMENT ...] -- ARGUMENTS OF VGEN TRAIN, WITH RUN FOR THE FOLDER

A moment is `module:function:N:before` or `...:after`: the N-th call of that function in that process; `end` is none.
Processes are forked from one that has imported everything, which takes most of the time. Prints how each ended.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from vgen.cli import train  # noqa: F401  (imported once, for all)
from vgen.cli.main import main


def arm(moment: str) -> None:
    """Let the process kill itself, and what it started, at this moment: nothing it does is finished or cleared up."""
    module, path, number, when = moment.split(":")
    *owners, name = path.split(".")
    owner = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == int(number) and when == "before":
            os.killpg(0, signal.SIGKILL)
        result = original(*args, **kwargs)
        if calls == int(number) and when == "after":
            os.killpg(0, signal.SIGKILL)
        return result

    setattr(owner, name, called)


def ended(run: str, moment: str, arguments: list[str]) -> int:
    """Exit code of one process: minus the signal that ended it."""
    process = os.fork()
    if process == 0:
        os.setsid()
        os.environ["VGEN_FEATURES"] = f"{run}_features"
        try:
            if moment != "end":
                arm(moment)
            main(["train", *(argument.replace("RUN", run) for argument in arguments)])
        except BaseException as error:
            print(f"{moment}: {error!r}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    split = sys.argv.index("--")
    for given in sys.argv[1:split]:
        run, moment = given.split("@")
        print(f"{given}={ended(run, moment, sys.argv[split + 1 :])}", flush=True)
