"""The search as Optuna sees it, with jobs that only compute: spaces, resuming, failures, seeds."""

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from vgen.config import ConfigError
from vgen.launch.jobs import Ended, Job, Jobs, SweepError
from vgen.launch.search import Search
from vgen.launch.space import distribution, word

optuna = pytest.importorskip("optuna")
PARSER = OverridesParser.create()


class Killed(BaseException):
    pass


class Computed(Jobs):
    """Jobs without a launcher: x -> (log10(x) + 2)^2 + seed; "bad" fails; ends the process at job `until`."""

    def __init__(self, folder: Path, until: int | None = None) -> None:
        self.folder = folder
        self.until = until
        self.ran: list[Job] = []

    def parse(self, space, arguments: Sequence[str]) -> list[Override]:
        return PARSER.parse_overrides([*(f"{k}={v}" for k, v in (space or {}).items()), *arguments])

    def check(self, jobs: Sequence[Job]) -> None:
        self.checked = list(jobs)

    def begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def launch(self, jobs: Sequence[Job]) -> list[Ended]:
        ended = []
        for job in jobs:
            if self.until is not None and len(self.ran) >= self.until:
                raise Killed
            self.ran.append(job)
            values = dict(w.split("=", 1) for w in job.overrides)
            if values.get("loss") == "bad":
                ended.append(Ended(job, None, "diverged"))
            else:
                value = (math.log10(float(values["x"])) + 2) ** 2 + float(values.get("seed", 0))
                ended.append(Ended(job, value, None))
        return ended


SPACE = {"x": "tag(log,interval(1e-5,1))"}


def search(folder: Path, *words: str, until: int | None = None, **settings) -> tuple[Search, Computed]:
    settings = {"sampler": "tpe", "trials": 14, "metric": "fvd/embedded", "space": SPACE} | settings
    made = Search(**settings)
    jobs = made.jobs = Computed(folder, until)
    made.sweep(list(words))
    return made, jobs


def trials(folder: Path) -> list[dict]:
    return json.loads((folder / "study.json").read_text())["trials"]


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_killed_search_ends_as_one_that_was_not(tmp_path: Path, parallel: int) -> None:
    _, whole = search(tmp_path / "whole", parallel=parallel)
    for until in (3, 5, 4):
        with pytest.raises(Killed):
            search(tmp_path / "parts", parallel=parallel, until=until)
    search(tmp_path / "parts", parallel=parallel)
    assert trials(tmp_path / "parts") == trials(tmp_path / "whole")
    assert [job.folder for job in whole.ran] == [f"trial_{n:04d}" for n in range(14)]


def test_an_interrupted_trial_is_run_again_in_its_folder(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        search(tmp_path, until=2)
    _, again = search(tmp_path, trials=4)
    assert [job.folder for job in again.ran] == ["trial_0002", "trial_0003"]
    _, more = search(tmp_path, trials=4)
    assert more.ran == []


def test_tpe_learns_and_random_does_not_depend_on_history(tmp_path: Path) -> None:
    search(tmp_path / "tpe", trials=40, storage="sqlite:///:memory:")
    values = [t["value"] for t in trials(tmp_path / "tpe")]
    assert sorted(values[20:])[10] < 0.5 * sorted(values[:10])[5]
    search(tmp_path / "a", sampler="random", trials=5)
    search(tmp_path / "b", sampler="random", trials=5, parallel=5)
    assert [t["overrides"] for t in trials(tmp_path / "a")] == [
        t["overrides"] for t in trials(tmp_path / "b")
    ]
    search(tmp_path / "c", sampler="random", trials=5, seed=1)
    assert trials(tmp_path / "c") != trials(tmp_path / "a")


def test_failed_trials_are_recorded_and_do_not_end_it(tmp_path: Path) -> None:
    search(tmp_path, "loss=bad,good", trials=8)
    found = trials(tmp_path)
    failed = [t for t in found if t["state"] == "fail"]
    assert 0 < len(failed) < len(found) == 8
    assert all(t["error"].endswith(": diverged") and t["value"] is None for t in failed)


def test_only_failed_trials_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"all 3 trials failed; the first: trial_0000: diverged"):
        search(tmp_path, "loss=bad", trials=3)


