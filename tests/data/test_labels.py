import json
from pathlib import Path

import pytest
from movies import moving_bar, png, write_tar, write_zip

from vgen.data.layout import Layout, scan

FRAME = png(moving_bar(1, 24, 40)[0])
NAMES = ("Run/v_Run_g01_c01", "Run/v_Run_g02_c01", "Walk/v_Walk_g01_c01", "Walk/v_Walk_g02_c01")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def labels(layout: Layout) -> dict[str, str | None]:
    return {e.name: None if e.label is None else layout.classes[e.label] for e in layout.entries}


@pytest.fixture
def ucf(tmp_path) -> Path:
    """Four videos in two classes, and the official lists of split 1 (with one video that is not there)."""
    touch(tmp_path / "ucf", *(f"{name}.avi" for name in NAMES))
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Walk\r\n2 Run\r\n")
    (lists / "trainlist01.txt").write_text(
        "Run/v_Run_g02_c01.avi 2\r\nWalk/v_Walk_g02_c01.avi 1\r\nWalk/v_Walk_g99_c01.avi 1\r\n"
    )
    (lists / "testlist01.txt").write_text("Run/v_Run_g01_c01.avi\r\nWalk/v_Walk_g01_c01.avi\r\n")
    return tmp_path / "ucf"


def test_official_lists(ucf):
    train = str(ucf.parent / "lists" / "trainlist01.txt")
    layout = scan(ucf, split_file=train)
    assert layout.classes == ["Walk", "Run"]  # in the order of classInd.txt
    assert labels(layout) == {"Run/v_Run_g02_c01.avi": "Run", "Walk/v_Walk_g02_c01.avi": "Walk"}
    assert [(s.path, s.reason) for s in layout.refused] == [
        ("Walk/v_Walk_g99_c01.avi", "is listed, but not there")
    ]
    assert layout.describe() == "2 video files in 2 classes (2 of 4 by trainlist01.txt)"
    test = scan(ucf, split_file=train, split="test")
    assert labels(test) == {"Run/v_Run_g01_c01.avi": "Run", "Walk/v_Walk_g01_c01.avi": "Walk"}
    assert len(scan(ucf, split_file=train, split="all").entries) == 4
    assert scan(ucf, split_file=train, labels="none").classes == []
    with pytest.raises(FileNotFoundError, match=r"vallist01\.txt"):
        scan(ucf, split_file=train, split="val")
    with pytest.raises(ValueError, match="choose train, val, test or all"):
        scan(ucf, split_file=train, split="train01")


def test_lists_of_a_flat_copy_and_of_frame_folders(ucf, tmp_path):
    touch(tmp_path / "flat", *(f"{name.split('/')[1]}.avi" for name in NAMES))
    train = str(tmp_path / "lists" / "trainlist01.txt")
    flat = scan(tmp_path / "flat", split_file=train, split="test")
    assert labels(flat) == {"v_Run_g01_c01.avi": "Run", "v_Walk_g01_c01.avi": "Walk"}
    frames = write_zip(tmp_path / "frames.zip", {f"{name}/0.png": FRAME for name in NAMES})
    assert list(labels(scan(frames, split_file=train)).values()) == ["Run", "Walk"]


def test_lists_without_class_names_take_the_folders(ucf):
    (ucf.parent / "lists" / "classInd.txt").unlink()
    layout = scan(ucf, split_file=str(ucf.parent / "lists" / "trainlist01.txt"))
    assert (layout.classes, list(labels(layout).values())) == (["Run", "Walk"], ["Run", "Walk"])


def test_lists_that_an_editor_has_marked_as_utf8(ucf):
    lists = ucf.parent / "lists"
    plain = scan(ucf, split_file=str(lists / "trainlist01.txt"))
    for file in lists.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert scan(ucf, split_file=str(lists / "trainlist01.txt")) == plain


