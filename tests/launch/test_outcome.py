"""What a run folder says of its run."""

from pathlib import Path

import pytest

from vgen.launch.outcome import direction, is_finished, objective


def write(run: Path, *values: str) -> Path:
    lines = ["kclips,loss/d,fvd/embedded", *(f"{i},0.5,{value}" for i, value in enumerate(values))]
    (run / "metrics.csv").write_text("\n".join(lines) + "\n")
    return run


def test_best_and_last(tmp_path: Path) -> None:
    run = write(tmp_path, "", "3.5", "1.25", "", "nan", "2.0")
    assert objective(run, "fvd/embedded", "best", "min") == 1.25
    assert objective(run, "fvd/embedded", "best", "max") == 3.5
    assert objective(run, "fvd/embedded", "last", "min") == 2.0


def test_a_run_without_a_usable_number_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"metrics\.csv is missing"):
        objective(tmp_path, "fvd/embedded", "best", "min")
    write(tmp_path, "", "")
    with pytest.raises(ValueError, match=r"never measured it .* it has loss/d"):
        objective(tmp_path, "fvd/embedded", "best", "min")
    write(tmp_path, "1.0", "nan")
    with pytest.raises(ValueError, match=r"fvd/embedded of .* is nan"):
        objective(tmp_path, "fvd/embedded", "last", "min")
    write(tmp_path, "inf")
    with pytest.raises(ValueError, match="is inf"):
        objective(tmp_path, "fvd/embedded", "best", "min")


def test_which_way_is_better() -> None:
    assert direction("fvd/i3d", None) == "min"
    assert direction("coverage/embedded", None) == "max"
    assert direction("coverage/embedded", "min") == "min"
    with pytest.raises(ValueError, match=r"sweep\.mode=min or sweep\.mode=max"):
        direction("loss/g", None)
    with pytest.raises(ValueError, match="choose min or max"):
        direction("fvd/i3d", "up")


def test_finished_is_what_provenance_says(tmp_path: Path) -> None:
    assert not is_finished(tmp_path)
    (tmp_path / "provenance.json").write_text('{"started": "now"}')
    assert not is_finished(tmp_path)
    (tmp_path / "provenance.json").write_text('{"started": "now", "finished": "later"}')
    assert is_finished(tmp_path)
    (tmp_path / "provenance.json").write_text('{"started": "no')
    assert not is_finished(tmp_path)
