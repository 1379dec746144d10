"""A paper's manifest: what it may say, and the one line that each mistake gets."""

from pathlib import Path

import pytest

from vgen.config import CONF_DIR, ConfigError
from vgen.launch.manifest import read_manifest

GOOD = """
title: Two losses
seeds: [0, 1]
common: [experiment=demo, batch=4]
runs:
  losses: {axes: {loss: [hinge, wgan], regularizer: [[], [r1]]}, overrides: [batch=8]}
  free: {experiment: other, seeds: [5], evaluations: [quick]}
evaluations:
  quick: {overrides: [protocol=quick]}
  fine: {overrides: [protocol=standard], checkpoint: last}
tables:
  main: {rows: [losses], baseline: loss=hinge, evaluations: [quick], metrics: [fvd/embedded]}
"""


def read(folder: Path, text: str):
    file = folder / "manifest.yaml"
    file.write_text(text)
    return read_manifest(file)


def test_what_an_entry_says_comes_after_what_all_say(tmp_path: Path) -> None:
    manifest = read(tmp_path, GOOD)
    losses, free = manifest.entries.values()
    assert losses.words == ("experiment=demo", "batch=8")
    assert losses.axes == {"loss": "hinge,wgan", "regularizer": "[],[r1]"}
    assert losses.seeds == (0, 1)
    assert losses.evaluations == ("quick", "fine")
    assert free.words == ("batch=4", "experiment=other")
    assert (free.seeds, free.evaluations) == ((5,), ("quick",))
    assert manifest.evaluations["fine"].checkpoint == "last"
    assert manifest.tables["main"].title == "main"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("title:", "titel:", "no key 'titel' here; there are title, seeds, common, runs, evaluations, tables"),
        ("free:", "losses:", "line 7: 'losses' stands there twice"),
        ("rows: [losses]", "rows: [loses]", "tables.main: rows: no 'loses' in this manifest; there are losses, free"),
        ("evaluations: [quick], metrics", "evaluations: [fvd], metrics", "no 'fvd' in this manifest"),
        ("rows: [losses], baseline: loss=hinge, evaluations: [quick]", "rows: [free], evaluations: [fine]",
         "no run of free is evaluated as fine, only as quick"),
        ("seeds: [0, 1]", "seeds: [0, 0]", "seeds: give different whole numbers"),
        ("seeds: [0, 1]", "seeds: 3", "seeds: input should be a valid list"),
        ("loss: [hinge, wgan]", "loss: []", "axes.loss: give a list of values"),
        ("overrides: [batch=8]", "overrides: [loss=wgan]", "loss stands both in overrides and in axes or seeds"),
        ("overrides: [batch=8]", "overrides: [output=x]", "output=x: vgen paper chooses folders"),
        ("overrides: [batch=8]", "overrides: batch=8", "overrides: give a list as on the command line"),
        ("checkpoint: last", "checkpoint: newest", "checkpoint: newest: choose best"),
        ("overrides: [protocol=quick]", "overrides: [fake=x]", "fake=x: vgen paper sets it itself"),
        ("  free:", "  a/b:", "runs.a/b: a name has letters, digits"),
        ("title: Two losses", "title: [", "line"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, GOOD.replace(old, new))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "manifest.yaml" in str(raised.value)


@pytest.mark.parametrize("file", sorted((CONF_DIR / "paper").glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_manifests_are_good(file: Path) -> None:
    manifest = read_manifest(file)
    assert manifest.tables
    assert all(entry.seeds for entry in manifest.entries.values())
