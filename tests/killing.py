"""Processes that kill themselves at a chosen moment: nothing they do is finished or cleared up."""

import importlib
import os
import signal
from collections.abc import Callable
from typing import Any


def arm(moment: str) -> None:
    """Let this process, and what it started, die at `module:function:N:before` or `...:after`, its N-th call."""
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


def ending(action: Callable[[], object], moment: str | None = None) -> int:
    """Exit code of a process of its own that does `action`: minus the signal that ended it, 1 after an error."""
    process = os.fork()
    if process == 0:
        os.setsid()
        try:
            if moment is not None:
                arm(moment)
            action()
        except BaseException as error:
            print(f"{moment}: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
