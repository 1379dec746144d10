"""Which run lies in which folder, and what is done again when a manifest, or vgen itself, has changed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from vgen.launch.manifest import read_manifest
from vgen.launch.plan import CannotPlan, Planned, plan_evaluations, plan_runs
from vgen.launch.run_folders import added_settings

SMALL = "debug=fast, width=4, clip.size=16"


def plan(folder: Path, text: str) -> list[Planned]:
    file = folder / "manifest.yaml"
    file.write_text(text)
    return plan_runs(read_manifest(file), folder, [])


def manifest(entry: str, common: str = SMALL, name: str = "losses") -> str:
    return f"common: [{common}]\nruns:\n  {name}: {entry}\n"


CROSSED = "{axes: {loss: [hinge, wgan]}, seeds: [0, 1]}"


def finish(run: Planned, config: dict[str, Any] | None = None) -> None:
    """Leave what a finished run leaves of its state."""
    run.folder.mkdir(parents=True)
    (run.folder / "config.yaml").write_text(yaml.safe_dump(run.config if config is None else config))
    (run.folder / "provenance.json").write_text(
        json.dumps({"finished": "today", "kclips": run.config["kclips"]})
    )


def folders(runs: list[Planned]) -> list[Path]:
    return [run.folder for run in runs]


def test_runs_are_crossed_and_named(tmp_path: Path) -> None:
    runs = plan(tmp_path, manifest(CROSSED))
    names = [run.name.rsplit("-", 1)[0] for run in runs]
    assert names == [f"losses/loss={loss},seed={seed}" for loss in ("hinge", "wgan") for seed in (0, 1)]
    assert [run.config["seed"] for run in runs] == [0, 1, 0, 1]
    assert runs[2].config["loss"]["_target_"] == "vgen.loss.wgan.WGAN"
    assert runs[0].config["choices"]["loss"] == "hinge"
    assert len(set(folders(runs))) == 4
    assert {run.state for run in runs} == {"new"}


def test_what_changes_no_number_changes_no_folder(tmp_path: Path) -> None:
    runs = plan(tmp_path, manifest(CROSSED))
    assert folders(
        plan(tmp_path, manifest(CROSSED, f"{SMALL}, log_every=7, workers=1, kclips=2"))
    ) == folders(runs)
    assert not set(folders(plan(tmp_path, manifest(CROSSED, f"{SMALL}, batch=5")))) & set(folders(runs))
    precise = plan(tmp_path, manifest(CROSSED, f"{SMALL}, trainer.precision=bf16-mixed"))
    assert not set(folders(precise)) & set(folders(runs))


def test_a_changed_entry_leaves_the_earlier_run_and_says_what_changed(tmp_path: Path) -> None:
    first = plan(tmp_path, manifest(CROSSED))[0]
    finish(first)
    assert plan(tmp_path, manifest(CROSSED))[0].state == "finished"
    changed = plan(tmp_path, manifest(CROSSED, f"{SMALL}, batch=5"))[0]
    assert changed.state == "new"
    assert changed.folder != first.folder
    assert "batch 4 -> 5" in changed.changed


def test_a_run_is_made_longer_in_place_and_shorter_beside(tmp_path: Path) -> None:
    first = plan(tmp_path, manifest(CROSSED, f"{SMALL}, kclips=1"))[0]
    finish(first)
    longer = plan(tmp_path, manifest(CROSSED, f"{SMALL}, kclips=2"))[0]
    assert (longer.folder, longer.state) == (first.folder, "begun")
    shorter = plan(tmp_path, manifest(CROSSED, f"{SMALL}, kclips=0.5"))[0]
    assert shorter.folder.name == f"{first.folder.name},kclips=0.5"
    assert shorter.state == "new"


def test_two_lengths_of_one_run_are_two_runs(tmp_path: Path) -> None:
    runs = plan(tmp_path, manifest("{axes: {kclips: [1, 2]}}"))
    assert len(set(folders(runs))) == 2


def test_two_entries_that_ask_for_one_run_share_it(tmp_path: Path) -> None:
    text = manifest(CROSSED) + "  again: {overrides: [loss=wgan], seeds: [1]}\n"
    runs = plan(tmp_path, text)
    assert runs[4].entry == "again"
    assert runs[4].folder == runs[3].folder
    finish(runs[3])
    renamed = plan(tmp_path, manifest(CROSSED, name="renamed"))
    assert [run.state for run in renamed] == ["new", "new", "new", "finished"]


def test_a_default_that_vgen_got_since_does_not_train_a_paper_again(tmp_path: Path) -> None:
    first = plan(tmp_path, manifest(CROSSED))[0]
    older = json.loads(json.dumps(first.config))
    del older["training"]["ema_half_life"]
    elsewhere = Planned(
        **{**vars(first), "folder": first.folder.with_name(f"{first.folder.name[:-8]}00000000")}
    )
    finish(elsewhere, older)
    found = plan(tmp_path, manifest(CROSSED))[0]
    assert (found.folder, found.state, found.added) == (
        elsewhere.folder,
        "finished",
        ("training.ema_half_life",),
    )


@pytest.mark.parametrize(
    ("new", "words", "added"),
    [
        ({"loss": {"_target_": "A", "margin": 1}}, (), ("loss.margin",)),
        ({"loss": {"_target_": "A", "margin": 1}}, ("loss.margin=1",), None),
        ({"loss": {"_target_": "B"}}, (), None),
        ({"loss": {"_target_": "A"}, "regularizer": {"r1": {"_target_": "R1", "weight": 1}}}, (), None),
        ({"loss": {"_target_": "A"}, "kclips": 7}, (), ()),
        ({"loss": {}}, (), None),
    ],
)
def test_only_defaults_count_as_added(
    new: dict, words: tuple[str, ...], added: tuple[str, ...] | None
) -> None:
    saved = {"loss": {"_target_": "A"}, "data": {}, "kclips": 1}
    assert added_settings(saved, {"data": {}, **new}, words) == added


def test_words_that_do_not_compose_name_their_entry(tmp_path: Path) -> None:
    for word in ("experiment=nothing", "loss.margin=3", "loss=[hinge"):
        with pytest.raises(CannotPlan) as raised:
            plan(tmp_path, manifest(f"{{overrides: ['{word}']}}"))
        assert raised.value.place == "runs.losses"
        assert raised.value.__cause__ is not None


def test_an_evaluation_is_known_by_what_decides_its_numbers(tmp_path: Path) -> None:
    def name(words: str, *machine: str) -> str:
        file = tmp_path / "manifest.yaml"
        file.write_text(f"{manifest('{}')}evaluations: {{quick: {{overrides: [{words}]}}}}")
        return plan_evaluations(read_manifest(file), machine, [])["quick"].name

    plain = name("protocol=quick")
    assert name("protocol=quick", "batch=3", "device=cpu") == plain
    assert name("protocol=quick, protocol.count=8") != plain
    assert name("protocol=quick, 'metric=[kernel]'") != plain
