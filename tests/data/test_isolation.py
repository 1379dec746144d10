import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from movies import moving_bar, write_movie, write_strip, write_tar, write_zip

from vgen.data import decode as here
from vgen.data import isolation
from vgen.data.entry import Entry, Unreadable
from vgen.data.isolation import Decoders
from vgen.data.videos import Videos


def entry(name: str, archive: str = "") -> Entry:
    return Entry(name, "video file", None, (name,), archive)


@pytest.fixture(scope="module")
def decoders():
    with Decoders() as opened:
        yield opened


def pixels_of(blocks) -> np.ndarray:
    return np.concatenate([block.pixels for block in blocks])


def test_the_child_answers_what_the_process_itself_would(tmp_path, decoders):
    pixels = moving_bar(9, 24, 40)
    path = write_movie(tmp_path / "a\udce9 b.mp4", pixels)
    own, others = (list(how.decode(tmp_path, entry(path.name))) for how in (here, decoders))
    assert np.array_equal(pixels_of(own), pixels_of(others))
    assert np.array_equal(own[0].times, others[0].times)
    assert decoders.probe(tmp_path, entry(path.name)) == here.probe(tmp_path, entry(path.name))
    assert decoders.first_size(tmp_path, entry(path.name)) == (24, 40)


def test_videos_in_archives(tmp_path, decoders):
    movie = write_movie(tmp_path / "a.mp4", moving_bar(5))
    frames = pixels_of(here.decode(tmp_path, entry("a.mp4")))
    for write in (write_zip, write_tar):
        archive = write(
            tmp_path / f"set.{write.__name__[-3:]}", {"x/a.mp4": movie.read_bytes(), "b.mp4": b"no"}
        )
        assert np.array_equal(pixels_of(decoders.decode(tmp_path, entry("x/a.mp4", archive.name))), frames)
        with pytest.raises(Unreadable, match="Invalid data"):
            list(decoders.decode(tmp_path, entry("b.mp4", archive.name)))


def test_an_error_is_told_and_the_child_goes_on(tmp_path, decoders):
    (tmp_path / "bad.mp4").write_text("no video")
    write_movie(tmp_path / "good.mp4", moving_bar(3))
    before = decoders._idle.queue[-1]._process.pid
    for name, why in (("bad.mp4", "Invalid data"), ("nowhere.mp4", "No such file")):
        with pytest.raises(Unreadable, match=why):
            decoders.probe(tmp_path, entry(name))
    assert len(pixels_of(decoders.decode(tmp_path, entry("good.mp4")))) == 3
    assert decoders._idle.queue[-1]._process.pid == before


def test_a_decoding_that_is_left_early_costs_the_child(tmp_path, decoders, monkeypatch):
    write_movie(tmp_path / "a.mp4", moving_bar(3))
    blocks = decoders.decode(tmp_path, entry("a.mp4"))
    next(blocks)
    blocks.close()
    assert len(pixels_of(decoders.decode(tmp_path, entry("a.mp4")))) == 3


FAULTY = f"""
import os, signal, sys, time
sys.path.insert(0, {str(Path(isolation.__file__).parents[2])!r})
from pathlib import Path
from vgen.data import decode, decoder_process
real = decode.decode
def faulty(root, entry):
    for block in real(root, entry):
        yield block
        if "crash" in entry.name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in entry.name:
            time.sleep(60)
        if "noise" in entry.name:
            print("noise of a library", flush=True)
            os.write(1, b"more of it")
decoder_process.decode = faulty
decoder_process.main()
"""


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """Children that crash or hang in videos of such names."""
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY)
    real = isolation.subprocess.Popen

    def start(command, **arguments):
        return real([sys.executable, str(script)], **arguments)

    monkeypatch.setattr(isolation.subprocess, "Popen", start)
    monkeypatch.setattr(isolation, "PATIENCE", 3.0)


def test_a_crash_and_a_hang_cost_one_video_each(tmp_path, faulty):
    for name in ("a", "crash", "b", "hang", "noise", "c"):
        write_movie(tmp_path / "set" / f"{name}.mp4", moving_bar(4, step=len(name)))
    videos = Videos(path=str(tmp_path / "set"), size=32, cache=str(tmp_path / "cache"))
    videos.prepare()
    assert videos.names == ["a.mp4", "b.mp4", "c.mp4", "noise.mp4"]
    assert {s.path: s.reason for s in videos.skipped} == {
        "crash.mp4": "its decoder crashed (SIGSEGV)",
        "hang.mp4": "its decoder gives no answer for 3 s",
    }


def test_a_child_that_does_not_start_says_why(tmp_path, monkeypatch):
    real = isolation.subprocess.Popen
    broken = [sys.executable, "-c", "raise SystemExit('no such library')"]
    monkeypatch.setattr(isolation.subprocess, "Popen", lambda command, **rest: real(broken, **rest))
    with (
        pytest.raises(RuntimeError, match=r"does not start: .*exit code 1.* no such library"),
        Decoders() as d,
    ):
        d.probe(tmp_path, entry("a.mp4"))


def test_pictures_need_no_child(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation.subprocess, "Popen", None)
    write_strip(tmp_path / "a.png", moving_bar(5))
    with Decoders() as decoders:
        blocks = decoders.decode(tmp_path, Entry("a.png", "strip image", None, ("a.png",)))
        assert np.array_equal(pixels_of(blocks), moving_bar(5))


def test_threads_have_children_of_their_own(tmp_path):
    paths = [write_movie(tmp_path / f"{i}.mp4", moving_bar(4 + i)) for i in range(4)]
    lengths = {}

    def work(path: Path, decoders: Decoders) -> None:
        lengths[path.name] = len(pixels_of(decoders.decode(tmp_path, entry(path.name))))

    with Decoders() as decoders:
        threads = [threading.Thread(target=work, args=(path, decoders)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        children = [child._process for child in decoders._idle.queue]
    assert lengths == {f"{i}.mp4": 4 + i for i in range(4)}
    assert all(child.returncode == -signal.SIGKILL for child in children)  # none is left behind


def test_children_import_no_torch():
    code = "import sys, vgen.data.decoder_process; print(sys.modules.keys() & {'torch', 'pytorch_lightning'})"
    out = isolation.subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ
    )
    assert out.stdout.strip() == "set()", out.stderr
