import json
import logging
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from movies import encode, moving_bar, write_frames, write_movie, write_strip

from vgen.data import cache, packing
from vgen.data.evaluation_clips import VideoClips
from vgen.data.source import VideoSource
from vgen.data.videos import Videos

SHARED = Path(os.environ.get("VGEN_SHARED", Path(__file__).parents[2].parent / "shared")) / "data"


@pytest.fixture
def folder(tmp_path):
    """Six readable videos in two classes."""
    top = tmp_path / "set"
    for i in range(4):
        write_strip(top / "a" / f"{i}.png", moving_bar(6 + i, step=i + 1))
    for i in range(2):
        write_strip(top / "b" / f"{i}.png", moving_bar(5, step=i + 5))
    return top


def open_videos(folder: Path, **arguments) -> Videos:
    videos = Videos(path=str(folder), **{"size": 32, "cache": str(folder.parent / "cache"), **arguments})
    videos.prepare()
    return videos


def packs(folder: Path) -> list[Path]:
    return sorted(path for path in (folder.parent / "cache").iterdir() if path.is_dir())


def test_pixels_labels_and_lengths(folder):
    videos = open_videos(folder)
    assert isinstance(videos, VideoSource)
    assert (videos.name, videos.classes, videos.describe()) == (
        "set",
        ["a", "b"],
        "6 strip images in 2 classes",
    )
    assert [videos.length(i) for i in range(len(videos))] == [6, 7, 8, 9, 5, 5]
    assert [videos.label(i) for i in range(len(videos))] == [0, 0, 0, 0, 1, 1]
    assert np.array_equal(videos.read(3, np.array([8, 0, 0, 4])), moving_bar(9, step=4)[[8, 0, 0, 4]])
    assert np.array_equal(videos.read(4, np.arange(5)), moving_bar(5, step=5))
    clip = videos.read(0, np.arange(2))
    clip[:] = 0  # a copy, not the map
    assert videos.read(0, np.arange(2)).any()
    for wrong in ([6], [-1]):
        with pytest.raises(IndexError, match=r"a/0.png, which has 6"):
            videos.read(0, np.array(wrong))


def test_all_three_layouts_give_the_same_pixels(tmp_path):
    pixels = moving_bar(8)
    write_strip(tmp_path / "strips" / "v.png", pixels)
    write_frames(tmp_path / "frames" / "v", pixels)
    write_movie(tmp_path / "movies" / "v.mp4", pixels, rate=12)
    strips, frames, movies = (open_videos(tmp_path / name) for name in ("strips", "frames", "movies"))
    whole = np.arange(8)
    assert np.array_equal(strips.read(0, whole), frames.read(0, whole))
    assert np.abs(strips.read(0, whole).astype(int) - movies.read(0, whole)).max() <= 3
    assert strips.fingerprint == frames.fingerprint != movies.fingerprint
    assert (strips.fps, movies.fps) == (None, 12.0)


def test_mixed_sizes_within_and_across_videos(tmp_path):
    write_frames(tmp_path / "set" / "v", moving_bar(4, 40, 60))
    write_frames(tmp_path / "extra", moving_bar(2, 30, 30))
    for i in range(2):
        shutil.move(tmp_path / "extra" / f"frame{i}.png", tmp_path / "set" / "v" / f"frame{i + 4}.png")
    write_frames(tmp_path / "set" / "w", moving_bar(3, 90, 20))
    videos = open_videos(tmp_path / "set", channels=1, resize="squash")
    assert [videos.read(i, np.arange(videos.length(i))).shape for i in (0, 1)] == [
        (6, 32, 32, 1),
        (3, 32, 32, 1),
    ]


def test_as_stored_takes_the_size_that_most_have(tmp_path):
    for name, (height, width) in {"a": (24, 40), "b": (24, 40), "c": (40, 24), "d": (24, 24)}.items():
        write_frames(tmp_path / "set" / name, moving_bar(5, height, width))
    (tmp_path / "set" / "e").mkdir()
    (tmp_path / "set" / "e" / "0.png").write_bytes(b"no image")
    write_movie(tmp_path / "set" / "one.mp4", moving_bar(1, 24, 40))
    videos = open_videos(tmp_path / "set", size=None, min_frames=2)
    assert videos.names == ["a", "b"]
    assert np.array_equal(videos.read(1, np.arange(5)), moving_bar(5, 24, 40))
    reasons = {skipped.path: skipped.reason for skipped in videos.skipped}
    assert reasons["c"] == "frames of 24x40 pixels, and most videos have 40x24"
    assert reasons["d"] == "frames of 24x24 pixels, and most videos have 40x24"
    assert reasons["one.mp4"] == "1 frames, 2 needed"
    assert set(reasons) == {"c", "d", "e", "one.mp4"}
    grey = open_videos(tmp_path / "set", size=None, channels=1)
    assert grey.read(0, np.arange(2)).shape == (2, 24, 40, 1)
    again = Videos(path=str(tmp_path / "set"), size=None, cache=str(tmp_path / "cache"), min_frames=2)
    again.setup()
    assert again.fingerprint == videos.fingerprint


