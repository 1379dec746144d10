"""Runs read from W&B are the runs that their folders hold."""

import inspect
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import wandb
from fake_wandb import FakeApi, FakeRun
from wandb.errors import AuthenticationError, CommError, UsageError

from vgen.cli.main import main
from vgen.report.compare import make_rows
from vgen.report.runs import Run, read_runs
from vgen.report.scores import DURING_TRAINING
from vgen.report.table import score_table
from vgen.report.wandb_offline import read_offline
from vgen.report.wandb_project import fetch_project

TINY = [
    "debug=fast", "clip.size=16", "generator.synthesis.base_channels=4", "discriminator.base_channels=4",
    "protocol.count=6", "data.videos=12", "logger=[csv,wandb]", "kclips=0.008", "metric_every=0.004",
    "sample_every=0.004", "extractor=[random]", "best=fvd/random",
]  # fmt: skip


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("losses")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("VGEN_FEATURES", str(tmp_path_factory.mktemp("features")))
        main(["train", "-m", *TINY, f"output={folder}", "loss=hinge,wgan", "seed=1,2"])
    return folder


@pytest.fixture
def api(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi([FakeRun(folder) for folder in sorted(sweep.iterdir()) if folder.is_dir()])
    monkeypatch.setattr(wandb, "Api", fake)
    return fake


def runs_of(folders: list[Path]) -> dict[str, Run]:
    """W&B's id -> run."""
    return {run.config["run_id"]: run for run in read_runs(folders)[0]}


def table_of(folders: list[Path]) -> pd.DataFrame:
    return score_table(make_rows(read_runs(folders)[0])[0])


@pytest.mark.parametrize("source", ["server", "offline"])
def test_what_was_logged_is_what_the_folder_holds(
    sweep: Path, api: FakeApi, tmp_path: Path, source: str
) -> None:
    fetch = fetch_project("us/video", tmp_path) if source == "server" else read_offline(sweep, tmp_path)
    logged, own = runs_of(fetch), runs_of([sweep])
    assert logged.keys() == own.keys()
    for name, run in logged.items():
        there = own[name]
        assert run.config == there.config
        pd.testing.assert_frame_equal(run.curves, there.curves, check_like=True)
        assert run.finished
        assert (run.seed, run.kclips, run.data) == (there.seed, there.kclips, there.data)
        assert [file.name for file in run.samples] == ["000000.008.mp4"]
        assert run.samples[0].read_bytes() == there.samples[-1].read_bytes()

    columns = ["row", "metric", "n", "mean", "std", "low", "high", "seeds", "values"]
    mine, theirs = table_of(fetch), table_of([sweep])
    assert set(mine["row"]) == {"loss=hinge", "loss=wgan"}
    pd.testing.assert_frame_equal(mine[columns], theirs[columns])


def test_stamps_of_the_summary_are_told(api: FakeApi, tmp_path: Path) -> None:
    (stamp,) = set(table_of(fetch_project("us/video", tmp_path)).query("metric == 'fvd/random'")["stamp"])
    assert stamp.startswith(f"{DURING_TRAINING}: fvd[random-")


def test_numbers_of_different_protocols_never_share_a_column(api: FakeApi, tmp_path: Path) -> None:
    api.found[0].summary_metrics["protocol/id"] = "another"
    table = table_of(fetch_project("us/video", tmp_path)).query("metric == 'fvd/random'")
    assert len(set(table["protocol"])) == 2
    assert sorted(table["n"]) == [1, 1, 2]


def test_groups_sweeps_and_names_choose(sweep: Path, api: FakeApi, tmp_path: Path) -> None:
    first, *others = api.found
    assert len(fetch_project("us/video", tmp_path, group=f"train/{sweep.name}")) == 4
    assert api.filters == {"group": f"train/{sweep.name}"}
    assert len(fetch_project("us/video", tmp_path, names=[first.name, others[0].id])) == 2
    assert len(read_offline(sweep, tmp_path, names=[first.name, others[0].id])) == 2
    with pytest.raises(ValueError, match=r"^wandb=us/video: no run has group=g, sweep=s$"):
        fetch_project("us/video", tmp_path, group="g", sweep="s")
    with pytest.raises(ValueError, match=r"no run is called nobody; there are loss=hinge"):
        fetch_project("us/video", tmp_path, names=[first.id, "nobody"])
    with pytest.raises(ValueError, match=r"no run is called nobody; there are loss=hinge"):
        read_offline(sweep, tmp_path, names=["nobody"])
    with pytest.raises(ValueError, match="no run has group=g"):
        read_offline(sweep, tmp_path, group="g")


def test_what_is_known_is_not_asked_for_again(api: FakeApi, tmp_path: Path) -> None:
    still, running, *_ = api.found
    running.state = "running"
    fetch_project("us/video", tmp_path)
    assert still.asked[0] == "history"
    assert len(still.asked) == 2  # and the one sample that walls show
    still.asked.clear()
    running.asked.clear()
    fetch_project("us/video", tmp_path)
    assert (still.asked, running.asked) == ([], ["history"])
    still.heartbeat_at = "2030-01-02T00:00:00Z"
    fetch_project("us/video", tmp_path)
    assert still.asked == ["history"]


def test_a_diverged_and_a_crashed_run_are_told(api: FakeApi, tmp_path: Path) -> None:
    api.found[0].changes = {"fvd/random": "NaN"}
    api.found[1].state = "crashed"
    problems = {problem.run: problem.reason for problem in read_runs(fetch_project("us/video", tmp_path))[1]}
    assert [("not a finite number" in reason, "crashed" in reason) for reason in problems.values()] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            UsageError("No API key configured. Use `wandb login` to log in."),
            "not logged in to W&B: run `wandb login`",
        ),
        (AuthenticationError("API key is invalid"), "not logged in to W&B"),
        (ValueError("Could not find project video"), "no such project, or your W&B account may not read it"),
        (
            CommError("Max retries exceeded:\nconnection refused"),
            "could not be asked: Max retries exceeded: conn",
        ),
    ],
)
def test_what_wandb_complains_of_is_one_line(
    raised: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise raised

    monkeypatch.setattr(wandb, "Api", fail)
    with pytest.raises(ValueError, match=r"^wandb=us/video: ") as error:
        fetch_project("us/video", tmp_path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_fake_answers_what_the_real_one_answers() -> None:
    """Every name that is asked for exists in the installed wandb, with these arguments."""
    from wandb.apis.public import Api, File, Run, runs

    assert {"path", "filters", "lazy"} <= inspect.signature(Api.runs).parameters.keys()
    assert "timeout" in inspect.signature(Api.__init__).parameters
    assert {"root", "replace"} <= inspect.signature(File.download).parameters.keys()
    for name in (
        "id",
        "name",
        "url",
        "state",
        "config",
        "summary_metrics",
        "scan_history",
        "file",
        "logged_artifacts",
    ):
        assert hasattr(Run, name), name
    for field in ("createdAt", "heartbeatAt", "commit"):
        assert field in runs.RUN_FRAGMENT


@pytest.mark.parametrize("project", ["a/b/c", "/b", "a/"])
def test_a_name_that_is_no_project_is_refused(project: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not of the form ENTITY/PROJECT"):
        fetch_project(project, tmp_path)


def test_a_folder_without_files_of_wandb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no offline-run"):
        read_offline(tmp_path, tmp_path)


def test_the_command_reports_a_project(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["report", "wandb=us/video", f"cache={tmp_path / 'cache'}", "baseline=loss=hinge"])
    assert "report_video/report.html" in capsys.readouterr().out
    page = (tmp_path / "report_video" / "report.html").read_text()
    assert "https://wandb.example/us/video/runs/" in page
    assert page.count("<video") == 4
    assert "read from W&amp;B, where its checkpoint is not" in page
