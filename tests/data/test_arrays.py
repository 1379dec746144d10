import json

import numpy as np
import pytest

from vgen.data.arrays import Stored, axes_of, decode, list_arrays, probe, videos_of
from vgen.data.entry import Entry, Part, Unreadable
from vgen.data.layout import scan
from vgen.data.videos import Videos

NOISE = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (3, 5, 6, 8, 3), dtype=np.uint8)  # N T H W C
LAYOUTS = {"NTHWC": NOISE, "NTCHW": NOISE.transpose(0, 1, 4, 2, 3), "NCTHW": NOISE.transpose(0, 4, 1, 2, 3)}


def stored(*shape: int, dtype: str = "uint8") -> Stored:
    return Stored("", shape, dtype)


def read(path, entry) -> np.ndarray:
    return np.concatenate([block.pixels for block in decode(path, entry)])


def test_axes_that_are_clear():
    assert axes_of(stored(20, 10000, 64, 64)) == "TNHW"  # Moving MNIST
    assert axes_of(stored(10000, 20, 64, 64)) == "NTHW"
    assert axes_of(stored(900, 3, 64, 85)) == "TCHW"  # TGAN
    assert axes_of(stored(900, 64, 85, 3)) == axes_of(stored(900, 64, 85, 1)) == "THWC"
    assert axes_of(stored(20, 64, 64)) == "THW"
    for axes, array in LAYOUTS.items():
        assert axes_of(stored(*array.shape)) == axes
    assert axes_of(stored(10, 20, 64, 64), "NTHW") == "NTHW"


@pytest.mark.parametrize(
    ("array", "axes", "why"),
    [
        (stored(10, 20, 64, 64), "auto", "axes are not clear; say data.axes"),
        (stored(5, 6, 7, 8, 9), "auto", "axes are not clear"),
        (stored(9), "auto", "axes are not clear"),
        (stored(20, 64, 64, dtype="float32"), "auto", "float32 of shape .*; expected uint8"),
        (stored(0, 20, 64, 64), "auto", "is empty"),
        (stored(10, 20, 64, 64), "TNH", "is not data.axes=TNH"),
        (stored(10, 20, 64, 64), "TNHX", "is not data.axes"),
        (stored(10, 20, 64, 64), "TTHW", "is not data.axes"),
        (stored(10, 20, 64, 64), "TCHW", "C is 1 or 3"),
    ],
)
def test_axes_that_are_not(array, axes, why):
    with pytest.raises(Unreadable, match=why):
        axes_of(array, axes)


@pytest.mark.parametrize("axes", LAYOUTS)
def test_every_video_comes_back(tmp_path, axes, monkeypatch):
    monkeypatch.setattr("vgen.data.arrays.BLOCK", 2 * 3 * 6 * 8)  # two frames at a time
    path = tmp_path / "a.npy"
    np.save(path, LAYOUTS[axes])
    layout = scan(path)
    assert [entry.name for entry in layout.entries] == ["a.npy[0]", "a.npy[1]", "a.npy[2]"]
    assert layout.describe() == f"3 array videos (axes {axes})"
    for i, entry in enumerate(layout.entries):
        assert probe(path, entry).frames == 5
        assert probe(path, entry).size == (8, 6)
        assert np.array_equal(read(path, entry), NOISE[i])


def test_moving_mnist(tmp_path):
    grey = NOISE[..., 0].repeat(20, axis=0)  # 60 videos of 5 frames
    np.save(tmp_path / "mnist_test_seq.npy", grey.transpose(1, 0, 2, 3))
    videos = Videos(
        path=str(tmp_path / "mnist_test_seq.npy"), size=6, channels=1, cache=str(tmp_path / "cache")
    )
    videos.prepare()
    assert videos.describe() == "60 array videos (axes TNHW)"
    assert (len(videos), videos.classes, videos.lossy) == (60, [], False)
    assert np.array_equal(videos.read(21, np.arange(5))[..., 0], grey[21, :, :, 1:7])


