"""A two-run multirun in Slurm: a requeue, a preemption, and the same weights as without either.

Started by scripts/test_slurm, which makes the cluster; not a pytest module.

    python tests/launch/slurm_sweep.py FOLDER
"""

import csv
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from vgen.training.checkpoint import read_checkpoint

COMMAND = [sys.executable, "-m", "vgen", "train"]
TRAIN = [
    "debug=fast", "clip.size=16", "generator.synthesis.base_channels=4",
    "discriminator.base_channels=4", "data.videos=12", "logger=csv",
    "callback=[checkpoint,preemption,export,provenance]", "checkpoint_every=0.4", "log_every=1",
]  # fmt: skip
SWEEP = ["-m", "seed=1,2", "kclips=1.2"]
EVERY = 400 // 4  # iterations between two checkpoints of the configuration above
SLURM = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=main", "hydra.launcher.cpus_per_task=1"]


def main(folder: Path) -> None:
    say("two runs without a cluster")
    subprocess.run([*COMMAND, *SWEEP, *TRAIN, f"output={folder / 'plain'}"], check=True, capture_output=True)

    say("the same two in Slurm")
    queued = folder / "slurm"
    output = (folder / "sweep.log").open("w")
    sweep = subprocess.Popen(
        [*COMMAND, *SWEEP, *TRAIN, *SLURM, f"output={queued}"], stdout=output, stderr=output
    )
    wait("both runs to be under way", lambda: all(rows(queued, n) > 15 for n in names(folder)), sweep)
    array = jobs()[0][0].split("_")[0]

    say(f"scontrol requeue {array}_0")
    subprocess.run(["scontrol", "requeue", f"{array}_0"], check=True)
    first = sorted(names(folder))[0]
    wait("its checkpoint", lambda: starts(queued, first) == 1 and reached(queued, first) > 0, sweep)
    wait("it to be continued", lambda: starts(queued, first) == 2, sweep)

    say("a job of a more important partition takes the node")
    subprocess.run(
        ["sbatch", "--partition=urgent", "--ntasks=2", "--wrap=sleep 3", f"--output={folder}/urgent.log"],
        check=True,
    )
    if sweep.wait(timeout=600):
        raise SystemExit(
            f"failed: the sweep ended with an error\n{(folder / 'sweep.log').read_text()[-3000:]}"
        )

    kills = 0
    for name in names(folder):
        provenance = json.loads((queued / name / "provenance.json").read_text())
        check("finished" in provenance, f"{name} is finished")
        stops = [round(one["at_kclips"] * 1000 / 4) for one in provenance["resumed"]]
        kills += len(stops)
        check(
            all(stop % EVERY for stop in stops),
            f"{name}: continued from checkpoints of the moment, at {stops}",
        )
        same(folder / "plain" / name, queued / name)
    check(kills >= 2, f"{kills} interruptions in all")
    two_tasks(folder)
    say("passed")


def two_tasks(folder: Path) -> None:
    """A job of two tasks equals two processes of vgen's own; USR1, as before the end of its time, is survived."""
    arguments = [*COMMAND, *TRAIN, "seed=1", "kclips=0.4"]
    say("a job of two tasks, trainer=slurm, that is told by USR1 to leave")
    subprocess.run(
        [*arguments, "trainer=ddp_cpu", f"output={folder / 'two'}"], check=True, capture_output=True
    )
    run = folder / "tasks"
    command = shlex.join(
        [*arguments, "trainer=slurm", "trainer.accelerator=cpu", "trainer.precision=32-true", f"output={run}"]
    )
    submit = ["sbatch", "--parsable", "--ntasks-per-node=2", "--nodes=1", "--requeue", "--open-mode=append"]
    job = subprocess.run(
        [*submit, f"--output={folder}/tasks.log", f"--wrap=srun {command}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    wait("it to be under way", lambda: rows(folder, "tasks") > 10)
    subprocess.run(["scancel", "--signal=USR1", job], check=True)
    wait("its end", lambda: not jobs())
    provenance = json.loads((run / "provenance.json").read_text())
    check("finished" in provenance and provenance["processes"] == 2, "it is finished, by two processes")
    stops = [round(one["at_kclips"] * 1000 / 4) for one in provenance["resumed"]]
    check(
        bool(stops) and all(stop % EVERY for stop in stops),
        f"continued from a checkpoint of the moment, at {stops}",
    )
    same(folder / "two", run)


def same(plain: Path, other: Path) -> None:
    one, two = (read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"] for run in (plain, other))
    check(all(torch.equal(value, two[key]) for key, value in one.items()), f"{other.name}: the same weights")
    check(table(plain) == table(other), f"{other.name}: the same metrics.csv")


def names(folder: Path) -> list[str]:
    return [f.name for f in (folder / "plain").iterdir() if f.is_dir()]


def rows(sweep: Path, name: str) -> int:
    file = sweep / name / "metrics.csv"
    return len(file.read_text().splitlines()) if file.exists() else 0


def starts(sweep: Path, name: str) -> int:
    try:
        return 1 + len(json.loads((sweep / name / "provenance.json").read_text())["resumed"])
    except OSError:
        return 0


def reached(sweep: Path, name: str) -> int:
    file = sweep / name / "checkpoints" / "last.ckpt"
    return read_checkpoint(file)["vgen"]["iteration"] if file.exists() else 0


def table(run: Path) -> list[dict[str, str]]:
    """metrics.csv without what depends on the machine."""
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if not k.startswith("speed/")} for row in csv.DictReader(file)]


def jobs() -> list[list[str]]:
    listed = subprocess.run(
        ["squeue", "--noheader", "--format=%i %T"], check=True, capture_output=True, text=True
    ).stdout
    return [line.split() for line in listed.splitlines()]


def wait(what: str, condition: Callable[[], bool], sweep: subprocess.Popen | None = None) -> None:
    say(f"waiting for {what}")
    for _ in range(1200):
        if condition():
            return
        if sweep is not None and sweep.poll() is not None:
            raise SystemExit(f"the sweep ended (code {sweep.returncode}) while waiting for {what}")
        time.sleep(0.25)
    raise SystemExit(f"gave up waiting for {what}; squeue: {jobs()}")


def check(true: bool, what: str) -> None:
    if not true:
        raise SystemExit(f"failed: not {what}")
    say(f"ok: {what}")


def say(line: str) -> None:
    print(f"slurm test: {line}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
