"""A number belongs to the checkpoint that made it, not to the end of the run."""

import json
from pathlib import Path

import yaml

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
