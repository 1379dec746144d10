import os
import re
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from movies import moving_bar, write_frames, write_movie, write_strip
from PIL import Image

from vgen.data.decode import decode, first_size, probe
from vgen.data.entry import Entry, Unreadable
from vgen.data.movie import check_complete


def entry(path: Path, kind: str = "video file") -> tuple[Path, Entry]:
    files = (
        tuple(sorted(f"{path.name}/{file}" for file in os.listdir(path))) if path.is_dir() else (path.name,)
    )
    return path.parent, Entry(path.name, kind, None, files)  # pyright: ignore[reportArgumentType]


def read(path: Path, kind: str = "video file") -> np.ndarray:
    return np.concatenate([block.pixels for block in decode(*entry(path, kind))])


def cut(path: Path, share: float) -> Path:
    whole = path.read_bytes()
    short = path.with_name(f"cut{path.suffix}")
    short.write_bytes(whole[: int(len(whole) * share)])
    return short


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi", ".ts", ".m4v"])
def test_lossless_video_comes_back(tmp_path, suffix):
    pixels = moving_bar(12, 32, 48)
    frames = read(write_movie(tmp_path / f"a{suffix}", pixels))
    assert frames.shape == pixels.shape
    assert np.abs(frames.astype(int) - pixels).max() <= 3


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".webm", "libvpx-vp9"), (".gif", "gif"), (".mpg", "mpeg1video")]
)
def test_other_codecs_give_every_frame(tmp_path, suffix, codec):
    pixels = moving_bar(12, 32, 48)
    frames = read(write_movie(tmp_path / f"a{suffix}", pixels, codec=codec))
    assert frames.shape == pixels.shape
    assert np.abs(frames.astype(int) - pixels).mean() < 25


@pytest.mark.parametrize("matrix", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("limits", [ColorRange.MPEG, ColorRange.JPEG])
def test_declared_colours_are_honoured(tmp_path, matrix, limits):
    colour = np.broadcast_to(np.array([200, 50, 120], np.uint8), (16, 16, 3)).copy()
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, limits
        frame = av.VideoFrame.from_ndarray(colour, format="rgb24")
        frame = frame.reformat(format="yuv444p", dst_colorspace=matrix, dst_color_range=limits)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert np.abs(read(tmp_path / "a.mp4").astype(int) - colour).max() <= 2


@pytest.mark.parametrize(("matrix", "turns"), [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)])
def test_rotation_is_applied(tmp_path, matrix, turns):
    pixels = moving_bar(3, 32, 48)
    path = write_movie(tmp_path / "a.mp4", pixels)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # the matrix a, b, u, c, d, v, x, y, w of the track header
    a, b, c, d = (int(value * 65536).to_bytes(4, "big", signed=True) for value in matrix)
    data[at : at + 20] = a + b + bytes(4) + c + d
    path.write_bytes(data)
    upright = np.rot90(pixels, turns, axes=(1, 2))
    frames = read(path)
    assert frames.shape == upright.shape
    assert np.abs(frames.astype(int) - upright).max() <= 3


def test_resolution_may_change_midway(tmp_path):
    first, second = (write_movie(tmp_path / f"{n}.ts", moving_bar(4, n, n)) for n in (32, 64))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    shapes = [block.pixels.shape[:3] for block in decode(*entry(joined))]
    assert shapes == [(4, 32, 32), (4, 64, 64)]


