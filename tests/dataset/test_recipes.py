import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from file_server import FileServer, serving

from vgen.config import CONF_DIR
from vgen.dataset.arrange import arrange
from vgen.dataset.fetch import NotThere, bring
from vgen.dataset.recipe import Recipe, Records, read_recipe
from vgen.dataset.records import read_records, write_arrays

OPTIONS = sorted(path.stem for path in (CONF_DIR / "dataset").glob("*.yaml"))

# What lies in the authors' archives -> what it is called here, and its split.
EXAMPLES: dict[str, dict[str, tuple[str, str | None] | None]] = {
    "ucf101": {
        "UCF-101/YoYo/v_YoYo_g08_c01.avi": ("YoYo/v_YoYo_g08_c01.avi", "train"),
        "UCF-101/YoYo/v_YoYo_g01_c02.avi": ("YoYo/v_YoYo_g01_c02.avi", "test"),
        "UCF-101/YoYo/notes.txt": None,
    },
    "kth": {
        "boxing/person01_boxing_d1_uncomp.avi": ("boxing/person01_boxing_d1_uncomp.avi", "val"),
        "person12_running_d4_uncomp.avi": ("running/person12_running_d4_uncomp.avi", "train"),
        "running/person22_running_d4_uncomp.avi": ("running/person22_running_d4_uncomp.avi", "test"),
    },
    "weizmann": {
        "bend/daria_bend.avi": ("bend/daria_bend.avi", None),
        "run/lena_run2.avi": ("run/lena_run2.avi", None),
        "wave2/ido_wave2.avi": ("wave2/ido_wave2.avi", None),
        "jump/ido_pjump.avi": ("pjump/ido_pjump.avi", None),
    },
    "moving_mnist": {"mnist_test_seq.npy": ("mnist_test_seq.npy", None)},
    "bair": {
        "softmotion30_44k/train/traj_0_to_255.npy": ("train_traj_0_to_255.npy", "train"),
        "softmotion30_44k/test/traj_0_to_255.npy": ("test_traj_0_to_255.npy", "test"),
    },
    "kinetics600": {
        "train/a/-0BjVZb-wv4_000010_000020.mp4": ("pull ups/-0BjVZb-wv4_000010_000020.mp4", "train"),
        "val/b/___________A_000000_000010.mp4": None,
        "val/b/abcdefghijk_000000_000010.mp4": ("push up/abcdefghijk_000000_000010.mp4", "val"),
    },
    "sky_timelapse": {
        "sky/sky_train/2KikwLp-PUI/2KikwLp-PUI_1/": ("train_2KikwLp-PUI_1", "train"),
        "sky/sky_test/07gdXE2NAD4_3/": ("test_07gdXE2NAD4_3", "test"),
        "sky/readme/0.jpg": None,
    },
    "taichi_hd": {
        "taichi/train/aDyyTMUBoLE#000164#000351.mp4": ("train_aDyyTMUBoLE#000164#000351.mp4", "train"),
        "test/one.png/": ("test_one.png", "test"),
    },
    "faceforensics": {
        "train/000.mp4": ("train_000.mp4", "train"),
        "val/017/": ("val_017", "val"),
    },
    "rainbow_jelly": {"jelly_00003.mp4": ("jelly_00003.mp4", None), "rainbow_jelly.mp4": None},
    "mead": {
        "M003/video/front/angry/level_2/001.mp4": ("angry/M003_2_001.mp4", None),
        "M003/video/left_30/angry/level_2/001.mp4": None,
    },
    "mug": {
        "subjects3/006/anger/take000/": ("anger/006__take000", None),
        "subjects3/006/session1/happiness/take001/": ("happiness/006_session1_take001", None),
    },
}
BESIDE = {
    "trainlist01.txt": "YoYo/v_YoYo_g08_c01.avi 101\n",
    "testlist01.txt": "YoYo/v_YoYo_g01_c02.avi\nYoYo/v_YoYo_g01_c03.avi\n",
    "train.csv": "label,youtube_id,time_start,time_end,split\npull ups,-0BjVZb-wv4,10,20,train\n",
    "val.csv": "label,youtube_id,time_start,time_end,split\npush up,abcdefghijk,0,10,val\n",
}


def recipe_of(name: str) -> Recipe:
    return read_recipe(yaml.safe_load((CONF_DIR / "dataset" / f"{name}.yaml").read_text()))


