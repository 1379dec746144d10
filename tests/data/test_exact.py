"""Frames equal FFmpeg's own raw decode, each at its index: real files, against the `ffmpeg` command."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from movies import encode, patches

from vgen.data.movie import TO_RGB
from vgen.data.videos import Videos

SHARED = Path(os.environ.get("VGEN_SHARED", Path(__file__).parents[2].parent / "shared")) / "data" / "videos"
FFMPEG = shutil.which("ffmpeg")
pytestmark = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg command here: apt-get install ffmpeg")
REAL = sorted(SHARED.iterdir()) if SHARED.is_dir() else []
QUICK = ("h265_video.mp4", "carphone_pristine.mp4")
NAMES = [p.name if p.name in QUICK else pytest.param(p.name, marks=pytest.mark.slow) for p in REAL]


def raw_frames(path: Path) -> Iterator[np.ndarray]:
    """PyAV's own frames, converted one by one (H, W, 3), after their planes were found equal to what `ffmpeg` gives."""
    command = [
        FFMPEG,
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:v:0",
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
    ]
    with av.open(str(path)) as container:
        pix_fmt = container.streams.video[0].codec_context.pix_fmt
        process = subprocess.Popen([*command, "-pix_fmt", str(pix_fmt), "-"], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for frame in container.decode(video=0):
            planes = frame.to_ndarray()
            assert process.stdout.read(planes.nbytes) == planes.tobytes()
            yield frame.reformat(format="rgb24", interpolation=TO_RGB, threads=1).to_ndarray()
        assert process.stdout.read(1) == b""
    assert process.wait() == 0


def check(path: Path, cache: Path) -> None:
    folder = cache / "set"
    folder.mkdir(parents=True)
    (folder / path.name).symlink_to(path)
    videos = Videos(path=str(folder), size=None, cache=str(cache))
    videos.prepare()
    assert videos.skipped == []
    count = 0
    for t, expected in enumerate(raw_frames(path)):
        assert np.array_equal(videos.read(0, np.array([t]))[0], expected), t
        count += 1
    assert videos.length(0) == count
    rng = np.random.Generator(np.random.PCG64(0))
    wanted = rng.integers(0, count, 12)
    kept = {t: frame for t, frame in enumerate(raw_frames(path)) if t in wanted}
    assert np.array_equal(
        videos.read(0, wanted), np.stack([kept[t] for t in wanted])
    )  # in any order, and again


@pytest.mark.shared_data
@pytest.mark.skipif(not REAL, reason="no shared data here")
@pytest.mark.parametrize(
    "name", [p.name if p.name in QUICK else pytest.param(p.name, marks=pytest.mark.slow) for p in REAL]
)
def test_real_files(tmp_path, name):
    check(SHARED / name, tmp_path)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.mp4", "libx264", "yuv420p"), ("a.mkv", "libx265", "yuv420p10le"), ("a.webm", "libvpx-vp9", "yuv444p"),
     ("a.avi", "mpeg4", "yuv420p")],
)  # fmt: skip
def test_made_files(tmp_path, name, codec, pix_fmt):
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    check(encode(tmp_path / "made" / name, patches(12), codec, pix_fmt, options=quiet), tmp_path / "cache")
