import json

import numpy as np
import pandas as pd
import pytest

from vgen.report.runs import find_run_folders, natural_key, read_runs
from vgen.report.scores import DURING_TRAINING, training_scores

CONFIG = {"seed": 0}


def read_one(path):
    runs, problems = read_runs([path])
    assert len(runs) == 1
    return runs[0], [problem.reason for problem in problems]


def test_finds_runs_below_in_natural_order_and_the_folder_itself(make_run, tmp_path):
    for name in ("multi/10_b", "multi/9_a", "multi/.hydra"):
        make_run(name, config=CONFIG)
    make_run("multi/9_a/wandb/files", config=CONFIG)
    (tmp_path / "runs" / "multi" / "config.yaml").write_text("a: 1")  # no run: nothing was logged there
    found = list(find_run_folders(tmp_path / "runs"))
    assert [path.name for path in found] == ["9_a", "10_b"]
    assert list(find_run_folders(found[0])) == [found[0]]
    runs, _ = read_runs([tmp_path / "runs", found[0]])
    assert [run.name for run in runs] == ["multi/9_a", "multi/10_b"]


def test_no_runs_and_no_folder_are_one_line(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(FileNotFoundError, match="runs=") as caught:
            read_runs([folder])
        assert "\n" not in str(caught.value)


def test_rows_of_one_clock_are_merged_and_short_rows_padded(make_run):
    csv = "kclips,iteration,loss/d,fvd/embedded\n1,10,0.5\n2,20,0.25,\n2,20,,90\n"
    run, problems = read_one(make_run("a", config=CONFIG, csv=csv))
    assert problems == []
    assert run.curves.index.tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(run.curves["loss/d"], [0.5, 0.25])
    np.testing.assert_array_equal(run.curves["fvd/embedded"], [np.nan, 90.0])


def test_what_a_resumed_run_repeats_replaces_what_it_logged_before(make_run):
    csv = "kclips,loss/d\n1,11\n2,12\n3,13\n2,22\n4,24\n"
    run, _ = read_one(make_run("a", config=CONFIG, csv=csv))
    assert run.curves["loss/d"].to_dict() == {1.0: 11, 2.0: 22, 4.0: 24}


def test_a_run_without_evaluation_shows_its_last_training_numbers(make_run):
    csv = "kclips,loss/d,fvd/embedded,inception_score/embedded,mine/x\n1,1,100,2,7\n2,1,90,3,8\n3,1,,,\n"
    run, _ = read_one(make_run("a", config=CONFIG, csv=csv))
    shown = {m.metric: (m.stamp, score.value, score.higher_is_better) for m, score in run.scores.items()}
    assert shown == {
        "fvd/embedded": (DURING_TRAINING, 90, False),
        "inception_score/embedded": (DURING_TRAINING, 3, True),
    }


def test_metrics_that_another_run_evaluated_are_recognised_in_the_csv(make_run, tmp_path):
    make_run("a", config=CONFIG, metrics={"mine/x": 1.0}, higher_is_better=True)
    make_run("b", config=CONFIG, csv="kclips,mine/x\n1,5\n")
    _, b = read_runs([tmp_path / "runs"])[0]
    assert [(m.metric, s.value, s.higher_is_better) for m, s in b.scores.items()] == [("mine/x", 5, True)]


def test_evaluated_runs_show_no_training_numbers(make_run):
    run, _ = read_one(
        make_run("a", config=CONFIG, csv="kclips,fvd/embedded\n1,5\n", metrics={"fvd/embedded": 7.0})
    )
    assert [score.value for score in run.scores.values()] == [7.0]


def test_a_metric_that_ended_in_nan_gives_no_number(make_run):
    run, problems = read_one(
        make_run("a", config=CONFIG, csv="kclips,fvd/x,loss/d\n1,5,1\n2,nan,1\n3,inf,1\n")
    )
    assert run.scores == {}
    assert run.curves["fvd/x"].dropna().tolist() == [5]
    assert problems == ["fvd/x is not a finite number from 2 kclips on (2 times)"]


@pytest.mark.parametrize(
    ("csv", "reason"),
    [
        (None, "no metrics.csv"),
        ("", "metrics.csv is empty"),
        ("kclips,loss/d\n", "metrics.csv has no rows"),
        ("step,loss/d\n1,2\n", "no column kclips"),
        ("kclips,loss/d\n1,2,3\n", "metrics.csv cannot be read"),
        ("kclips,loss/d\n1,2\n2,3,4\n", "metrics.csv cannot be read"),
    ],
)
def test_runs_without_curves_have_a_reason_and_no_number(make_run, csv, reason):
    run, problems = read_one(make_run("a", config=CONFIG, csv=csv))
    assert run.curves.empty
    assert run.scores == {}
    assert reason in problems[0]


def test_an_evaluated_run_survives_a_damaged_csv(make_run):
    run, problems = read_one(make_run("a", config=CONFIG, csv="", metrics={"fvd/embedded": 7.0}))
    assert len(run.scores) == 1
    assert run.kclips is None
    assert "metrics.csv is empty" in problems[0]


@pytest.mark.parametrize(
    "content",
    [
        '{"metrics": {',
        "[]",
        '{"metrics": {}}',
        '{"metrics": {"fvd/x": {"value": 1}}, "protocol": {}}',
        '{"metrics": {"fvd/x": {"value": 1, "protocol": "a"}, "fvd/y": {"value": 1}}, "protocol": {}}',
        "\xff",
    ],
)
def test_a_damaged_metrics_json_keeps_the_run_and_says_so(make_run, content):
    path = make_run("a", config=CONFIG, csv="kclips,fvd/x\n1,5\n")
    (path / "metrics.json").write_bytes(content.encode("latin-1"))
    run, problems = read_one(path)
    assert "metrics.json cannot be used" in problems[0]
    assert [m.stamp for m in run.scores] == [DURING_TRAINING]


def test_a_value_that_is_no_number_is_named(make_run):
    path = make_run("a", config=CONFIG, metrics={"fvd/x": 1.0, "fvd/y": 2.0})
    content = json.loads((path / "metrics.json").read_text())
    content["metrics"]["fvd/y"]["value"] = float("nan")
    (path / "metrics.json").write_text(json.dumps(content))
    run, problems = read_one(path)
    assert [m.metric for m in run.scores] == ["fvd/x"]
    assert problems == ["fvd/y in metrics.json is not a finite number"]


def test_each_metric_has_the_protocol_of_its_entry_or_else_of_the_file(make_run):
    entries = {"fvd/x": {"protocol": "aaa"}, "fvd/y": {"protocol": "bbb", "real": 0.25}}
    run, _ = read_one(
        make_run("a", config=CONFIG, metrics=dict.fromkeys(["fvd/x", "fvd/y", "fvd/z"], 1.0), entries=entries)
    )
    found = {m.metric: (m.protocol, score.real) for m, score in run.scores.items()}
    assert found == {"fvd/x": ("aaa", None), "fvd/y": ("bbb", 0.25), "fvd/z": ("0123456789ab", None)}


@pytest.mark.parametrize("config", ["a: [", "- 1", "", "a: !!python/object:os.system {}"])
def test_a_damaged_config_leaves_the_run_out(make_run, config):
    path = make_run("a", config=CONFIG)
    (path / "config.yaml").write_text(config)
    runs, problems = read_runs([path])
    assert runs == []
    assert "config.yaml cannot be read" in problems[0].reason


@pytest.mark.parametrize(
    ("provenance", "reason"),
    [
        ({"started": "x"}, "not finished: it was killed or is still running"),
        ({"started": "x", "failed": "out of memory"}, "failed: out of memory"),
    ],
)
def test_crashed_runs_are_named_and_shown(make_run, provenance, reason):
    _, problems = read_one(make_run("a", config=CONFIG, provenance=provenance))
    assert problems == [reason]


def test_numbers_in_names_sort_by_value():
    assert sorted(["10", "9", "a10", "a9", "²"], key=natural_key) == ["9", "10", "a9", "a10", "²"]


def test_numbers_logged_while_continuing_clips_are_of_another_protocol():
    def protocol(condition: dict) -> str:
        config = {"clip": {"frames": 16}, "condition": condition}
        (measure,) = training_scores(curves, config, "cafe", {})
        return measure.protocol

    curves = pd.DataFrame({"fvd/x": [2.0]}, index=[0.1])
    told = {"_target_": "vgen.condition.frames.FirstFrames", "frames": 1, "base_channels": 64}
    assert protocol({}) == protocol({"codes": {"continuous": 2}})
    assert protocol({}) != protocol({"frames": told}) != protocol({"frames": told | {"frames": 2}})
    assert protocol({"frames": told}) == protocol({"frames": told | {"base_channels": 8}})