def test_tgans_hdf5_with_its_list(tmp_path):
    h5py = pytest.importorskip("h5py")
    frames = NOISE.reshape(15, 6, 8, 3).transpose(0, 3, 1, 2)
    with h5py.File(tmp_path / "train.h5", "w") as file:
        file["image"] = frames
    rows = [{"start": 0, "end": 6, "category": "Walk"}, {"start": 6, "end": 15, "category": "Run"}]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    videos = Videos(path=str(tmp_path / "train.h5"), size=6, cache=str(tmp_path / "cache"))
    videos.prepare()
    assert (videos.classes, [videos.label(i) for i in (0, 1)]) == (["Run", "Walk"], [1, 0])
    assert [videos.length(i) for i in (0, 1)] == [6, 9]
    assert np.array_equal(videos.read(1, np.arange(9)), NOISE.reshape(15, 6, 8, 3)[6:, :, 1:7])
    (tmp_path / "train.json").write_text(json.dumps([{"start": 0, "end": 16}]))
    with pytest.raises(ValueError, match=r"no video in .*train.json: frames 0 to 16 of 15"):
        scan(tmp_path / "train.h5")
    (tmp_path / "train.json").unlink()
    assert [entry.name for entry in scan(tmp_path / "train.h5").entries] == ["train.h5/image"]


def test_labels_beside_the_videos_of_an_hdf5_file_are_no_videos(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["labels"] = NOISE, np.arange(3)
    assert scan(tmp_path / "a.h5").describe() == "3 array videos (axes NTHWC)"
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["labels"] = np.arange(3)
    with pytest.raises(ValueError, match=r"int64 of shape \(3,\); expected uint8"):
        scan(tmp_path / "b.h5")


def test_hdf5_arrays_in_other_files_are_not_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["image"] = NOISE[0]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("other.h5", "image")
        file.create_dataset("raw", NOISE[0].shape, "u1", external=[("/etc/passwd", 0, NOISE[0].size)])
        file["group/own"] = NOISE[1]
    assert [array.dataset for array in list_arrays(tmp_path / "a.h5")] == ["group/own"]


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"x")
    with pytest.raises(Unreadable, match=r"pip install 'vgen\[hdf5\]'"):
        list_arrays(tmp_path / "a.h5")


def test_files_that_are_no_arrays(tmp_path):
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "header.npy", NOISE)
    data = (tmp_path / "header.npy").read_bytes()
    (tmp_path / "header.npy").write_bytes(data.replace(b"}", b" ", 1))  # numpy then raises a TokenError
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    with open(tmp_path / "zip.npy", "wb") as file:
        np.savez(file, a=NOISE)
    np.save(tmp_path / "short.npy", NOISE)
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-9])
    np.save(tmp_path / "long.npy", NOISE)
    (tmp_path / "long.npy").write_bytes((tmp_path / "long.npy").read_bytes() + b"more")
    np.save(tmp_path / "good.npy", NOISE)
    layout = scan(tmp_path)
    assert len(layout.entries) == 3
    assert {skipped.path for skipped in layout.refused} == {
        "text.npy", "header.npy", "objects.npy", "zip.npy", "short.npy", "long.npy",
    }  # fmt: skip
    assert all(skipped.reason and "\n" not in skipped.reason for skipped in layout.refused)


def test_a_header_that_declares_millions_of_videos(tmp_path):
    with pytest.raises(Unreadable, match="declares"):
        list(videos_of(tmp_path / "a.npy", stored(20, 99_000_000, 64, 64)))


def test_a_file_that_has_changed_is_told(tmp_path):
    np.save(tmp_path / "a.npy", NOISE[0, ..., 0])
    entry = Entry("a.npy", "array video", None, ("a.npy",), part=Part("", "NTHWC", 0, 1))
    with pytest.raises(Unreadable, match="has changed"):
        read(tmp_path / "a.npy", entry)
