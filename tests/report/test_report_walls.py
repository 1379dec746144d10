import numpy as np
import pytest
from conftest import write_video

from vgen.report.compare import make_rows
from vgen.report.runs import read_runs
from vgen.report.videos import choose_walls, common_clock
from vgen.report.wall_figure import draw_wall


@pytest.fixture
def rows(make_run, tmp_path):
    def make(samples):
        """(method, seed) -> kclips of its samples, whose bytes say where they are from."""
        for (method, seed), clocks in samples.items():
            path = make_run(f"{method}/{seed}", config={"seed": seed, "method": method})
            (path / "samples").mkdir()
            for clock in clocks:
                file = (
                    path / "samples" / (f"{clock:010.3f}.mp4" if isinstance(clock, int) else f"{clock}.mp4")
                )
                file.write_bytes(f"{method}{seed}@{clock}".encode())
        return make_rows(read_runs([tmp_path / "runs"])[0])[0]

    return make


def shown(rows):
    return {wall.title: [video.file.read_text() for video in wall.videos] for wall in choose_walls(rows)}


def test_methods_stand_side_by_side_at_the_last_common_moment(rows):
    found = rows({("a", 0): (0, 5, 10), ("a", 1): (0, 5, 10), ("b", 0): (0, 5), ("b", 1): (0, 5, 7)})
    assert common_clock(found) == 5
    assert shown(found) == {"seed 0": ["a0@5", "b0@5"], "seed 1": ["a1@5", "b1@5"]}
    assert choose_walls(found)[0].videos[0].caption == "5 kclips (its last are at 10)"


def test_a_broken_seed_does_not_hold_back_the_others(rows):
    found = rows({("a", 0): (0, 5, 10), ("a", 1): (0, 2), ("b", 0): (0, 5, 10)})
    assert common_clock(found) == 10
    assert shown(found) == {"seed 0": ["a0@10", "b0@10"], "seed 1": ["a1@2"]}


def test_untrained_samples_are_no_common_moment(rows):
    found = rows({("a", 0): (0, 5), ("b", 0): (0, 7), ("c", 0): (), ("d", 0): ("odd",)})
    assert common_clock(found) is None
    assert shown(found) == {"seed 0": ["a0@5", "b0@7", "d0@odd"]}


def test_no_samples_make_no_wall(rows):
    found = rows({("a", 0): ()})
    assert common_clock(found) is None
    assert choose_walls(found) == []


def test_the_still_has_frames_of_every_method_that_can_be_decoded(rows):
    found = rows({("a", 0): (5,), ("b", 0): (5,), ("c", 0): (5,)})
    for row in found[:2]:
        write_video(row.runs[0].samples[0], frames=8)
    figure = draw_wall(found, choose_walls(found)[0])
    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")] == [
        "method=a, 5 kclips",
        "method=b, 5 kclips",
    ]
    assert [text.get_text() for axes in figure.axes[:4] for text in axes.texts] == [
        "frame 0", "frame 2", "frame 5", "frame 7",
    ]  # fmt: skip
    images = [axes.images[0].get_array() for axes in figure.axes]
    assert len(images) == 8
    assert not np.array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[0], images[4])
    assert draw_wall(found[2:], choose_walls(found[2:])[0]) is None
