"""Damaged and hostile files of every kind: each is skipped and listed or read as it was, and nothing else happens."""

import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from movies import encode, moving_bar, patches, png, write_movie, write_strip, write_tar, write_zip

from vgen.data import isolation
from vgen.data.videos import Videos

CLEAN = patches(12)
SECONDS = 3.0  # per file, far above what the slowest takes on a busy machine; a hang is longer


@dataclass(frozen=True)
class Damage:
    name: str
    make: Callable[[bytes, np.random.Generator], bytes]


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for at in rng.integers(0, len(data), int(rng.integers(1, 30))):
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def zeros(data: bytes, rng: np.random.Generator) -> bytes:
    at, length = int(rng.integers(0, len(data))), int(rng.integers(1, 400))
    return data[:at] + bytes(min(length, len(data) - at)) + data[at + length :]


def huge(data: bytes, rng: np.random.Generator) -> bytes:
    """A number in a header becomes as large as it can be."""
    at = int(rng.integers(0, min(len(data) - 4, 600)))
    return data[:at] + b"\xff\xff\xff\x7f"[: int(rng.integers(1, 5))] + data[at + 4 :]


def gap(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(data)))
    return data[:at] + data[at + int(rng.integers(1, 300)) :]


def extra(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(data)))
    return data[:at] + rng.bytes(int(rng.integers(1, 300))) + data[at:]


DAMAGES = [Damage(make.__name__, make) for make in (cut, flip, zeros, huge, gap, extra)]


def video_files(folder: Path) -> dict[str, bytes]:
    made = {
        "h264.mp4": ("libx264", "yuv420p"), "h264.mkv": ("libx264", "yuv420p"), "h264.ts": ("libx264", "yuv420p"),
        "h264.mov": ("libx264", "yuv444p"), "h265.mp4": ("libx265", "yuv420p10le"), "h264.flv": ("libx264", "yuv420p"),
        "vp9.webm": ("libvpx-vp9", "yuv420p"), "av1.mp4": ("libsvtav1", "yuv420p"), "mpeg4.avi": ("mpeg4", "yuv420p"),
        "anim.gif": ("gif", "rgb8"), "mpeg1.mpg": ("mpeg1video", "yuv420p"),
    }  # fmt: skip
    quiet = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"preset": "12"}}
    return {
        name: encode(folder / name, CLEAN, codec, pix_fmt, options=quiet.get(codec)).read_bytes()
        for name, (codec, pix_fmt) in made.items()
        if codec in av.codecs_available
    }


def pictures(folder: Path) -> dict[str, bytes]:
    names = ("strip.png", "strip.jpg", "strip.bmp", "strip.webp", "strip.tif")
    return {name: write_strip(folder / name, CLEAN).read_bytes() for name in names}


def archives(folder: Path) -> dict[str, bytes]:
    frames = {f"v/{t}.png": png(frame) for t, frame in enumerate(CLEAN)}
    movie = write_movie(folder / "a.mp4", CLEAN).read_bytes()
    return {
        "frames.zip": write_zip(folder / "frames.zip", frames).read_bytes(),
        "frames.tar": write_tar(folder / "frames.tar", frames).read_bytes(),
        "samples.tar": write_tar(folder / "samples.tar", {"a.cls": b"1", "a.mp4": movie}).read_bytes(),
    }


def arrays(folder: Path) -> dict[str, bytes]:
    np.save(folder / "a.npy", CLEAN)
    made = {"a.npy": (folder / "a.npy").read_bytes()}
    try:
        import h5py
    except ImportError:
        return made
    with h5py.File(folder / "a.h5", "w") as file:
        file["image"] = CLEAN.transpose(0, 3, 1, 2)
    return made | {"a.h5": (folder / "a.h5").read_bytes()}


KINDS = {"video files": video_files, "pictures": pictures, "archives": archives, "arrays": arrays}
# What holds a checksum of the pixels, or says its own size: of these no damage gives other frames.
SURE = ("frames.zip", "frames.tar", "strip.png")


def prepared(folder: Path) -> Videos | str:
    videos = Videos(path=str(folder), size=32, labels="none", cache=str(folder.parent / "cache"))
    try:
        videos.prepare()
    except ValueError as error:
        return str(error)
    return videos


def frames_of(videos: Videos) -> dict[str, np.ndarray]:
    return {name: videos.read(i, np.arange(videos.length(i))) for i, name in enumerate(videos.names)}