def test_lists_that_are_wrong(ucf):
    lists = ucf.parent / "lists"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        scan(ucf, split_file=str(lists / "nowhere.txt"))
    (lists / "trainlist02.txt").write_text("Run/v_Run_g02_c01.avi 7\n")
    with pytest.raises(ValueError, match="has class 7, which"):
        scan(ucf, split_file=str(lists / "trainlist02.txt"))
    (lists / "trainlist02.txt").write_text("other/x.avi 1\n")
    with pytest.raises(ValueError, match="none of its 1 videos is there"):
        scan(ucf, split_file=str(lists / "trainlist02.txt"))
    (lists / "list.txt").write_text("Run/v_Run_g02_c01.avi 2\n")
    with pytest.raises(ValueError, match="does not say of which split"):
        scan(ucf, split_file=str(lists / "list.txt"), split="test")
    (lists / "classInd.txt").write_text("Run Walk\n")
    with pytest.raises(ValueError, match="expected lines of a number and a name"):
        scan(ucf, split_file=str(lists / "list.txt"))


def test_a_csv(ucf, tmp_path):
    table = tmp_path / "table.csv"
    rows = [f"{name}.avi,{i % 2 + 9},{'train' if i < 3 else 'test'}" for i, name in enumerate(NAMES)]
    table.write_text("path,label,split\n" + "\n".join(rows) + "\n")
    layout = scan(ucf, labels=str(table), split="all")
    assert layout.classes == ["9", "10"]  # as numbers
    assert list(labels(layout).values()) == ["9", "10", "9", "10"]
    assert [e.name for e in scan(ucf, labels=str(table), split="test").entries] == [f"{NAMES[3]}.avi"]
    assert scan(ucf, labels=str(table), split="test").classes == ["9", "10"]  # one numbering for all splits
    with pytest.raises(ValueError, match=r"has the splits test, train: choose data.split"):
        scan(ucf, labels=str(table))
    with pytest.raises(ValueError, match=r"column split of .* has test, train"):
        scan(ucf, labels=str(table), split="val")
    table.write_text("path,label\n" + f"{NAMES[0]}.avi,x\nmissing.avi,y\n")
    layout = scan(ucf, labels=str(table))
    assert labels(layout) == {f"{NAMES[0]}.avi": "x"}
    assert layout.refused[0].path == "missing.avi"
    for content, why in [
        ("video,class\na,b\n", "columns path, label and perhaps split; it has video, class"),
        ("", "it has nothing"),
        (f"path,label\n{NAMES[0]}.avi,x\n{NAMES[0]}.avi,y\n", "has two classes, x and y"),
        (f"path,label\n{NAMES[0]}.avi\n", "has no label"),
    ]:
        table.write_text(content)
        with pytest.raises(ValueError, match=why):
            scan(ucf, labels=str(table))


@pytest.mark.parametrize("how", ["pairs", "mapping", "of videos"])
@pytest.mark.parametrize("inside", ["", "set/"])
def test_dataset_json_of_a_zip(tmp_path, how, inside):
    videos = {"v1": 3, "v2": 0, "deep/er/v3": 3}
    files = {f"{inside}{name}/{t}.png": FRAME for name in videos for t in range(3)}
    by_frame = {f"{name}/{t}.png": label for name, label in videos.items() for t in range(3)}
    table = {"pairs": list(by_frame.items()), "mapping": by_frame, "of videos": videos}[how]
    files[f"{inside}dataset.json"] = json.dumps({"labels": table}).encode()
    layout = scan(write_zip(tmp_path / "set.zip", files))
    assert layout.describe() == "3 frame folders in 1 archive in 2 classes (dataset.json)"
    assert labels(layout) == {f"{inside}{name}": str(label) for name, label in videos.items()}
    assert layout.entries[1].files == tuple(f"{inside}v1/{t}.png" for t in range(3))


