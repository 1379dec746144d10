"""All combinations of swept values, and the folders that they name."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from vgen.launch.jobs import SweepError, folder_name, quoted
from vgen.launch.product import combinations

PARSER = OverridesParser.create()


def jobs(*words: str):
    return combinations(PARSER.parse_overrides(list(words)))


def test_every_combination_once_in_the_order_of_the_command_line() -> None:
    made = jobs("loss=hinge,wgan", "seed=range(1,3)", "kclips=5")
    assert [job.overrides for job in made] == [
        (f"loss={loss}", f"seed={seed}", "kclips=5") for loss in ("hinge", "wgan") for seed in (1, 2)
    ]
    assert len({job.folder for job in made}) == 4


def test_folders_follow_from_what_is_asked_alone() -> None:
    one = jobs(
        "seed=1,2", "regularizer=[r1,wgan_gp]", "kclips=5", "trainer.devices=2", "output=x", "sweep=grid"
    )
    longer = jobs("output=y", "regularizer=[r1,wgan_gp]", "seed=1,2,3", "kclips=50", "workers=3")
    assert [job.folder for job in one] == [f"seed={n},regularizer=r1,wgan_gp" for n in (1, 2)]
    assert [job.folder for job in longer][:2] == [job.folder for job in one]
    assert [job.folder for job in jobs("kclips=5,10")] == ["kclips=5", "kclips=10"]
    assert folder_name({"output": "x"}, set()) == "job"


def test_long_names_are_cut_and_stay_apart() -> None:
    made = jobs("seed=1,2", f"name={'x' * 200}")
    assert all(len(job.folder) <= 80 for job in made)
    assert made[0].folder != made[1].folder
    assert made[0].folder.startswith("seed=1,")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["width=interval(1,2)"], r"width=interval\(1,2\): all combinations need values"),
        (["name=a/b,a-b"], "share the folder name=a-b"),
    ],
)
def test_what_has_no_combinations_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(SweepError, match=message):
        jobs(*words)


@pytest.mark.parametrize("value", ["/a b/c=d,e", "it's", "back\\slash", "{x}[y]"])
def test_quoted_words_come_out_of_the_parser_as_they_went_in(value: str) -> None:
    assert PARSER.parse_overrides([f"hydra.sweep.subdir={quoted(value)}"])[0].value() == value