def check(tmp_path: Path, kind: str, rounds: int, seed: int) -> Counter:
    """Damage every file of a kind in every way, `rounds` times; returns how they ended, by (file, damage, end)."""
    (tmp_path / "made").mkdir()
    clean_files = KINDS[kind](tmp_path / "made")
    for name, content in clean_files.items():
        (tmp_path / "clean").mkdir(exist_ok=True)
        (tmp_path / "clean" / name).write_bytes(content)
    whole = prepared(tmp_path / "clean")
    assert isinstance(whole, Videos)
    assert whole.skipped == []
    clean = {name.split("/")[0].split("[")[0]: frames for name, frames in frames_of(whole).items()}
    rng = np.random.Generator(np.random.PCG64(seed))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / f"000-clean-{next(iter(clean_files))}").write_bytes(next(iter(clean_files.values())))
    written: list[str] = []
    for round_ in range(rounds):
        for name, content in clean_files.items():
            for damage in DAMAGES:
                written.append(f"{round_}-{damage.name}-{name}")
                (tmp_path / "bad" / written[-1]).write_bytes(damage.make(content, rng))
    around = sorted(str(path) for path in tmp_path.parent.rglob("*") if "cache" not in path.parts)
    handles = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    started = time.monotonic()
    videos = prepared(tmp_path / "bad")
    assert time.monotonic() - started < SECONDS * (20 + len(written))
    assert isinstance(videos, Videos), videos
    assert sorted(str(path) for path in tmp_path.parent.rglob("*") if "cache" not in path.parts) == around
    if handles:
        assert len(os.listdir("/proc/self/fd")) <= handles + 20  # the archives that stay open, at most 16
    read = frames_of(videos)
    listed = {skipped.path: skipped.reason for skipped in videos.skipped}
    assert all(reason and "\n" not in reason for reason in listed.values())
    ends: Counter = Counter()
    for file in written:
        _, damage, name = file.split("-", 2)
        mine = [
            frames for key, frames in read.items() if key == file or key.startswith((f"{file}/", f"{file}["))
        ]
        told = any(key == file or key.startswith((f"{file}/", f"{file}[")) for key in listed)
        if not mine:
            assert told, f"{file} is neither read nor listed"
            ends[name, damage, "listed"] += 1
            continue
        original = clean[name]
        same = all(len(f) <= len(original) and np.array_equal(f, original[: len(f)]) for f in mine)
        if damage == "cut" or name in SURE:
            assert same, f"{file} gives frames that it did not hold"
        ends[name, damage, "as it was" if same else "other frames"] += 1
    return ends


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path, kind):
    ends = check(tmp_path, kind, rounds=1, seed=0)
    assert sum(n for (_, _, end), n in ends.items() if end == "listed") > 0.4 * ends.total()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_files(tmp_path, kind):
    """1,000 and more in all; prints how they end."""
    rounds = {"video files": 8, "pictures": 10, "archives": 12, "arrays": 12}[kind]
    ends = check(tmp_path, kind, rounds, seed=1)
    by_end = Counter()
    for (name, _, end), count in sorted(ends.items()):
        by_end[name, end] += count
    print(
        f"\n{kind}: {ends.total()} files",
        *(f"{k[0]:12} {k[1]:14} {n}" for k, n in by_end.items()),
        sep="\n  ",
    )


def test_names_that_lie(tmp_path):
    contents = video_files(tmp_path)
    folder = tmp_path / "set"
    folder.mkdir()
    mp4, gif = contents["h264.mp4"], contents["anim.gif"]
    for name, content in {
        "mp4.avi": mp4, "gif.mp4": gif, "mkv.gif": contents["h264.mkv"], "empty.mp4": b"", "text.mkv": b"hello\n" * 99,
        "zip.mp4": write_zip(tmp_path / "z.zip", {"a.mp4": mp4}).read_bytes(), "png.mp4": png(CLEAN[0]),
    }.items():  # fmt: skip
        (folder / name).write_bytes(content)
    videos = prepared(folder)
    assert isinstance(videos, Videos)
    assert videos.names == ["gif.mp4", "mkv.gif", "mp4.avi"]  # content decides, not the name
    assert {s.path for s in videos.skipped} == {"empty.mp4", "png.mp4", "text.mkv", "zip.mp4"}


def test_frames_of_a_declared_size_beyond_belief(tmp_path):
    (tmp_path / "set").mkdir()
    gif = bytearray(write_movie(tmp_path / "a.gif", moving_bar(3), codec="gif").read_bytes())
    gif[6:10] = b"\xff\xff\xff\xff"
    (tmp_path / "set" / "a.gif").write_bytes(gif)
    write_movie(tmp_path / "set" / "good.mp4", moving_bar(3))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    videos = prepared(tmp_path / "set")
    assert isinstance(videos, Videos)
    assert videos.names == ["good.mp4"]
    assert videos.skipped[0].path == "a.gif"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_a_size_that_changes_midway_is_resized_frame_by_frame(tmp_path):
    first, second = (write_movie(tmp_path / f"{n}.ts", moving_bar(4, n, n)) for n in (32, 64))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "joined.ts").write_bytes(first.read_bytes() + second.read_bytes())
    videos = prepared(tmp_path / "set")
    assert isinstance(videos, Videos)
    assert videos.length(0) == 8
    strict = Videos(path=str(tmp_path / "set"), size=None, cache=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="frames of 64x64 pixels, and most videos have 32x32"):
        strict.prepare()


@pytest.mark.slow
def test_memory_stays_flat_over_10000_decodes(tmp_path):
    paths = [write_movie(tmp_path / f"{i}.mp4", moving_bar(8, 32 + 8 * (i % 3), 48)) for i in range(9)]
    (tmp_path / "9.mp4").write_bytes(paths[0].read_bytes()[:-300])
    entries = [isolation.Entry(f"{i}.mp4", "video file", None, (f"{i}.mp4",)) for i in range(10)]

    def resident(pid: int | str) -> float:
        """MB"""
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    seen = {}
    with isolation.Decoders() as decoders:
        for count in range(10_000):
            try:
                assert sum(len(b.pixels) for b in decoders.decode(tmp_path, entries[count % 10])) == 8
            except isolation.Unreadable:
                assert count % 10 == 9
            if count in (1000, 9999):
                child = decoders._idle.queue[-1]._process.pid
                seen[count] = child, resident(child), resident("self")
    print("\nMB of child and parent after 1,001 and 10,000 decodes:", seen)
    assert seen[1000][0] == seen[9999][0]  # one child has done them all
    assert seen[9999][1] - seen[1000][1] < 3
    assert seen[9999][2] - seen[1000][2] < 3