def test_a_size_that_changes_within_a_video_is_skipped_as_stored(tmp_path):
    for name, (height, width) in {"a": (24, 24), "b": (24, 24)}.items():
        write_frames(tmp_path / "set" / name, moving_bar(3, height, width))
    write_frames(tmp_path / "extra", moving_bar(1, 30, 24))
    shutil.move(tmp_path / "extra" / "frame0.png", tmp_path / "set" / "b" / "frame3.png")
    videos = open_videos(tmp_path / "set", size=None)
    assert [(s.path, s.reason) for s in videos.skipped] == [
        ("b", "frames of 24x30 pixels, and most videos have 24x24")
    ]


def test_facts_of_storage(tmp_path):
    write_movie(tmp_path / "set" / "a.mp4", moving_bar(4, 32, 48), rate=12)
    write_movie(tmp_path / "set" / "b.avi", moving_bar(4, 32, 48), codec="mpeg4", rate=24)
    write_movie(tmp_path / "set" / "c.avi", moving_bar(4, 64, 64), codec="mpeg4", rate=24)
    videos = open_videos(tmp_path / "set")
    assert videos.rates == [12.0, 24.0, 24.0]
    assert videos.fps == 24.0
    assert videos.lossy is True
    assert videos.stored_sizes == "48x32, 64x64"
    (tmp_path / "set" / "b.avi").unlink()
    (tmp_path / "set" / "c.avi").unlink()
    assert open_videos(tmp_path / "set").lossy is None  # h264 in 4:4:4 can be either
    write_strip(tmp_path / "exact" / "a.png", moving_bar(4))
    assert open_videos(tmp_path / "exact").lossy is False


def test_the_filter_is_part_of_the_pack(tmp_path):
    write_frames(tmp_path / "set" / "a", moving_bar(4, 42, 61))
    sets = [open_videos(tmp_path / "set", resample=how) for how in ("bicubic", "videogpt", "cdfvd", "digan")]
    assert len(packs(tmp_path / "set")) == 4
    assert len({videos.fingerprint for videos in sets}) == 4


def test_decoded_once(folder, monkeypatch):
    first = open_videos(folder)
    monkeypatch.setattr("vgen.data.videos.write_pack", None)  # decoding again would raise
    again = open_videos(folder)
    assert again.fingerprint == first.fingerprint
    other = Videos(path=str(folder), size=32, cache=str(folder.parent / "cache"))
    other.setup()
    assert np.array_equal(other.read(2, np.arange(3)), first.read(2, np.arange(3)))


def test_setup_needs_prepare(folder):
    videos = Videos(path=str(folder), size=32, cache=str(folder.parent / "cache"))
    assert videos.classes == ["a", "b"]  # known before
    with pytest.raises(ValueError, match="was not prepared"):
        videos.setup()
    with pytest.raises(RuntimeError, match="come first"):
        len(videos)


def test_what_changes_the_pixels_changes_pack_and_fingerprint(folder):
    variants = [{}, {"size": 16}, {"channels": 1}, {"size": 16, "resize": "squash"}]
    assert len({open_videos(folder, **variant).fingerprint for variant in variants}) == 4
    assert len(packs(folder)) == 4
    before = open_videos(folder).fingerprint
    write_strip(folder / "a" / "0.png", moving_bar(6, step=7))
    assert open_videos(folder).fingerprint != before
    assert len(packs(folder)) == 5


def test_the_fingerprint_follows_content_not_place(folder, tmp_path):
    before = open_videos(folder).fingerprint
    copy = shutil.copytree(folder, tmp_path / "elsewhere" / "copied")
    os.utime(copy / "a" / "0.png", (1, 1))
    assert open_videos(copy).fingerprint == before
    (copy / "a" / "0.png").rename(copy / "b" / "9.png")
    assert open_videos(copy).fingerprint != before