def test_seeds_are_averaged(tmp_path: Path) -> None:
    _, jobs = search(tmp_path, trials=2, seeds=[1, 2, 6])
    assert [job.folder for job in jobs.ran[:3]] == [f"trial_0000_seed_{s}" for s in (1, 2, 6)]
    first = trials(tmp_path)[0]
    assert first["value"] == pytest.approx(sum(first["values"]) / 3)
    assert first["values"][2] - first["values"][0] == pytest.approx(5)


@pytest.mark.parametrize(
    ("words", "settings", "message"),
    [
        (["width=32"], {}, "fixed differ"),
        (["y=interval(0,1)"], {}, "space differ"),
        ([], {"metric": "kvd/embedded"}, "metric differ"),
        ([], {"take": "last"}, "metric differ"),
    ],
)
def test_another_search_in_the_same_folder_is_refused(
    tmp_path: Path, words: list[str], settings: dict, message: str
) -> None:
    search(tmp_path, trials=1)
    with pytest.raises(SweepError, match=message):
        search(tmp_path, *words, trials=2, **settings)
    search(tmp_path, "trainer.devices=2", "output=elsewhere", trials=2)  # length and place may change


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": "cma"}, r"sweep\.sampler=cma: choose tpe or random"),
        ({"take": "first"}, r"sweep\.take=first"),
        ({"trials": 0}, r"sweep\.trials=0"),
        ({"metric": "loss/g"}, r"sweep\.metric=loss/g: is low or high better"),
        ({"space": {}}, "nothing to search"),
        ({"space": {"x": "tag(log,interval(0,1))"}}, r"x=tag\(log,interval\(0,1\)\): cannot be searched"),
        ({"space": {"x": "range(1,2)"}}, "two values or more"),
    ],
)
def test_searches_that_cannot_work_are_refused(tmp_path: Path, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(tmp_path, **settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval(0,1)", optuna.distributions.FloatDistribution(0, 1)),
        ("tag(log,interval(1e-5,1e-2))", optuna.distributions.FloatDistribution(1e-5, 1e-2, log=True)),
        ("int(interval(1,9))", optuna.distributions.IntDistribution(1, 9)),
        ("tag(log,int(interval(1,64)))", optuna.distributions.IntDistribution(1, 64, log=True)),
        ("range(8,64,8)", optuna.distributions.IntDistribution(8, 56, step=8)),
        ("range(9,1,-4)", optuna.distributions.IntDistribution(5, 9, step=4)),
        ("range(0.5,2,0.5)", optuna.distributions.FloatDistribution(0.5, 1.5, step=0.5)),
        ("hinge,wgan", optuna.distributions.CategoricalDistribution(["hinge", "wgan"])),
        ("choice([r1],[r1,classification])",
         optuna.distributions.CategoricalDistribution(["[r1]", "[r1,classification]"])),
    ],
)  # fmt: skip
def test_spaces_in_the_words_of_the_command_line(text: str, expected: object) -> None:
    assert distribution(PARSER.parse_override(f"k={text}")) == expected


@pytest.mark.parametrize(
    ("value", "text"), [(1e-05, "k=1e-05"), (0.1, "k=0.1"), (3, "k=3"), ("[r1]", "k=[r1]")]
)
def test_drawn_values_survive_the_command_line(value: object, text: str) -> None:
    assert word("k", value) == text
    parsed = PARSER.parse_override(text).value()
    assert parsed == (["r1"] if value == "[r1]" else value)


def test_every_choice_is_composed_before_the_first_trial(tmp_path: Path) -> None:
    _, jobs = search(tmp_path, "loss=a,b,c", trials=1)
    assert {w for job in jobs.checked for w in job.overrides if w.startswith("loss=")} == {
        "loss=a",
        "loss=b",
        "loss=c",
    }


def test_a_search_in_use_is_left_alone(tmp_path: Path) -> None:
    search(tmp_path, trials=1)
    other = (
        "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX)\n"
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", other, str(tmp_path / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(ConfigError, match="works on"):
            search(tmp_path, trials=2)
        process.kill()
    assert len(trials(tmp_path)) == 1
    search(tmp_path, trials=2)
    assert len(trials(tmp_path)) == 2