def test_pictures(tmp_path):
    pixels = moving_bar(7)
    assert np.array_equal(read(write_frames(tmp_path / "v", pixels), "frame folder"), pixels)
    for vertical in (False, True):
        strip = write_strip(tmp_path / "strip.png", pixels, vertical=vertical)
        assert np.array_equal(read(strip, "strip image"), pixels)
    deep = (np.arange(32 * 32, dtype=np.uint16) * 64).reshape(32, 32)
    (tmp_path / "deep").mkdir()
    Image.fromarray(deep).save(tmp_path / "deep" / "0.png")
    assert np.array_equal(read(tmp_path / "deep", "frame folder")[0, ..., 1], deep // 257)


def test_headers_are_probed(tmp_path):
    pixels = moving_bar(10)
    mp4 = probe(*entry(write_movie(tmp_path / "a.mp4", pixels, rate=20)))
    assert (mp4.frames, mp4.fps) == (10, 20.0)
    assert probe(*entry(write_movie(tmp_path / "a.mkv", pixels, rate=20))).frames == 10  # from its duration
    assert probe(*entry(write_strip(tmp_path / "s.png", pixels), "strip image")).frames == 10
    assert probe(*entry(write_frames(tmp_path / "v", pixels), "frame folder")).frames == 10


def test_what_storage_loses(tmp_path):
    pixels = moving_bar(4)
    folders = {suffix: tmp_path / suffix for suffix in ("png", "jpg", "webp")}
    for suffix, folder in folders.items():
        folder.mkdir()
        Image.fromarray(pixels[0]).save(folder / f"0.{suffix}")
    kinds = {name: probe(*entry(folder, "frame folder")).lossy for name, folder in folders.items()}
    assert kinds == {"png": False, "jpg": True, "webp": None}
    assert probe(*entry(write_strip(tmp_path / "s.png", pixels), "strip image")).lossy is False
    movies = {
        "h264 420": ("a.mp4", "libx264", "yuv420p", True),
        "h264 444": ("b.mp4", "libx264", "yuv444p", None),
        "ffv1 rgb": ("c.mkv", "ffv1", "bgr0", False),
        "ffv1 420": ("d.mkv", "ffv1", "yuv420p", True),
        "raw": ("e.avi", "rawvideo", "bgr24", False),
        "mpeg4": ("f.avi", "mpeg4", "yuv420p", True),
        "gif": ("g.gif", "gif", "rgb8", True),
    }
    for name, (file, codec, pix_fmt, lossy) in movies.items():
        with av.open(str(tmp_path / file), "w") as out:
            stream = out.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 32, 32, pix_fmt
            for frame in pixels:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            out.mux(stream.encode(None))
        assert probe(*entry(tmp_path / file)).lossy is lossy, name
        if lossy is False:
            assert np.array_equal(read(tmp_path / file), pixels), name


def test_the_first_frame_has_the_size_of_the_others(tmp_path):
    pixels = moving_bar(3, 32, 48)
    path = write_movie(tmp_path / "a.mp4", pixels)
    assert first_size(*entry(path)) == (32, 48)
    assert probe(*entry(path)).size == (48, 32)


NOISE = np.random.Generator(np.random.PCG64(0)).integers(0, 255, (40, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("share", [0.4, 0.8])
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {}),
        ("front.mp4", "libx264", {"movflags": "faststart"}),
        ("a.mkv", "libx264", {}),
        ("a.webm", "libvpx-vp9", {}),
        ("a.avi", "mpeg4", {}),
        ("a.flv", "libx264", {}),
    ],
)
def test_truncated_videos_are_refused(tmp_path, name, codec, options, share):
    if codec == "libx264" and name.endswith("flv"):
        codec = "flv1" if "flv1" in av.codecs_available else "flv"
    whole = write_movie(tmp_path / name, NOISE, codec=codec, options=options)
    assert len(read(whole)) == 40
    with pytest.raises((Unreadable, OSError, ValueError)):
        read(cut(whole, share))


def test_damaged_bytes_are_refused(tmp_path):
    path = write_movie(tmp_path / "a.mp4", NOISE)
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 3, len(data) // 2, 97):
        data[at] ^= 0x5A
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=r"after \d+ frames|frame \d+ is damaged"):
        read(path)


def test_a_short_end_needs_every_witness():
    container = SimpleNamespace(streams=[0, 1], duration=9_000_000)

    def stream(frames, duration):
        return SimpleNamespace(frames=frames, duration=duration, start_time=0, time_base=1, metadata={})

    check_complete(container, stream(100, 10), 50, 10.0)  # an edit list hides half of the frames
    check_complete(container, stream(100, 20), 100, 10.0)  # the duration is that of the sound
    check_complete(container, stream(0, None), 1, 0.1)  # nothing is declared
    check_complete(container, stream(100, 10), 95, 9.5)
    for frames, duration in ((100, 10), (100, None), (0, 10)):
        with pytest.raises(Unreadable, match="truncated"):
            check_complete(container, stream(frames, duration), 50, 5.0)
    with pytest.raises(Unreadable, match="no frame"):
        check_complete(container, stream(0, None), 0, 0.0)


@pytest.mark.parametrize("kind", ["video file", "strip image"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello world\n" * 50,
        bytes(range(256)) * 20,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.mp4\n",
        b"ffconcat version 1.0\nfile real.mp4\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
    ],
)
def test_other_content_under_the_name_of_a_video(tmp_path, content, kind):
    write_movie(tmp_path / "real.mp4", moving_bar(3))
    path = tmp_path / ("fake.mp4" if kind == "video file" else "fake.png")
    path.write_bytes(content)
    with pytest.raises((Unreadable, OSError, ValueError)):
        read(path, kind)


def test_titles_need_not_be_utf8(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "A" * 20
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for frame in moving_bar(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"A" * 20, b"\xe9" * 20))
    assert len(read(path)) == 5


def test_sound_without_pictures(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        out.mux(stream.encode(sound))
        out.mux(stream.encode(None))
    with pytest.raises(Unreadable, match="no video stream"):
        read(path)


def test_damaged_pictures_are_named(tmp_path):
    folder = write_frames(tmp_path / "v", moving_bar(3, 64, 64))
    cut(folder / "frame1.png", 0.5).replace(folder / "frame1.png")
    with pytest.raises(Unreadable, match=re.escape("frame1.png: ")):
        read(folder, "frame folder")
    Image.new("RGB", (50, 40)).save(tmp_path / "odd.png")
    with pytest.raises(Unreadable, match="50x40 pixels are no strip"):
        read(tmp_path / "odd.png", "strip image")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("kind", ["video file", "strip image"])
def test_a_pipe_is_refused_at_once(tmp_path, kind):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises((OSError, Unreadable), match="not a regular file"):
        read(tmp_path / "a.mp4", kind)
