import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from killing import ending
from movies import moving_bar, write_movie, write_strip

from vgen.data import journal, preparing
from vgen.data.packed import PackedVideos
from vgen.data.plan import Part, Plan
from vgen.data.preparing import prepare
from vgen.data.verify import verify
from vgen.data.videos import Videos

SHARD = 20 * 16 * 16 * 3  # bytes of 20 frames


@pytest.fixture
def folder(tmp_path):
    """Eight videos in two classes, two of which cannot be read."""
    top = tmp_path / "set"
    for i in range(5):
        write_strip(top / "a" / f"{i}.png", moving_bar(6 + i, step=i + 1))
    (top / "a" / "3b.png").write_bytes(b"no image")
    for i in range(3):
        write_strip(top / "b" / f"{i}.png", moving_bar(9, step=i + 5))
    (top / "b" / "9.png").write_bytes(b"no image")
    return top


def plan_of(folder: Path, **arguments) -> Plan:
    return Plan([Part(Videos(path=str(folder), **{"size": 16, **arguments}))])


def make(plan: Plan, output: Path, **arguments) -> dict:
    index, _ = prepare(
        plan, output, **{"facts": {"licence": "ours"}, "processes": 0, "shard_bytes": SHARD, **arguments}
    )
    return index


def contents(output: Path) -> dict[str, bytes]:
    """All files; the index without its date."""
    found = {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    index = json.loads(found.pop("dataset.json"))
    index.pop("created")
    return found | {"index": json.dumps(index).encode()}


def test_what_is_written(folder, tmp_path):
    index = make(plan_of(folder), tmp_path / "out")
    assert index == json.loads((tmp_path / "out" / "dataset.json").read_text()) | {"frame": (16, 16, 3)}
    assert index["counts"] == {"videos": 8, "frames": 67, "skipped": 2, "bytes": 67 * 768 + 4 * 128}
    assert [shard["frames"] for shard in index["shards"]] == [13, 17, 19, 18]
    assert index["licence"] == "ours"
    assert [video["path"] for video in index["skipped"]] == ["a/3b.png", "b/9.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dataset.json", "shards"]
    for shard in index["shards"]:  # plain .npy files
        assert np.load(tmp_path / "out" / shard["file"]).shape == (shard["frames"], 16, 16, 3)
        assert journal.sha256_of(tmp_path / "out" / shard["file"]) == shard["sha256"]


def test_packed_videos_are_those_of_the_folder(folder, tmp_path):
    make(plan_of(folder), tmp_path / "out")
    raw = Videos(path=str(folder), size=16, cache=str(tmp_path / "cache"), min_frames=7)
    packed = PackedVideos(path=str(tmp_path / "out"), size=16, channels=3, min_frames=7)
    raw.prepare()
    packed.prepare()
    assert packed.fingerprint == raw.fingerprint
    for key in ("classes", "names", "rates", "fps", "lossy", "stored_sizes", "resize", "resample"):
        assert getattr(packed, key) == getattr(raw, key), key
    assert {s.path for s in packed.skipped} == {s.path for s in raw.skipped}
    assert len(packed) == len(raw) == 7
    for i in range(len(raw)):
        whole = np.arange(raw.length(i))
        assert packed.label(i) == raw.label(i)
        assert np.array_equal(packed.read(i, whole), raw.read(i, whole))


def test_processes_change_nothing(folder, tmp_path):
    make(plan_of(folder), tmp_path / "one")
    make(plan_of(folder), tmp_path / "two", processes=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


MOMENTS = [
    "vgen.data.preparing:resume:1:before",
    "vgen.data.crew:decode_job:1:after",
    "vgen.data.journal:shutil.copyfileobj:1:before",
    "vgen.data.journal:shutil.copyfileobj:2:after",
    "vgen.data.journal:Writer._note:3:before",
    "vgen.data.journal:Writer._note:3:after",
    "vgen.data.journal:Writer._seal:1:before",
    "vgen.data.journal:write_header:3:after",
    "vgen.data.journal:sha256_of:2:after",
    "vgen.data.journal:Writer._seal:1:after",
    "vgen.data.journal:Writer.skip:1:after",
    "vgen.data.preparing:_check_usable:1:before",
    "vgen.data.preparing:write_index:1:after",
    "vgen.data.preparing:_clear:1:before",
    "vgen.data.preparing:shutil.rmtree:3:before",
]


def test_killed_at_any_moment_and_given_again(folder, tmp_path):
    make(plan_of(folder), tmp_path / "whole")
    for moment in MOMENTS:
        out = tmp_path / moment.replace(":", "_")
        assert ending(lambda out=out: make(plan_of(folder), out), moment) == -9, moment
        assert ending(lambda out=out: make(plan_of(folder), out)) == 0, moment
        assert contents(out) == contents(tmp_path / "whole"), moment
    out = tmp_path / "often"  # each time a little further
    for number in range(1, 12):
        ending(lambda: make(plan_of(folder), out), f"vgen.data.journal:Writer._note:{1 + number % 3}:after")
    make(plan_of(folder), out)
    assert contents(out) == contents(tmp_path / "whole")


def test_what_was_made_is_not_made_again(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert ending(lambda: make(plan_of(folder), out), "vgen.data.journal:Writer.add:4:after") == -9
    decoded = []
    original = Videos.job

    def watched(self, entry, *how):
        decoded.append(entry.name)
        return original(self, entry, *how)

    monkeypatch.setattr(Videos, "job", watched)
    make(plan_of(folder), out)
    assert decoded == ["a/3b.png", "a/4.png", "b/0.png", "b/1.png", "b/2.png", "b/9.png"]


@pytest.mark.parametrize("damage", ["pixels", "line", "shard gone", "no newline"])
def test_what_did_not_reach_the_disk_is_made_again(folder, tmp_path, damage):
    make(plan_of(folder), tmp_path / "whole")
    out = tmp_path / "out"
    assert ending(lambda: make(plan_of(folder), out), "vgen.data.journal:Writer.add:6:after") == -9
    lines = (out / "journal.jsonl").read_text()
    match damage:
        case "pixels":
            shard = out / sorted((out / "shards").iterdir())[-1]
            shard.write_bytes(shard.read_bytes()[:-300] + bytes(300))
        case "line":
            (out / "journal.jsonl").write_text(lines[:-40])
        case "shard gone":
            (out / "shards" / "00000.npy").unlink()
        case "no newline":
            (out / "journal.jsonl").write_text(lines[:-1])
    make(plan_of(folder), out)
    assert contents(out) == contents(tmp_path / "whole")


def test_something_else_is_never_overwritten(folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"no packed dataset, and not empty \(thesis.tex\)"):
        make(plan_of(folder), out)
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]
    (out / "thesis.tex").rename(tmp_path / "thesis.tex")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write output"):
        make(plan_of(folder), tmp_path / "file")
    make(plan_of(folder), out)
    before = contents(out)
    with pytest.raises(
        ValueError, match=r"holds a packed dataset of other videos or settings.*give another output"
    ):
        make(plan_of(folder, size=8), out)
    write_strip(folder / "a" / "0.png", moving_bar(6, step=9))
    with pytest.raises(ValueError, match="other videos or settings"):
        make(plan_of(folder), out)
    assert contents(out) == before
    begun = tmp_path / "begun"
    assert ending(lambda: make(plan_of(folder), begun), "vgen.data.journal:Writer.add:1:after") == -9
    with pytest.raises(ValueError, match="the beginning of another dataset"):
        make(plan_of(folder, size=8), begun)


def test_two_at_once_are_told_apart(folder, tmp_path):
    out = tmp_path / "out"
    with preparing._alone(out), pytest.raises(ValueError, match="is being made by another process"):
        make(plan_of(folder), out)
    assert not out.exists()


def test_too_little_space(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(preparing.shutil, "disk_usage", lambda _: usage)
        with pytest.raises(ValueError, match=r"too little space for output=.*GB are needed"):
            make(plan_of(folder), out)
    full = OSError(28, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(journal.Writer, "add", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(ValueError, match=r"No space left.*give the same command again"):
            make(plan_of(folder), out)
    assert make(plan_of(folder), out)["counts"]["videos"] == 8


def test_strict_and_nothing_usable(folder, tmp_path):
    with pytest.raises(ValueError, match=r"data\.strict: a/3b\.png: .*\(and 1 more\)"):
        make(plan_of(folder, strict=True), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"no usable video in .*bad: a\.mp4: Invalid data"):
        make(plan_of(tmp_path / "bad"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_splits_from_folders_and_lists(folder, tmp_path, caplog):
    shutil.copytree(folder, tmp_path / "both" / "train")
    write_movie(tmp_path / "both" / "test" / "a" / "0.mp4", moving_bar(8), rate=12)
    write_movie(tmp_path / "both" / "test" / "c" / "0.mp4", moving_bar(8, step=3), rate=12)
    parts = [Part(Videos(path=str(tmp_path / "both"), size=16, split=s), s) for s in ("train", "test")]
    index = make(Plan(parts), tmp_path / "folders")
    assert index["splits"] == {"test": 2, "train": 8}
    assert index["classes"] == ["a", "b", "c"]
    test = PackedVideos(path=str(tmp_path / "folders"), split="test")
    test.prepare()
    assert test.names == ["test/a/0.mp4", "test/c/0.mp4"]
    assert [test.label(i) for i in range(2)] == [0, 2]
    with pytest.raises(ValueError, match=r"data\.split=val: no such split in .*; it has test, train"):
        PackedVideos(path=str(tmp_path / "folders"), split="val").prepare()
    with caplog.at_level("INFO"):
        PackedVideos(path=str(tmp_path / "folders")).prepare()
    assert "videos of all splits are read (test 2, train 8); data.split chooses one" in caplog.text
    plan = Plan(plan_of(folder).parts, {"train": frozenset({"a/0.png", "a/1.png", "b/7.png"})})
    assert plan.missing() == {"train": ["b/7.png"]}
    assert make(plan, tmp_path / "lists")["splits"] == {"train": 2}
    train = PackedVideos(path=str(tmp_path / "lists"), split="train")
    train.prepare()
    assert train.names == ["a/0.png", "a/1.png"]


def test_a_file_of_arrays_is_of_one_split(tmp_path):
    (tmp_path / "set").mkdir()
    for name in ("one", "two"):
        np.save(tmp_path / "set" / f"{name}.npy", np.stack([moving_bar(6), moving_bar(6, step=3)]))
    plan = Plan(
        [Part(Videos(path=str(tmp_path / "set"), size=16, axes="NTHWC"))], {"test": frozenset({"two.npy"})}
    )
    assert plan.missing() == {}
    index = make(plan, tmp_path / "out")
    assert [(video["name"], video["split"]) for video in index["videos"]] == [
        ("one.npy[0]", None), ("one.npy[1]", None), ("two.npy[0]", "test"), ("two.npy[1]", "test"),
    ]  # fmt: skip


def test_rates_and_places_are_chosen_when_packed_videos_are_read(tmp_path):
    write_movie(tmp_path / "set" / "a.mp4", moving_bar(12, 24, 40), rate=12)
    write_movie(tmp_path / "set" / "b.mkv", moving_bar(25, 24, 40, step=1), rate=25)
    write_strip(tmp_path / "set" / "c.png", moving_bar(9))
    given = {"size": 16, "canvas": [16, 26]}
    make(plan_of(tmp_path / "set", **given), tmp_path / "out")
    for rates in ({}, {"fps": 6, "stored_fps": 12}, {"fps": 6}, {"fps": 10, "stored_fps": 30}):
        raw = Videos(path=str(tmp_path / "set"), **given, **rates, cache=str(tmp_path / "cache"))
        packed = PackedVideos(path=str(tmp_path / "out"), size=16, **rates)
        raw.prepare()
        packed.prepare()
        assert packed.fingerprint == raw.fingerprint
        assert packed.rates == raw.rates
        assert packed.skipped == raw.skipped
        assert packed.crops == raw.crops == (1, 11)
        for i in range(len(raw)):
            whole = np.arange(raw.length(i))
            assert np.array_equal(packed.read(i, whole), raw.read(i, whole))
            assert np.array_equal(packed.read_at(i, whole, 0, 7), raw.read_at(i, whole, 0, 7))


def test_verify_names_what_is_damaged(folder, tmp_path):
    make(plan_of(folder), tmp_path / "out")

    def problems() -> list[str]:
        source = PackedVideos(path=str(tmp_path / "out"))
        source.setup()
        return verify(source)

    assert problems() == []
    shard = tmp_path / "out" / "shards" / "00001.npy"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    assert problems() == ["shards/00001.npy has another sha256 than it was written with: a/2.png is damaged"]
    shard.write_bytes(whole)
    index = (tmp_path / "out" / "dataset.json").read_text()
    (tmp_path / "out" / "dataset.json").write_text(index.replace('"label": 1', '"label": 0', 1))
    assert "it was edited" in problems()[0]
    shard.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"00001.npy in .* has .* bytes, and dataset.json says"):
        problems()


def test_packed_at_another_size(folder, tmp_path):
    make(plan_of(folder), tmp_path / "out")
    wrongs = {"size": (32, "packed at 16: set clip.size=16"), "channels": (1, "set clip.channels=3")}
    for key, (wrong, message) in wrongs.items():
        with pytest.raises(ValueError, match=message):
            PackedVideos(path=str(tmp_path / "out"), **{key: wrong}).prepare()
    with pytest.raises(ValueError, match=r"no usable video in .*and 9 more"):
        PackedVideos(path=str(tmp_path / "out"), min_frames=50).prepare()
    with pytest.raises(FileNotFoundError, match="is no packed dataset"):
        PackedVideos(path=str(folder)).prepare()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written(folder, tmp_path):
    (tmp_path / "out").mkdir(mode=0o555)
    with pytest.raises(ValueError, match="cannot write output"):
        make(plan_of(folder), tmp_path / "out")
