"""A run made again from its folder alone is the same run, and a difference is told."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from vgen.cli.main import main
from vgen.cli.reproduce import moved
from vgen.report.reproduction import compare_run_folders

TINY = [
    "debug=fast", "clip.size=16", "generator.synthesis.base_channels=4", "discriminator.base_channels=4",
    "protocol.count=6", "data.videos=12", "callback=[progress,metrics,checkpoint,export,provenance]", "logger=[csv]",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "original"
    main(["train", *TINY, f"output={folder}"])
    main(
        [
            "evaluate",
            f"checkpoint={folder}",
            "protocol=quick",
            "protocol.count=8",
            "metric=[frechet,precision_recall]",
        ]
    )
    return folder


def test_the_same_machine_gives_the_same_numbers(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["reproduce", f"run={run}"])
    copy = run.with_name("original_again")
    written = json.loads((copy / "reproduction.json").read_text())
    assert not (copy / ".hydra").exists()  # it was made by another command than vgen train
    assert written["reproduced"]
    assert written["exact"]
    assert not written["differing_settings"]
    compared = {d["name"] for d in written["deviations"]}
    assert {"loss/d", "fvd/embedded (metrics.json)", "recall/embedded (metrics.json)"} <= compared
    assert "equal bit for bit" in capsys.readouterr().out
    ids = [yaml.safe_load((folder / "config.yaml").read_text())["run_id"] for folder in (run, copy)]
    assert ids[0] != ids[1]


def test_a_difference_is_told_and_fails(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The original claims another loss: its reproduction has to say where and by how much."""
    claimed = tmp_path / "claimed"
    claimed.mkdir()
    config = (run / "config.yaml").read_text().replace(str(run), str(claimed))
    (claimed / "config.yaml").write_text(config)
    (claimed / "provenance.json").write_text((run / "provenance.json").read_text())
    table = pd.read_csv(run / "metrics.csv")
    table.loc[table["loss/g"].first_valid_index(), "loss/g"] *= 1.5  # pyright: ignore[reportCallIssue, reportArgumentType]
    table.to_csv(claimed / "metrics.csv", index=False)
    with pytest.raises(SystemExit) as raised:
        main(["reproduce", f"run={claimed}", f"output={tmp_path / 'copy'}", "tolerance=0.1"])
    assert raised.value.code == 1
    said = capsys.readouterr().out
    assert "NOT reproduced" in said
    assert "loss/g differs by 0.33" in said


def test_paths_inside_the_run_move_with_it() -> None:
    saved = {
        "paths": {"run": "/old/run"},
        "a": ["/old/run/x", "/old/running", "/data"],
        "b": {"c": "/old/run"},
    }
    found = moved(saved, Path("/mnt/run"), Path("/new"))
    assert found == {"paths": {"run": "/new"}, "a": ["/new/x", "/old/running", "/data"], "b": {"c": "/new"}}


def test_what_only_one_has_counts_as_not_reproduced(tmp_path: Path) -> None:
    for name, columns in (("one", "kclips,loss/d\n1,2\n"), ("two", "kclips,loss/g\n1,2\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text(columns)
        (tmp_path / name / "config.yaml").write_text("seed: 1\n")
    found = compare_run_folders(tmp_path / "one", tmp_path / "two", tolerance=1.0)
    assert not found.reproduced
    assert found.missing == ["loss/d", "loss/g"]


def test_a_measure_at_the_end_of_a_run_that_was_made_longer_is_not_missed(tmp_path: Path) -> None:
    rows = {"one": "1,8,2\n2,7,2\n3,6,2\n", "two": "1,,2\n2,,2\n3,6,2\n"}
    for name, ends in (("one", [1.0]), ("two", [])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text(f"kclips,fvd/x,loss/d\n{rows[name]}")
        (tmp_path / name / "config.yaml").write_text("seed: 1\n")
        resumed = {"resumed": [{"at_kclips": end} for end in ends]}
        (tmp_path / name / "provenance.json").write_text(json.dumps(resumed))
    found = compare_run_folders(tmp_path / "one", tmp_path / "two", tolerance=0.0)
    assert [(d.name, d.at) for d in found.beyond] == [("fvd/x", "2 kclips")]


def test_a_folder_without_a_run_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["reproduce", f"run={tmp_path}"])
    assert "give the folder of a run of vgen train" in capsys.readouterr().err
