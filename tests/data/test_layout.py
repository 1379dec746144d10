import os
from pathlib import Path

import pytest
from movies import moving_bar, png, write_frames, write_strip, write_tar, write_zip
from PIL import Image

from vgen.data.entry import natural, strip_frames
from vgen.data.layout import scan


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def picture(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)


def test_flat_video_files_have_no_classes(tmp_path):
    layout = scan(touch(tmp_path, "b10.mp4", "b9.MKV", "notes.txt", ".hidden.mp4", ".git/x.mp4"))
    assert [entry.name for entry in layout.entries] == ["b9.MKV", "b10.mp4"]
    assert layout.classes == []
    assert {entry.label for entry in layout.entries} == {None}
    assert layout.describe() == "2 video files"


def test_class_folders_are_the_labels(tmp_path):
    layout = scan(
        touch(tmp_path, "walk/1.avi", "run/1.webm", "run/2.gif", "run/thumb.jpg", "empty/readme.md")
    )
    assert layout.classes == ["run", "walk"]
    assert [(entry.name, entry.label) for entry in layout.entries] == [
        ("run/1.webm", 0),
        ("run/2.gif", 0),
        ("walk/1.avi", 1),
    ]
    assert layout.describe() == "3 video files in 2 classes"


def test_one_sub_folder_is_no_class(tmp_path):
    layout = scan(touch(tmp_path, "clips/1.mp4", "clips/2.mp4"))
    assert (len(layout.entries), layout.classes) == (2, [])