def test_dataset_json_without_labels_or_wrong(tmp_path):
    files = {"a/v1/0.png": FRAME, "b/v2/0.png": FRAME}
    for content in (b'{"labels": null}', b'{"labels": {}}'):
        layout = scan(write_zip(tmp_path / "set.zip", {**files, "dataset.json": content}))
        assert layout.classes == ["a", "b"]  # then the folders
    for content, why in [
        (b"{", "expected"), (b"[]", "expected"), (b'{"labels": [1]}', "expected"), (b"[" * 99999, "expected"),
        (b'{"labels": {"a/v1/0.png": [0.5, 0.5], "b/v2/0.png": 1}}', "each class a whole number or a name"),
        (b'{"labels": {"a/v1/0.png": 1}}', "gives no class for b/v2"),
        (b'{"labels": [["a/v1/0.png", 1], ["a/v1/1.png", 2]]}', "has two classes, 1 and 2"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=why):
            scan(write_zip(tmp_path / "set.zip", {**files, "dataset.json": content}))
        assert len(scan(tmp_path / "set.zip", labels="folder").entries) == 2


def test_a_json_elsewhere(tmp_path):
    touch(tmp_path / "set", "1.mp4", "2.mp4")
    (tmp_path / "classes.json").write_text('{"labels": {"1.mp4": "up", "2": "down"}}')
    layout = scan(tmp_path / "set", labels=str(tmp_path / "classes.json"))
    assert labels(layout) == {"1.mp4": "up", "2.mp4": "down"}
    assert layout.describe() == "2 video files in 2 classes (classes.json)"


def test_webdataset(tmp_path):
    (tmp_path / "set").mkdir()
    for shard in range(2):
        files = {
            f"s{shard}{i}.{kind}": {"mp4": b"x", "cls": str(i).encode()}[kind]
            for i in (1, 0)
            for kind in ("cls", "mp4")
        }
        write_tar(tmp_path / "set" / f"{shard:06d}.tar", files)
    layout = scan(tmp_path / "set")
    assert layout.describe() == "4 video files in 2 archives in 2 classes (labels stored with the videos)"
    assert labels(layout)["000001.tar/s11.mp4"] == "1"
    frames = {
        f"k{i}.{part}": FRAME if part.endswith("png") else str(i).encode()
        for i in (0, 1)
        for part in ("000.png", "001.png", "cls")
    }
    layout = scan(write_tar(tmp_path / "frames.tar", frames))
    assert labels(layout) == {"k0": "0", "k1": "1"}
    assert layout.entries[1].files == ("k1.000.png", "k1.001.png")
    layout = scan(
        write_tar(tmp_path / "some.tar", {"a.mp4": b"x", "a.cls": b"1", "b.mp4": b"x"}), labels="none"
    )
    assert layout.classes == []
    with pytest.raises(ValueError, match=r"b.mp4 without a label, others with one"):
        scan(tmp_path / "some.tar")


def test_folders_of_splits_are_no_classes(tmp_path):
    touch(tmp_path / "set", "train/a/1.mp4", "train/b/2.mp4", "val/a/3.mp4")
    with pytest.raises(
        ValueError, match=r"folders train, val of .* are splits, no classes: choose data.split=train\|val"
    ):
        scan(tmp_path / "set")
    assert labels(scan(tmp_path / "set", split="train")) == {"train/a/1.mp4": "a", "train/b/2.mp4": "b"}
    assert labels(scan(tmp_path / "set", split="val")) == {"val/a/3.mp4": "a"}
    assert scan(tmp_path / "set", split="val").classes == ["a", "b"]  # one numbering for all splits
    assert scan(tmp_path / "set", split="all").describe() == "3 video files in 2 classes (split all)"
    with pytest.raises(ValueError, match=r"data.split=test: .* has the folders train, val"):
        scan(tmp_path / "set", split="test")
    touch(tmp_path / "things", "car/1.mp4", "train/2.mp4")  # a train of wagons
    assert scan(tmp_path / "things").classes == ["car", "train"]
    with pytest.raises(ValueError, match="has no folders of splits"):
        scan(tmp_path / "things", split="train")
    touch(tmp_path / "sky", "sky/sky_train/x/1.mp4", "sky/sky_test/y/1.mp4")
    assert [e.name for e in scan(tmp_path / "sky", split="test").entries] == ["sky/sky_test/y/1.mp4"]


def test_deep_folders(tmp_path):
    touch(tmp_path / "set", "data/a/p1/1.mp4", "data/a/p2/1.mp4", "data/b/p1/1.mp4")
    assert list(labels(scan(tmp_path / "set")).values()) == ["a", "a", "b"]
    assert list(labels(scan(tmp_path / "set", labels="parent")).values()) == ["p1", "p2", "p1"]
    assert set(labels(scan(tmp_path / "set", labels="none")).values()) == {None}
    with pytest.raises(ValueError, match=r"data.labels is 'top': choose"):
        scan(tmp_path / "set", labels="top")