def put(folder: Path, name: str) -> None:
    """A file, or a folder with a picture."""
    path = folder / (f"{name}0001.jpg" if name.endswith("/") else name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


@pytest.mark.parametrize("name", OPTIONS)
def test_recipes_are_whole(name: str) -> None:
    recipe = recipe_of(name)
    assert recipe.name == name
    assert set(EXAMPLES) == set(OPTIONS)
    for text in (recipe.page, *(file.url for file in recipe.files)):
        assert text.startswith(("https://", "http://"))
    assert recipe.steps
    assert recipe.licence
    assert "DIR" in recipe.how_to_get("DIR")
    for preset in recipe.presets.values():
        assert preset.size in (64, 96, 128, 192, 256, 1024)
        assert preset.source
    for file in recipe.files:  # a checksum says who states it
        assert (file.checksum is None) == (file.by is None)
        assert file.checksum is None or file.checksum.partition(":")[0] in ("md5", "sha1", "sha256")
    with pytest.raises(ValueError, match=f"preset=nobody: {name} has "):
        recipe.preset("nobody")
    with pytest.raises(ValueError, match=r"dataset\.presets"):
        read_recipe(
            {**yaml.safe_load((CONF_DIR / "dataset" / f"{name}.yaml").read_text()), "presets": "none"}
        )


@pytest.mark.parametrize("name", OPTIONS)
def test_videos_are_found_named_and_put_into_splits(name: str, tmp_path: Path) -> None:
    recipe = recipe_of(name)
    for example in EXAMPLES[name]:
        put(tmp_path / "raw", example)
    for file, text in BESIDE.items():
        (tmp_path / "beside").mkdir(exist_ok=True)
        (tmp_path / "beside" / file).write_text(text)
    splits = arrange(recipe, tmp_path / "raw", tmp_path / "set", beside=tmp_path / "beside")
    known = {video: split for split, videos in splits.items() for video in videos}
    expected = {found[0]: found[1] for found in EXAMPLES[name].values() if found}
    links = {
        p.relative_to(tmp_path / "set").as_posix() for p in (tmp_path / "set").rglob("*") if p.is_symlink()
    }
    assert links == set(expected)
    assert known == {video: split for video, split in expected.items() if split}
    assert arrange(recipe, tmp_path / "raw", tmp_path / "set", beside=tmp_path / "beside") == splits  # anew


def test_what_a_recipe_needs_and_does_not_find_is_said(tmp_path: Path) -> None:
    put(tmp_path / "raw", "YoYo/v_YoYo_g08_c01.avi")
    with pytest.raises(FileNotFoundError, match=r"lacks the file trainlist01\.txt"):
        arrange(recipe_of("ucf101"), tmp_path / "raw", tmp_path / "set", beside=tmp_path / "raw")
    put(tmp_path / "two", "a/daria_bend.avi")
    put(tmp_path / "two", "b/daria_bend.avi")
    with pytest.raises(ValueError, match=r"holds two videos bend/daria_bend\.avi"):
        arrange(recipe_of("weizmann"), tmp_path / "two", tmp_path / "set", beside=tmp_path / "two")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving(monkeypatch) as server:
        yield server


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"frames")
    return content.getvalue()


def served(name: str, server: FileServer) -> Recipe:
    """A recipe whose addresses are those of the server."""
    recipe = recipe_of(name)
    files = [replace(file, url=server.url(file.name), checksum=None) for file in recipe.files]
    return replace(recipe, files=files)


def test_downloads_are_unpacked_once(server: FileServer, tmp_path: Path) -> None:
    for action in ("bend", "jack", "jump", "pjump", "run", "side", "skip", "walk", "wave1", "wave2"):
        server.bodies[f"{action}.zip"] = zipped(f"ido_{action}.avi")
    recipe = served("weizmann", server)
    server.drops = [30]
    found = bring(recipe, tmp_path / "raw", tmp_path / "work", download=True)
    assert len(list(found.rglob("*.avi"))) == 10
    asked = len(server.asked)
    assert asked == 11
    assert bring(recipe, tmp_path / "raw", tmp_path / "work", download=True) == found
    assert len(server.asked) == asked
    assert {path.suffix for path in (tmp_path / "raw").iterdir()} == {".zip", ".lock"}


def test_lists_of_archives_are_followed(server: FileServer, tmp_path: Path) -> None:
    recipe = served("kinetics600", server)
    server.bodies |= {name: text.encode() for name, text in BESIDE.items()}
    server.bodies["k600_train_path.txt"] = f"{server.url('pull%20ups.zip')}\n".encode()
    server.bodies["k600_val_path.txt"] = server.url("part_0.zip").encode()
    server.bodies["pull%20ups.zip"] = zipped("-0BjVZb-wv4_000010_000020.mp4")
    server.bodies["part_0.zip"] = zipped("abcdefghijk_000000_000010.mp4")
    found = bring(recipe, tmp_path / "raw", tmp_path / "work", download=True)
    splits = arrange(recipe, found, tmp_path / "set", beside=tmp_path / "raw")
    assert splits == {
        "train": {"pull ups/-0BjVZb-wv4_000010_000020.mp4"},
        "val": {"push up/abcdefghijk_000000_000010.mp4"},
    }
    assert (tmp_path / "raw" / "train" / "pull ups.zip").is_file()
    (tmp_path / "raw" / "train" / "k600_train_path.txt").write_text("../../etc/passwd")
    with pytest.raises(ValueError, match="is no list of addresses"):
        bring(recipe, tmp_path / "raw", tmp_path / "other", download=True)


