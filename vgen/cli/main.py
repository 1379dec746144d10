"""The `vgen` command: picks the application to run."""

import difflib
import os
import sys
from collections.abc import Callable
from importlib import import_module

from hydra.core.global_hydra import GlobalHydra

from vgen import __version__
from vgen.cli.errors import telling
from vgen.cli.quoting import quote_argument
from vgen.cli.resume import resumed_arguments

COMMANDS = {
    "train": "train a video GAN, or a multirun of them (-m)",
    "sample": "write clips from a trained generator",
    "project": "find the codes of a real video in a generator's latent space",
    "prepare": "pack videos for training, look at them, or fetch a public dataset",
    "evaluate": "metrics of a model, or of two folders of videos",
    "audit": "what metrics notice of damaged clips; selftest=true: golden values",
    "report": "tables, curves and samples of runs as one page",
    "paper": "all runs, evaluations and tables of a paper from one manifest",
    "reproduce": "make a run again from its folder, and compare",
}


def main(arguments: list[str] | None = None) -> None:
    """Run `vgen COMMAND key=value ...`; exits with 1 after an error, 2 after a misuse of the command line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        raise SystemExit(0 if arguments else 2)
    if arguments[0] in ("-V", "--version"):
        print(f"vgen {__version__}")
        raise SystemExit(0)
    command = arguments[0]
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        print(f"vgen: error: no command {command!r}; there are {', '.join(COMMANDS)}.{hint}", file=sys.stderr)
        raise SystemExit(2)
    given = arguments[1:]
    if command == "train":
        with telling(command):
            given = resumed_arguments(given)
    run_application(import_module(f"vgen.cli.{command}").application, command, given)


def _is_override(argument: str) -> bool:
    """`key=value` (not `--flag=value`), after which nothing else may come."""
    return "=" in argument and not argument.startswith("-")


def usage() -> str:
    lines = [f"  {name:<11}{what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "usage: vgen COMMAND [key=value ...]",
            "",
            *lines,
            "",
            "vgen COMMAND --help shows what a command takes.",
        ]
    )


def run_application(application: Callable[[], None], command: str, arguments: list[str]) -> None:
    """Run a Hydra application on `arguments`; what the user can mend is said in one line."""
    # Hydra's parser stumbles over flags after the first override.
    sys.argv = [f"vgen {command}", *sorted(map(quote_argument, arguments), key=_is_override)]
    # Hydra would print its own form of every error; with this it raises them.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        with telling(command):
            application()
    finally:
        GlobalHydra.instance().clear()
