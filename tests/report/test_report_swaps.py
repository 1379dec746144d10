import numpy as np
import pytest
from PIL import Image

from vgen.report import write_report
from vgen.report.compare import make_rows
from vgen.report.runs import read_runs
from vgen.report.swaps import MOST, Codes, draw_still, latent_notes, read_swaps, write_swaps

GRID = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 4, 5, 3), dtype=np.uint8)
SAME = {"content": "(2,) aa", "motion": "(3,) bb"}


@pytest.fixture
def rows(make_run, tmp_path):
    def make(*methods):
        for method in methods:
            make_run(
                method,
                config={"seed": 0, "method": method},
                metrics={"fvd/x": float(ord(method[0]))},
                video=True,
            )
        return make_rows(read_runs([tmp_path / "runs"])[0])[0]

    return make


def test_strips_show_moments_of_each_clip():
    still = draw_still(GRID)
    assert still.shape == (2 * 4 + 6, 3 * 4 * 5 + 2 * 6, 3)
    for place, moment in enumerate((0, 2, 5, 7)):  # of 8 frames
        np.testing.assert_array_equal(still[:4, place * 5 : place * 5 + 5], GRID[0, 0, moment])
    np.testing.assert_array_equal(still[10:, 26:31], GRID[1, 1, 0])


def test_grey_clips_make_a_picture():
    assert draw_still(GRID[..., :1]).shape == (14, 72, 3)


def test_grids_are_written_and_embedded_and_old_ones_go(rows, tmp_path):
    found = rows("a", "b")
    codes = {"a": Codes(SAME, GRID), "b": Codes({"z": "(5,) cc"}, None, "it has z alone")}
    (tmp_path / "motion_content_9.png").touch()
    swaps, paths = write_swaps(found, read_swaps(found, lambda path: codes[path.name]), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("motion_content_*")) == sorted(
        path.name for path in paths
    )
    assert {path.name for path in paths} == {
        f"motion_content_1{suffix}" for suffix in (".mp4", ".png", ".pdf")
    }
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "motion_content_1.png")), draw_still(GRID))
    assert swaps[0].data
    assert (swaps[1].data, swaps[1].reason) == ("", "it has z alone")


def test_a_later_seed_stands_in_and_a_reason_is_given(make_run, tmp_path):
    for seed in (0, 1):
        make_run(f"a{seed}", config={"seed": seed})
    found = make_rows(read_runs([tmp_path / "runs"])[0])[0]

    def second(path):
        if path.name == "a0":
            raise FileNotFoundError("/somewhere/else")
        return Codes(SAME, GRID)

    def broken(path):
        raise RuntimeError("shapes\ndo not fit")

    (grid,) = read_swaps(found, second)
    assert grid.codes is not None
    (none,) = read_swaps(found, broken)
    assert (none.codes, none.reason) == (None, "shapes do not fit")


def test_only_the_best_of_many_methods_are_looked_at(rows):
    found = rows(*(chr(97 + i) for i in range(MOST + 2)))  # the later the letter, the higher, that is worse
    swaps = read_swaps(found, lambda path: Codes(SAME, GRID))
    assert [swap.row for swap in swaps if swap.codes is None] == [MOST, MOST + 1]
    assert swaps[-1].reason == f"not among the {MOST} best methods"


def test_whether_latents_are_shared_is_told(rows):
    found = rows("a", "b", "c")

    def notes(**codes):
        def read(path):
            if codes[path.name] is None:
                raise FileNotFoundError
            return Codes(codes[path.name], None, "")

        return latent_notes(found, read_swaps(found, read))

    assert notes(a=SAME, b=SAME, c=SAME) == [
        "Checked: one seed gives all methods the same latents (content, motion), bit for bit."
    ]
    other = SAME | {"motion": "(4,) dd"}
    (said,) = notes(a=SAME, b=other, c=SAME)
    assert "“method=a”, “method=c”" in said
    assert said.endswith("The same for all: content.")
    (said,) = notes(a=SAME, b={"z": "(5,) cc"}, c=SAME)
    assert "z: “method=b”" in said
    assert said.endswith("No part is the same for all.")
    assert notes(a=SAME, b=None, c=None) == [
        "Latents not checked: “method=b”, “method=c”: it has no checkpoint"
    ]


def test_the_page_has_the_grids_and_names_who_has_none(rows, tmp_path):
    rows("a", "b")

    def read(path):
        return (
            Codes(SAME, GRID, "", "best.ckpt") if path.name == "a" else Codes(SAME, None, "it has <z> alone")
        )

    page = write_report(tmp_path / "runs", tmp_path / "out", codes=read).html.read_text()
    assert page.count("<video") == 3  # a wall of two, a grid
    assert "No grid of method=b: it has &lt;z&gt; alone" in page
    assert "Checked: one seed gives all methods the same latents" in page


def test_where_nobody_has_a_grid_that_is_said_once(rows, tmp_path):
    rows("a", "b")

    def read(path):
        raise FileNotFoundError

    page = write_report(tmp_path / "runs", tmp_path / "out", codes=read).html.read_text()
    assert "No method has a grid: it has no checkpoint" in page
    assert "Latents not checked: all methods: it has no checkpoint" in page
    assert "share their content code" not in page
