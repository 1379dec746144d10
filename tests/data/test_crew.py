from pathlib import Path

import numpy as np
import pytest
from crew_jobs import Jobs

from vgen.data.crew import decode_all
from vgen.data.packing import Decoded


def outcomes(deeds: tuple[str, ...], folder: Path, *, processes: int) -> list[Decoded | str]:
    work, marks = folder / "work", folder / "marks"
    work.mkdir()
    marks.mkdir()
    found = []
    for number, file, result in decode_all(
        Jobs(deeds, marks), range(len(deeds)), work, processes=processes, patience=1.5
    ):
        assert number == len(found)  # in order, whoever is done first
        if isinstance(result, Decoded):
            assert np.array_equal(np.fromfile(file, np.uint8), np.full(2 * 48, number, np.uint8))
        file.unlink(missing_ok=True)
        found.append(result)
    assert list(work.iterdir()) == []
    return found


def test_whatever_one_video_does_the_others_are_decoded(tmp_path):
    deeds = ("", "crash", "once", "raise", "hang", "")
    found = outcomes(deeds, tmp_path, processes=2)
    assert [isinstance(result, Decoded) for result in found] == [not d or d == "once" for d in deeds]
    assert found[1] == "its decoder died of signal 11 (SIGSEGV)"
    assert found[3] == "no video"
    assert found[4] == "no frame for 1.5 s: its decoder hangs"
    (tmp_path / "alone").mkdir()
    assert outcomes(("", "raise"), tmp_path / "alone", processes=0) == [found[0], found[3]]


def test_a_file_that_cannot_be_written_is_an_error_not_a_skipped_video(tmp_path):
    for processes in (0, 1):
        with pytest.raises(OSError, match="No such file"):
            list(
                decode_all(
                    Jobs(("", ""), tmp_path), range(2), tmp_path / "none", processes=processes, patience=5
                )
            )


class NotToBeUnpickled:
    def __reduce__(self):
        return int, ("no number",)


def test_processes_that_cannot_begin_are_an_error_not_skipped_videos(tmp_path):
    with pytest.raises(RuntimeError, match="before it had begun"):
        list(decode_all(NotToBeUnpickled(), range(2), tmp_path, processes=1, patience=5))  # type: ignore[arg-type]
