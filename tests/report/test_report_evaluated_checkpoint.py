"""A number belongs to the checkpoint that made it, not to the end of the run."""

import json
from pathlib import Path

import yaml

from vgen.report.compare import make_rows
from vgen.report.runs import read_runs


def test_kclips_are_those_of_the_evaluated_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(yaml.safe_dump({"seed": 0, "name": "x"}))
    (run / "metrics.csv").write_text("kclips,iteration,loss/d\n1,10,0.5\n4,40,0.25\n")
    metric = {"value": 1.0, "standard_error": 0.1, "higher_is_better": False, "stamp": "fvd[e]"}
    result = {
        "metrics": {"fvd/e": metric},
        "protocol": {"id": "abc", "name": "p"},
        "fake": {"kclips": 3.0},
        "real": {},
    }
    (run / "metrics.json").write_text(json.dumps(result))
    (only,), problems = read_runs([tmp_path])
    assert only.kclips == 3.0
    assert any("checkpoint at 3 kclips; it was trained to 4" in problem.reason for problem in problems)


def test_chains_of_different_small_runs_stand_in_rows_of_their_own(make_run, tmp_path: Path) -> None:
    """Two seeds behind the same small run are one row, whatever folder it was read from."""
    for name, seed, folder, fingerprint in (
        ("a", 0, "lres", "11112222"),
        ("b", 1, "elsewhere/lres", "11112222"),
        ("c", 1, "lres", "33334444"),
        ("d", 0, None, None),
    ):
        run = make_run(name, config={"seed": seed, "name": "sres"}, metrics={"fvd/embedded": 1.0})
        result = json.loads((run / "metrics.json").read_text())
        if folder is not None:
            small = {"source": f"/{folder}/checkpoints/best.ckpt", "fingerprint": fingerprint, "kclips": 2.0}
            result["fake"]["small"] = small
        (run / "metrics.json").write_text(json.dumps(result))
    runs, _ = read_runs([tmp_path / "runs"])
    rows, problems = make_rows(runs)
    assert not problems
    told = {row.name: [run.name for run in row.runs] for row in rows}
    assert told == {"small=lres-11112222": ["a", "b"], "small=lres-33334444": ["c"], "small=none": ["d"]}
