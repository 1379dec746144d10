import io
from pathlib import Path

import av
import numpy as np
import pytest
from movies import moving_bar, write_movie

from vgen.data.entry import Unreadable
from vgen.data.whole import check_whole

NOISE = np.random.Generator(np.random.PCG64(0)).integers(0, 255, (8, 32, 32, 3), dtype=np.uint8)


def verdict(content: bytes) -> str:
    file = io.BytesIO(content)
    try:
        check_whole(file)
    except Unreadable as error:
        return str(error)
    finally:
        assert file.tell() == 0
    return ""


@pytest.fixture(scope="module")
def movies(tmp_path_factory) -> dict[str, bytes]:
    folder: Path = tmp_path_factory.mktemp("movies")
    made = {
        name: write_movie(folder / name, NOISE, codec=codec, options=options)
        for name, codec, options in [
            ("a.mp4", "libx264", {}), ("front.mp4", "libx264", {"movflags": "faststart"}), ("a.mov", "libx264", {}),
            ("a.mkv", "libx264", {}), ("a.webm", "libvpx-vp9", {}), ("a.avi", "mpeg4", {}), ("a.gif", "gif", {}),
            ("a.ts", "libx264", {}), ("a.m2ts", "libx264", {}),
        ]
    }  # fmt: skip
    return {name: path.read_bytes() for name, path in made.items()}


CONTAINERS = ["a.mp4", "front.mp4", "a.mov", "a.mkv", "a.webm", "a.avi", "a.gif", "a.ts", "a.m2ts"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_whole_file_passes_and_any_cut_is_told(movies, name):
    whole = movies[name]
    assert verdict(whole) == ""
    cuts = {len(whole) - 1, len(whole) - 7, *range(len(whole) // 3, len(whole), max(1, len(whole) // 40))}
    packet = {"a.ts": 188, "a.m2ts": 192}.get(name)
    for cut in cuts:
        told = "truncated" in verdict(whole[:cut])
        at_an_edge = bool(packet and cut % packet == 0) or (name == "a.avi" and cut >= len(whole) - 8)
        assert told != at_an_edge, cut


def test_what_comes_after_the_end_is_passed_over(movies):
    for name in ("a.mp4", "a.mkv", "a.avi", "a.gif"):
        assert verdict(movies[name] + bytes(40)) == ""
        assert verdict(movies[name] + b"junk that some tool wrote") == "", name


def test_other_formats_pass(tmp_path):
    assert verdict(b"") == verdict(b"RIFF") == verdict(b"G") == ""
    assert (
        verdict(write_movie(tmp_path / "a.mpg", moving_bar(4), codec="mpeg1video").read_bytes()[:-50]) == ""
    )


def test_a_header_that_was_never_finished_passes(tmp_path):
    path = tmp_path / "live.mkv"
    with av.open(str(path), "w", options={"live": "1"}) as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for frame in NOISE:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
    assert verdict(path.read_bytes()) == ""
    assert verdict(path.read_bytes()[:-100]) == ""  # which is why it then passes


def test_random_bytes_after_a_known_beginning(tmp_path):
    rng = np.random.Generator(np.random.PCG64(1))
    starts = [b"RIFF", b"\x1a\x45\xdf\xa3", b"GIF89a", b"\0\0\0\x20ftyp", b"G"]
    for start in starts:
        for _ in range(200):
            verdict(start + rng.bytes(int(rng.integers(0, 700))))  # no other error, no endless loop
