"""Every codec, pixel format, range and matrix comes back as the colours that went in, every frame at its place."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from movies import encode, patches

from vgen.data.decode import decode, probe
from vgen.data.entry import Entry

GOOD = {
    "libx264": {"qp": "4", "preset": "ultrafast"},
    "libx265": {"x265-params": "qp=4:log-level=none", "preset": "ultrafast"},
    "libsvtav1": {"crf": "4", "preset": "8", "g": "1"},
    "libvpx-vp9": {"crf": "4", "b": "0", "cpu-used": "8", "deadline": "realtime"},
    "mpeg4": {"qscale": "2", "b": "4M"},
    "prores_ks": {},
    "mjpeg": {"qscale": "2"},
}
FILES = [
    ("a.mp4", "libx264", "yuv420p"), ("a.mp4", "libx264", "yuv422p"), ("a.mov", "libx264", "yuv444p"),
    ("a.mp4", "libx264", "yuv420p10le"), ("a.mkv", "libx264", "yuv444p10le"),
    ("a.mp4", "libx265", "yuv420p"), ("a.mp4", "libx265", "yuv420p10le"), ("a.mkv", "libx265", "yuv422p10le"),
    ("a.mp4", "libsvtav1", "yuv420p"), ("a.mkv", "libsvtav1", "yuv420p10le"),
    ("a.webm", "libvpx-vp9", "yuv420p"), ("a.mkv", "libvpx-vp9", "yuv444p"),
    ("a.avi", "mpeg4", "yuv420p"), ("a.mov", "prores_ks", "yuv422p10le"), ("a.mov", "mjpeg", "yuvj420p"),
]  # fmt: skip


def frames_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    blocks = list(decode(path.parent, Entry(path.name, "video file", None, (path.name,))))
    return np.concatenate([b.pixels for b in blocks]), np.concatenate([b.times for b in blocks])


def quarters(frames: np.ndarray) -> np.ndarray:
    """(T, 4, 3): the colour in the middle of each quarter, away from the edges that chroma is smeared over."""
    half = frames.shape[1] // 2
    middle = slice(half // 4, 3 * half // 4)
    cells = [
        frames[:, y : y + half, x : x + half][:, middle, middle].mean((1, 2))
        for y in (0, half)
        for x in (0, half)
    ]
    return np.stack(cells, axis=1)


@pytest.mark.parametrize(("name", "codec", "pix_fmt"), FILES)
def test_every_frame_in_its_colours(tmp_path, name, codec, pix_fmt):
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    pixels = patches()
    frames, times = frames_of(encode(tmp_path / name, pixels, codec, pix_fmt, options=GOOD[codec]))
    assert frames.shape == pixels.shape
    assert np.abs(quarters(frames) - quarters(pixels)).max() <= 6
    assert np.allclose(np.diff(times), 0.04, atol=0.001)


@pytest.mark.parametrize("limits", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("matrix", [Colorspace.ITU709, Colorspace.ITU601, Colorspace.SMPTE240M])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p10le"])
def test_matrix_and_range_are_honoured(tmp_path, matrix, limits, pix_fmt):
    pixels = patches(2)
    path = encode(
        tmp_path / "a.mp4", pixels, "libx264", pix_fmt, options=GOOD["libx264"], matrix=matrix, limits=limits
    )
    assert np.abs(quarters(frames_of(path)[0]) - quarters(pixels)).max() <= 4


def test_a_gif_without_frame_count(tmp_path):
    pixels = patches(5, 32)
    frames, times = frames_of(encode(tmp_path / "a.gif", pixels, "gif", "rgb8"))
    assert len(frames) == 5
    assert np.allclose(np.diff(times), 0.04)
    assert np.abs(quarters(frames) - quarters(pixels)).max() < 40  # 256 colours


def test_no_frame_count_in_the_header(tmp_path):
    path = encode(tmp_path / "a.mkv", patches(7), "libx264", "yuv420p")
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 0
    assert len(frames_of(path)[0]) == 7


@pytest.mark.parametrize(("name", "slack"), [("a.mp4", 1e-6), ("a.mkv", 0.0006)])
def test_variable_frame_rate_keeps_every_time(tmp_path, name, slack):
    ticks = [0, 40, 50, 300, 310, 1000]
    path = encode(tmp_path / name, patches(6), "libx264", "yuv420p", ticks=ticks, options={"bf": "2"})
    frames, times = frames_of(path)
    assert len(frames) == 6
    assert np.abs(times - times[0] - np.array(ticks) / 1000).max() <= slack
    assert (
        np.abs(quarters(frames) - quarters(patches(6))).max() <= 30
    )  # at its usual quality: it is the right frame


def test_odd_sizes(tmp_path):
    pixels = patches(3)[:, :33, :35]
    frames, _ = frames_of(encode(tmp_path / "a.mp4", pixels, "libx264", "yuv444p", options={"qp": "0"}))
    assert frames.shape == pixels.shape
    assert np.abs(frames.astype(int) - pixels).max() <= 3


def test_one_frame(tmp_path):
    path = encode(tmp_path / "a.mp4", patches(1), "libx264", "yuv420p")
    assert frames_of(path)[0].shape == (1, 64, 64, 3)
    assert probe(tmp_path, Entry("a.mp4", "video file", None, ("a.mp4",))).frames == 1


def test_blocks_hold_frames_of_one_size_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("vgen.data.movie.BLOCK", 2 * 64 * 64 * 3)
    path = encode(tmp_path / "a.mp4", patches(5), "libx264", "yuv420p", options=GOOD["libx264"])
    blocks = list(decode(tmp_path, Entry("a.mp4", "video file", None, (path.name,))))
    assert [len(block.pixels) for block in blocks] == [2, 2, 1]
    whole = np.concatenate([block.pixels for block in blocks])
    assert np.abs(quarters(whole) - quarters(patches(5))).max() <= 6
    assert [round(float(time * 25)) for block in blocks for time in block.times] == [0, 1, 2, 3, 4]
    assert (
        Fraction(1, 25)
        == Fraction(probe(tmp_path, Entry("a.mp4", "video file", None, (path.name,))).fps or 0) ** -1
    )
