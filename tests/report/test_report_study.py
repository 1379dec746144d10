import json
import sys

import pytest

from vgen.report import write_report
from vgen.report.study import read_studies, study_notes, study_sheet
from vgen.report.study_figure import study_figures

TRIALS = [
    {"number": 0, "state": "complete", "value": 30.0, "overrides": ["lr=0.001", "loss=hinge"]},
    {"number": 1, "state": "fail", "value": None, "overrides": ["lr=0.5", "loss=wgan"], "error": "x_0: NaN"},
    {"number": 2, "state": "complete", "value": 10.0, "overrides": ["lr=0.00030000001", "loss=a=b"]},
    {"number": 3, "state": "complete", "value": 20.0, "overrides": ["lr=0.002", "loss=wgan"]},
    {"number": 4, "state": "running", "value": None, "overrides": ["lr=0.004", "loss=wgan"]},
]


MANY = [{"number": n, "state": "complete", "value": float(n), "overrides": [f"lr={n}"]} for n in range(12)]


def write_study(folder, trials=TRIALS, mode="min"):
    folder.mkdir(parents=True, exist_ok=True)
    content = {"metric": "fvd/x", "mode": mode, "take": "last", "best": 2, "trials": trials}
    (folder / "study.json").write_text(json.dumps(content))
    return folder


def store(folder, values, name="any name"):
    """study.db of a search over two settings; `values`: (lr, loss) -> value."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=f"sqlite:///{folder / 'study.db'}", study_name=name)
    space = {
        "lr": optuna.distributions.FloatDistribution(0, 1),
        "loss": optuna.distributions.CategoricalDistribution(["hinge", "wgan"]),
    }
    for (lr, loss), value in values.items():
        study.add_trial(
            optuna.trial.create_trial(params={"lr": lr, "loss": loss}, distributions=space, value=value)
        )


def only(folder):
    (study,), problems = read_studies([folder])
    assert problems == []
    return study


@pytest.mark.parametrize(("mode", "order"), [("min", ["2", "3", "0"]), ("max", ["0", "3", "2"])])
def test_the_best_trials_come_first(tmp_path, mode, order):
    sheet = study_sheet(only(write_study(tmp_path, mode=mode)))
    assert sheet.names == order
    assert [heading.name for heading in sheet.headings] == ["fvd/x", "lr", "loss"]
    assert sheet.headings[0].arrow == {"min": "↓", "max": "↑"}[mode]
    assert [[cell.best for cell in line] for line in sheet.cells][:2] == [[True, False, False], [False] * 3]
    assert [cell.text for cell in sheet.cells[order.index("2")]] == ["10", "0.0003", "a=b"]


def test_notes_tell_states_and_failures(tmp_path):
    notes = study_notes(only(write_study(tmp_path)))
    assert notes[0].startswith("5 trials: 3 complete, 1 fail, 1 running; the 3 best are shown.")
    assert "last fvd/x" in notes[0]
    assert notes[-1] == "Failed: x_0: NaN (trial 1)"


def test_a_missing_database_is_told(tmp_path):
    study = only(write_study(tmp_path, MANY))
    assert any("there is no study.db" in note for note in study_notes(study))


def test_importance_finds_the_setting_that_matters(tmp_path):
    folder = write_study(tmp_path / "plain", MANY)
    store(folder, {(k / 12, ("hinge", "wgan")[k % 2]): (k / 12 - 0.5) ** 2 for k in range(12)})
    folder = folder.rename(tmp_path / "odd #? name%20")
    before = (folder / "study.db").read_bytes()
    study = only(folder)
    assert next(iter(study.importance)) == "lr"
    assert sum(study.importance.values()) == pytest.approx(1)
    assert study.importance["lr"] > 0.8
    assert (folder / "study.db").read_bytes() == before
    assert set(study_figures(study)) == {"history", "importance"}


def test_without_optuna_one_line_says_so(tmp_path, monkeypatch):
    folder = write_study(tmp_path, MANY)
    (folder / "study.db").touch()
    monkeypatch.setitem(sys.modules, "optuna", None)
    study = only(folder)
    assert study.importance == {}
    assert "No importance of the settings: it needs Optuna: pip install 'vgen[optuna]'." in study_notes(study)


@pytest.mark.parametrize("content", [b"", b"no database"])
def test_a_damaged_database_does_not_end_the_report(tmp_path, content):
    pytest.importorskip("optuna")
    folder = write_study(tmp_path, MANY)
    (folder / "study.db").write_bytes(content)
    study = only(folder)
    assert study.importance == {}
    assert study.unknown.startswith("Optuna says: ")
    assert "\n" not in study.unknown


def test_too_few_trials_have_no_importance(tmp_path):
    study = only(write_study(tmp_path))
    assert study.importance == {}
    assert study.unknown == "it needs 10 complete trials, there are 3"


@pytest.mark.parametrize("text", ["", "[]", '{"mode": "min"}', '{"metric": "a", "mode": "up", "trials": []}'])
def test_a_damaged_summary_becomes_a_problem(tmp_path, text):
    (tmp_path / "study.json").write_text(text)
    studies, problems = read_studies([tmp_path])
    assert studies == []
    assert problems[0].reason.startswith("study.json cannot be read: ")


def test_history_keeps_the_best_so_far_and_its_axis(tmp_path):
    values = [30.0, 20.0, 25.0, 1e6, 10.0, 22.0, 24.0, 21.0]
    trials = [{"number": n, "state": "complete", "value": v, "overrides": []} for n, v in enumerate(values)]
    (axes,) = study_figures(only(write_study(tmp_path, trials)))["history"].axes
    assert list(axes.lines[0].get_ydata()) == [30, 20, 20, 20, 10, 10, 10, 10]
    assert axes.get_ylim()[1] < 100


def test_a_search_without_complete_trials_has_no_figures(tmp_path):
    study = only(write_study(tmp_path, [TRIALS[1]]))
    assert study_figures(study) == {}
    assert study_sheet(study).cells == []


def test_the_report_shows_the_search(make_run, tmp_path):
    make_run("search/trial_0000", config={"seed": 0}, metrics={"fvd/x": 1.0})
    write_study(tmp_path / "runs" / "search")
    paths = write_report(tmp_path / "runs", tmp_path / "out")
    assert "## Search search" in paths.markdown.read_text()
    assert "Search search" in paths.html.read_text()
    assert (tmp_path / "out" / "figures" / "search_history.pdf").exists()