def test_what_cannot_be_downloaded_comes_with_the_steps(server: FileServer, tmp_path: Path) -> None:
    server.codes = [404]
    with pytest.raises(NotThere, match=r"cannot be downloaded \(127\.0\.0\.1: HTTP 404\)") as raised:
        bring(served("ucf101", server), tmp_path / "raw", tmp_path / "work", download=True)
    assert "vgen prepare dataset=ucf101 raw=DIR output=OUT" in str(raised.value)
    with pytest.raises(NotThere, match="download=false"):
        bring(served("ucf101", server), tmp_path / "raw", tmp_path / "work", download=False)
    with pytest.raises(NotThere, match="its terms or its place do not allow a download"):
        bring(recipe_of("mug"), tmp_path / "raw", tmp_path / "work", download=True)
    (tmp_path / "raw2").mkdir()
    (tmp_path / "raw2" / "mine.zip").write_bytes(zipped("something/else.avi"))
    with pytest.raises(NotThere, match="no video of it in"):
        bring(recipe_of("mug"), tmp_path / "raw2", tmp_path / "work2", download=True)


def test_wrong_bytes_are_never_unpacked(server: FileServer, tmp_path: Path) -> None:
    recipe = served("weizmann", server)
    recipe = replace(recipe, files=[replace(recipe.files[0], checksum="md5:" + "0" * 32)])
    server.bodies["bend.zip"] = zipped("ido_bend.avi")
    with pytest.raises(ValueError, match="gave another file than published"):
        bring(recipe, tmp_path / "raw", tmp_path / "work", download=True)
    assert not (tmp_path / "work").exists()
    (tmp_path / "raw" / "bend.zip").write_bytes(zipped("ido_bend.avi"))  # put there by hand
    with pytest.raises(ValueError, match=r"bend\.zip is not the published file"):
        bring(recipe, tmp_path / "raw", tmp_path / "work", download=True)
    assert not (tmp_path / "work").exists()


def test_a_file_of_ones_own_must_be_the_published_one_where_that_is_known(tmp_path: Path) -> None:
    put(tmp_path, "mnist_test_seq.npy")
    with pytest.raises(ValueError, match=r"mnist_test_seq\.npy is not the published file \(md5:be08"):
        bring(recipe_of("moving_mnist"), tmp_path, tmp_path / "work", download=False)


def test_what_the_user_has_is_taken_without_a_question(tmp_path: Path) -> None:
    raw = tmp_path / "unpacked"
    put(raw, "anywhere/ido_bend.avi")
    assert bring(recipe_of("weizmann"), raw, tmp_path / "work", download=False) == raw
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "my download.zip").write_bytes(zipped("006/anger/take000/img_0000.jpg"))
    found = bring(recipe_of("mug"), tmp_path / "archives", tmp_path / "work", download=False)
    assert found == tmp_path / "work" / "unpacked"


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(features: dict[str, bytes]) -> bytes:
    entries = [
        field(1, name.encode()) + field(2, field(1, field(1, value))) for name, value in features.items()
    ]
    numbers = field(1, field(1, b"action") + field(2, field(2, field(1, struct.pack("<4f", 1, 2, 3, 4)))))
    return field(1, numbers + b"".join(field(1, entry) for entry in entries))


def record(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + b"crc1" + data + b"crc2"


def test_record_files_become_arrays(tmp_path: Path) -> None:
    videos = np.random.default_rng(0).integers(0, 255, (3, 12, 4, 5, 3), dtype=np.uint8)
    rows: list[dict[str, Any]] = [
        {f"{t}/main": frame.tobytes() for t, frame in enumerate(video)} for video in videos
    ]
    file = tmp_path / "in" / "train" / "traj_0.tfrecords"
    file.parent.mkdir(parents=True)
    whole = b"".join(record(example(row)) for row in rows)
    file.write_bytes(whole)
    assert len(list(read_records(file))) == 3
    records = Records("{frame}/main", (4, 5, 3))
    write_arrays(records, tmp_path / "in", tmp_path / "out")
    assert np.array_equal(np.load(tmp_path / "out" / "train" / "traj_0.npy"), videos)
    for damaged in (whole[:-3], whole[:5], whole[:400], struct.pack("<Q", 1 << 60) + whole[8:]):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"traj_0\.tfrecords: a record is damaged"):
            write_arrays(records, tmp_path / "in", tmp_path / "again")
    file.write_bytes(whole)
    with pytest.raises(ValueError, match=r"no feature 0/other; there are 0/main"):
        write_arrays(Records("{frame}/other", (4, 5, 3)), tmp_path / "in", tmp_path / "again")
    with pytest.raises(ValueError, match="cannot reshape"):
        write_arrays(Records("{frame}/main", (4, 6, 3)), tmp_path / "in", tmp_path / "again")
    assert not list((tmp_path / "again").rglob("*.npy"))