def test_short_videos_are_skipped_without_decoding_again(folder):
    every = open_videos(folder)
    longer = open_videos(folder, min_frames=7)
    assert len(packs(folder)) == 1
    assert [longer.length(i) for i in range(len(longer))] == [7, 8, 9]
    assert [(s.path, s.reason) for s in longer.skipped][:2] == [
        ("a/0.png", "6 frames, 7 needed"),
        ("b/0.png", "5 frames, 7 needed"),
    ]
    assert longer.fingerprint != every.fingerprint
    assert np.array_equal(longer.read(0, np.arange(7)), every.read(1, np.arange(7)))
    every.min_frames = 9
    every.prepare()
    assert len(every) == 1
    with pytest.raises(ValueError, match=r"no usable video in .*a/0.png: 6 frames, 50 needed \(and 5 more\)"):
        open_videos(folder, min_frames=50)


def test_bad_files_are_skipped_listed_and_logged(folder, caplog):
    (folder / "a" / "bad.png").write_bytes(b"no image")
    (folder / "b" / "broken.png").symlink_to("nowhere.png")
    whole = (folder / "a" / "3.png").read_bytes()
    (folder / "a" / "half.png").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        videos = open_videos(folder)
    assert len(videos) == 6
    assert [skipped.path for skipped in videos.skipped] == ["a/bad.png", "a/half.png", "b/broken.png"]
    assert all(skipped.reason and "\n" not in skipped.reason for skipped in videos.skipped)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "skipped a/bad.png",
        "skipped a/half.png",
        "skipped b/broken.png",
    ]
    assert len(json.loads((packs(folder)[0] / "dataset.json").read_text())["skipped"]) == 3
    with pytest.raises(ValueError, match=r"data\.strict: a/bad\.png: .*\(and 2 more\)"):
        open_videos(folder, strict=True)


def test_the_log_is_kept_short(folder, caplog):
    for i in range(30):
        (folder / "a" / f"bad{i}.mp4").write_text("no video")
    (folder / "a" / "good.mp4").unlink(missing_ok=True)
    with caplog.at_level(logging.WARNING):
        videos = open_videos(folder)
    assert len(videos.skipped) == 30
    skipped = [record for record in caplog.records if record.name == "vgen.data.videos"]
    assert len(skipped) == 21
    assert len(caplog.records) == 22  # one more tells of the images beside these files
    assert caplog.records[-1].message.startswith("skipped 10 more videos")


def test_nothing_usable_is_an_error(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"no usable video in .*a.mp4: Invalid data"):
        open_videos(tmp_path / "set")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_forbidden_files_are_skipped_until_allowed(folder):
    (folder / "a" / "0.png").chmod(0)
    assert open_videos(folder).skipped[0].reason == "0.png: Permission denied"
    (folder / "a" / "0.png").chmod(0o644)
    assert open_videos(folder).skipped == []


def test_wrong_arguments(tmp_path):
    for wrong in ({"size": 0}, {"channels": 4}, {"resize": "stretch"}, {"resample": "nearest"}):
        with pytest.raises(ValueError, match=f"data.{next(iter(wrong))} is"):
            Videos(**{"path": str(tmp_path), "size": 8, **wrong})
    with pytest.raises(FileNotFoundError, match=r"data\.path"):
        Videos(path=str(tmp_path / "nowhere"), size=8).prepare()


def test_the_cache_is_where_the_environment_says(folder, monkeypatch):
    monkeypatch.setenv("VGEN_CACHE", str(folder.parent / "by-environment"))
    Videos(path=str(folder), size=32).prepare()
    assert len(list((folder.parent / "by-environment").glob("set-32-*/frames.npy"))) == 1


@pytest.mark.parametrize("damage", ["short", "long", "no index", "half index", "no frames", "other key"])
def test_a_damaged_pack_is_made_again(folder, damage):
    before = open_videos(folder).fingerprint
    pack = packs(folder)[0]
    frames, index = pack / "frames.npy", pack / "dataset.json"
    size = frames.stat().st_size
    match damage:
        case "short":
            frames.write_bytes(frames.read_bytes()[:-1])
        case "long":
            frames.write_bytes(frames.read_bytes() + b"x")
        case "no index":
            index.unlink()
        case "half index":
            index.write_text(index.read_text()[:200])
        case "no frames":
            frames.unlink()
        case "other key":
            index.write_text(index.read_text().replace('"key": "', '"key": "0'))
    videos = open_videos(folder)
    assert videos.fingerprint == before
    assert np.array_equal(videos.read(5, np.arange(5)), moving_bar(5, step=6))
    assert packs(folder) == [pack]
    assert frames.stat().st_size == size