def test_strips_in_classes(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        write_strip(tmp_path / name, moving_bar(6), vertical=name == "b/1.png")
    layout = scan(tmp_path)
    assert layout.describe() == "3 strip images in 2 classes"


def test_flat_strips(tmp_path):
    write_strip(tmp_path / "1.png", moving_bar(6))
    assert scan(tmp_path).describe() == "1 strip image"


@pytest.mark.parametrize("size", [(32, 32), (64, 32), (96, 32), (130, 32), (32, 64)])
def test_frame_folders_of_any_usual_aspect(tmp_path, size):
    for video in ("v1", "v2"):
        for t in (10, 9, 1):
            picture(tmp_path / video / f"{t}.jpg", *size)
    layout = scan(tmp_path)
    assert layout.describe() == "2 frame folders"
    assert layout.entries[0].files == ("v1/1.jpg", "v1/9.jpg", "v1/10.jpg")
    assert layout.classes == []


def test_frame_folders_in_classes(tmp_path):
    for name in ("run/v1", "run/v2", "walk/v1"):
        write_frames(tmp_path / name, moving_bar(3))
    layout = scan(tmp_path)
    assert layout.describe() == "3 frame folders in 2 classes"
    assert [entry.label for entry in layout.entries] == [0, 0, 1]


def test_one_odd_image_does_not_change_the_verdict(tmp_path):
    for i in range(4):
        write_strip(tmp_path / f"{i}.png", moving_bar(5))
    picture(tmp_path / "cover.png", 50, 40)
    (tmp_path / "broken.png").write_bytes(b"not an image")
    assert scan(tmp_path).describe() == "6 strip images"


def test_what_cannot_be_understood_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data\.path: there is no folder .*nowhere"):
        scan(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no video in .*strip images"):
        scan(tmp_path)
    with pytest.raises(ValueError, match="is a file"):
        scan(touch(tmp_path, "a.mp4") / "a.mp4")
    with pytest.raises(ValueError, match=r"both directly .*a.mp4.* and in sub-folders .*c/b.mp4"):
        scan(touch(tmp_path, "c/b.mp4"))
    for i in range(3):
        picture(tmp_path / "photos" / f"{i}.png", 40, 30)
    with pytest.raises(ValueError, match=r"3 images that are no strips"):
        scan(tmp_path / "photos")


def test_links_are_followed_and_cycles_end(tmp_path):
    touch(tmp_path / "store", "1.mp4")
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "a" / "1.mp4").symlink_to(tmp_path / "store" / "1.mp4")
    assert len(scan(tmp_path / "set").entries) == 1
    (tmp_path / "set" / "a" / "loop.mp4").symlink_to("loop.mp4")
    assert len(scan(tmp_path / "set").entries) == 2  # for the decoder to refuse
    (tmp_path / "set" / "a" / "again").symlink_to(tmp_path / "set" / "a")
    (tmp_path / "set" / "up").symlink_to(tmp_path)
    layout = scan(tmp_path / "set", labels="none")
    assert {(s.path, s.reason) for s in layout.refused} == {
        ("a/again", "is a link to a folder that holds it"),
        ("up/set", "is a link to a folder that holds it"),
    }
    assert [e.name for e in layout.entries] == ["a/1.mp4", "a/loop.mp4", "up/store/1.mp4"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_block_the_look(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    write_strip(tmp_path / "1.png", moving_bar(5))
    assert len(scan(tmp_path).entries) == 2


def test_strip_frames():
    assert strip_frames(64 * 32, 64) == 32
    assert strip_frames(64, 64 * 4) == 4
    assert strip_frames(64 * 3, 64) is None
    assert strip_frames(64 * 5 + 1, 64) is None


def test_natural_order():
    names = ["f10", "f9", "F1", "f09", "10", "9"]
    assert sorted(names, key=natural) == ["9", "10", "F1", "f09", "f9", "f10"]
    assert natural("x²1") == (("x²", 1, ""), "x²1")  # a digit to str.isdigit, but no number


def test_zips_of_frame_folders_at_any_depth(tmp_path):
    frame = png(moving_bar(1, 24, 40)[0])
    names = ["v1/10.png", "v1/9.png", "a/b/c/v2/0.png", "__MACOSX/v1/9.png", ".hidden/0.png", "notes.txt"]
    layout = scan(write_zip(tmp_path / "set.zip", dict.fromkeys(names, frame)), labels="none")
    assert layout.describe() == "2 frame folders in 1 archive"
    assert [(e.name, e.files, e.archive) for e in layout.entries] == [
        ("a/b/c/v2", ("a/b/c/v2/0.png",), "set.zip"),
        ("v1", ("v1/9.png", "v1/10.png"), "set.zip"),
    ]


def test_archives_count_as_the_folder_they_lie_in(tmp_path):
    strip = (write_strip(tmp_path / "s.png", moving_bar(5))).read_bytes()
    (tmp_path / "s.png").unlink()
    write_zip(tmp_path / "run" / "part1.zip", {"1.png": strip})
    write_zip(tmp_path / "run" / "part2.zip", {"1.png": strip})
    write_tar(tmp_path / "walk" / "all.tar", {"1.png": strip})
    layout = scan(tmp_path)
    assert layout.describe() == "3 strip images in 3 archives in 2 classes"
    assert [(e.name, e.label) for e in layout.entries] == [
        ("run/part1.zip/1.png", 0), ("run/part2.zip/1.png", 0), ("walk/all.tar/1.png", 1)
    ]  # fmt: skip


def test_an_archive_in_an_archive_is_told_of(tmp_path):
    write_zip(tmp_path / "outer.zip", {"in/inner.zip": b"PK", "a.mp4": b"x", "__MACOSX/b.zip": b"x"})
    layout = scan(tmp_path)
    assert [entry.name for entry in layout.entries] == ["outer.zip/a.mp4"]
    (refused,) = layout.refused
    assert refused.path == "outer.zip/in/inner.zip"
    assert "unpack the outer one" in refused.reason


def test_an_archive_that_lies_unpacked_beside_itself_counts_once(tmp_path, caplog):
    for name in ("same", "own"):
        write_zip(tmp_path / name / "set.zip", {"v/1.mp4": b"x", "v/2.mp4": b"x"})
    touch(tmp_path, "same/v/1.mp4", "same/v/2.mp4", "own/set/v/1.mp4", "own/set/v/2.mp4")
    layout = scan(tmp_path)
    assert len(layout.entries) == 4
    assert not any(entry.archive for entry in layout.entries)
    assert [record.message.split()[0] for record in caplog.records] == ["own/set.zip", "same/set.zip"]
    assert layout.refused == []
    (tmp_path / "same" / "v" / "2.mp4").unlink()  # then it is something else
    assert len(scan(tmp_path).entries) == 5


def test_what_is_passed_over_is_told(tmp_path, caplog):
    touch(tmp_path, "1.mp4", "features.npy", "thumb.jpg")
    write_zip(tmp_path / "more.zip", {"2.mp4": b"", "stack.npy": b""})
    layout = scan(tmp_path)
    assert (layout.describe(), layout.refused) == ("2 video files in 1 archive", [])
    assert [record.getMessage() for record in caplog.records] == [
        "1 images beside video files are passed over, such as thumb.jpg",
        "2 arrays in archives, or beside videos or images are passed over, such as features.npy",
    ]


def test_a_damaged_archive_is_listed(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    frame = png(moving_bar(1, 24, 40)[0])
    write_zip(tmp_path / "good.zip", {"v/0.png": frame, "../out/0.png": frame})
    write_zip(tmp_path / "loose.zip", {"0.png": frame, "1.png": frame})
    layout = scan(tmp_path)
    assert [e.name for e in layout.entries] == ["good.zip/v"]
    assert {s.path: s.reason.split(":")[0] for s in layout.refused} == {
        "bad.zip": "damaged archive",
        "good.zip/../out/0.png": "leads out of the archive",
        "loose.zip": "2 images that are no strips",
    }


def test_folders_inside_each_other_without_end(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 80)
    deep.mkdir(parents=True)
    touch(deep, "1.mp4")
    touch(tmp_path, "d/2.mp4")
    layout = scan(tmp_path)
    assert [e.name for e in layout.entries] == ["d/2.mp4"]
    assert layout.refused[0].reason == "lies more than 64 folders deep"