def test_a_full_disk_is_said_before_and_during(folder, monkeypatch):
    usage = shutil.disk_usage(folder)._replace(free=10_000)
    with monkeypatch.context() as patch:
        patch.setattr(cache.shutil, "disk_usage", lambda _: usage)
        with pytest.raises(ValueError, match=r"too little space .*GB are needed, .*VGEN_CACHE"):
            open_videos(folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(packing.shutil, "copyfileobj", full)
        with pytest.raises(ValueError, match=r"too little space in the cache .*No space left"):
            open_videos(folder)
    assert packs(folder) == []
    assert len(open_videos(folder)) == 6


def test_a_cache_that_cannot_be_written_is_said(folder):
    (folder.parent / "cache").write_text("a file in its place")
    with pytest.raises(ValueError, match=r"cannot write the cache"):
        open_videos(folder)


def test_long_videos_go_over_the_disk(folder, monkeypatch):
    before = open_videos(folder).fingerprint
    shutil.rmtree(folder.parent / "cache")
    monkeypatch.setattr(packing, "IN_MEMORY", 1000)
    assert open_videos(folder).fingerprint == before


def test_a_pickled_source_carries_no_pixels(folder):
    videos = open_videos(folder)
    copy = pickle.loads(pickle.dumps(videos))
    assert len(pickle.dumps(videos)) < 10_000
    assert np.array_equal(copy.read(1, np.arange(7)), videos.read(1, np.arange(7)))


def _prepare(folder: Path, start, fingerprints) -> None:
    start.wait()
    fingerprints.put(open_videos(folder).fingerprint)


def test_two_processes_at_once(folder):
    context = multiprocessing.get_context("fork")
    start, fingerprints = context.Event(), context.Queue()
    processes = [context.Process(target=_prepare, args=(folder, start, fingerprints)) for _ in range(2)]
    for process in processes:
        process.start()
    start.set()
    assert fingerprints.get(timeout=60) == fingerprints.get(timeout=60) == open_videos(folder).fingerprint
    for process in processes:
        process.join(10)
    assert len(packs(folder)) == 1


KILLED = """
import sys, time
from vgen.data import fitting, videos
real = fitting.to_square
def slow(*a, **k):
    print("decoding", flush=True)
    time.sleep(60)
fitting.to_square = slow
videos.Videos(path=sys.argv[1], size=32, cache=sys.argv[2]).prepare()
"""


def test_a_killed_pack_leaves_nothing_to_be_mistaken(folder):
    arguments = [sys.executable, "-c", KILLED, str(folder), str(folder.parent / "cache")]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=root, text=True)
    assert process.stdout is not None
    assert "decoding" in process.stdout.readline()
    left = packs(folder)
    assert [path.suffix for path in left] == [".tmp"]
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    started = time.monotonic()
    assert len(open_videos(folder)) == 6  # neither waits for the dead nor believes it
    assert time.monotonic() - started < 30
    assert [path.suffix for path in packs(folder)] == [""]


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data here")
def test_real_strips(tmp_path):
    videos = Videos(path=str(SHARED / "weizmann"), size=64, cache=str(tmp_path))
    videos.prepare()
    assert videos.describe() == "56 strip images in 4 classes"
    assert (len(videos), videos.classes, videos.skipped) == (56, ["bend", "jack", "wave1", "wave2"], [])
    assert sum(videos.length(i) for i in range(56)) == 4116


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data here")
def test_real_video_files(tmp_path):
    (tmp_path / "set").mkdir()
    for name in ("av1_video.mkv", "carphone_pristine.mp4", "h265_video.mp4"):
        (tmp_path / "set" / name).symlink_to(SHARED / "videos" / name)
    videos = open_videos(tmp_path / "set")
    assert [videos.length(i) for i in range(len(videos))] == [125, 120, 10]
    assert videos.fps == 25.0
    assert videos.skipped == []


def test_at_another_rate_the_nearest_frames(tmp_path):
    bars = {25: moving_bar(26), 30: moving_bar(31), 10: moving_bar(11)}
    for rate, pixels in bars.items():
        write_movie(tmp_path / "set" / f"{rate}.mp4", pixels, rate=rate)
    every = open_videos(tmp_path / "set")
    assert [(every.length(i), every.rates[i]) for i in range(3)] == [(11, 10.0), (26, 25.0), (31, 30.0)]
    half = open_videos(tmp_path / "set", fps=12.5)
    assert len(packs(tmp_path / "set")) == 1  # decoded once for all rates
    assert (half.fps, half.rates, [half.length(i) for i in range(3)]) == (12.5, [12.5] * 3, [13, 13, 13])
    for video, wanted in (
        (0, [0, 1, 2, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10]),
        (1, list(range(0, 26, 2))),
        (2, [0, 2, 5, 7, 10, 12, 14, 17, 19, 22, 24, 26, 29]),
    ):
        assert np.array_equal(half.read(video, np.arange(13)), every.read(video, np.array(wanted)))
    assert half.fingerprint != every.fingerprint
    assert len(open_videos(tmp_path / "set", fps=12.5, min_frames=13)) == 3
    with pytest.raises(ValueError, match="13 frames, 14 needed"):
        open_videos(tmp_path / "set", fps=12.5, min_frames=14)
    with pytest.raises(IndexError, match=r"frames 13\.\.13 of 10\.mp4, which has 13"):
        half.read(0, np.array([13]))


def test_uneven_videos_are_told(tmp_path, caplog):
    encode(tmp_path / "set" / "a.mp4", moving_bar(5), "libx264", "yuv420p", ticks=[0, 40, 80, 400, 440])
    caplog.set_level(logging.WARNING)
    videos = open_videos(tmp_path / "set")
    assert "1 videos have frames that stay longer than others, such as a.mp4" in caplog.records[0].message
    even = open_videos(tmp_path / "set", fps=25)
    assert len(caplog.records) == 1
    wanted = [0, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4]
    assert np.array_equal(even.read(0, np.arange(12)), videos.read(0, np.array(wanted)))


def test_slower_videos_are_told(tmp_path, caplog):
    write_movie(tmp_path / "set" / "a.mp4", moving_bar(5), rate=10)
    caplog.set_level(logging.WARNING)
    open_videos(tmp_path / "set", fps=10)
    assert caplog.records == []
    open_videos(tmp_path / "set", fps=25)
    assert "1 videos have less than fps=25 frames per second, such as a.mp4" in caplog.records[0].message


def test_videos_that_say_no_rate(folder):
    with pytest.raises(ValueError, match=r"a/0.png: its frame rate is not known: say data.stored_fps"):
        open_videos(folder, fps=10)
    videos = open_videos(folder, fps=10, stored_fps=20)
    assert [videos.length(i) for i in range(6)] == [3, 4, 4, 5, 3, 3]
    assert np.array_equal(videos.read(1, np.arange(4)), moving_bar(7, step=2)[::2])
    assert open_videos(folder, stored_fps=20).fps == 20


def test_a_canvas_to_cut_out_of(tmp_path):
    write_strip(tmp_path / "set" / "a.png", moving_bar(5, 40, 40))
    videos = open_videos(tmp_path / "set", size=24, canvas=[32, 40], resize="squash")
    assert videos.crops == (9, 17)
    whole = open_videos(tmp_path / "set", size=24, canvas=[24, 24], resize="squash")
    assert whole.crops == (1, 1)
    centre = videos.read(0, np.arange(5))
    assert centre.shape == (5, 24, 24, 3)
    assert np.array_equal(centre, videos.read_at(0, np.arange(5), 4, 8))
    corner = videos.read_at(0, np.array([2]), 0, 16)[0]
    other = videos.read_at(0, np.array([2]), 3, 10)[0]
    assert np.array_equal(corner[3:, :18], other[:21, 6:])  # the same canvas
    assert videos.fingerprint != open_videos(tmp_path / "set", size=24).fingerprint
    clips = VideoClips(videos, frames=2, choice="first")
    assert clips.info["canvas"] == [32, 40]
    assert np.array_equal(clips.read([0])[0].numpy(), centre[:2])
    for wrong in ([32], [20, 40], [32.5, 40]):
        with pytest.raises(ValueError, match=r"data\.canvas is"):
            Videos(path=str(tmp_path), size=24, canvas=wrong)
    with pytest.raises(ValueError, match="must be bicubic"):
        Videos(path=str(tmp_path), size=24, canvas=[32, 32], resample="digan")


def test_letterbox(tmp_path):
    write_frames(tmp_path / "set" / "a", moving_bar(3, 16, 32))
    videos = open_videos(tmp_path / "set", resize="letterbox")
    frames = videos.read(0, np.arange(3))
    assert np.array_equal(frames[:, 8:24], moving_bar(3, 16, 32))
    assert not frames[:, :8].any()
    assert not frames[:, 24:].any()
