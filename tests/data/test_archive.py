import io
import stat
import tarfile
import zipfile

import pytest
from movies import write_tar, write_zip

from vgen.data.archive import members, open_file
from vgen.data.entry import Unreadable


def reasons(path) -> dict[str, str]:
    return dict(members(path).refused)


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_members_come_back_and_can_be_sought_in(tmp_path, write):
    path = write(
        tmp_path / f"a.{write.__name__[-3:]}", {"x/1.bin": bytes(range(256)) * 9, "y": b"", "x/2.bin": b"two"}
    )
    assert members(path).names == ["x/1.bin", "y", "x/2.bin"]
    with open_file(tmp_path, path.name, "x/1.bin") as file:
        assert file.read(3) == b"\x00\x01\x02"
        assert file.seek(-2, io.SEEK_END) == 2302
        assert file.read() == b"\xfe\xff"
        assert file.seek(255) == file.tell() == 255
        assert file.read(2) == b"\xff\x00"
    with open_file(tmp_path, path.name, "y") as file:
        assert file.read() == b""


def test_names_that_lead_out_are_refused(tmp_path):
    files = {
        "../out.png": b"1",
        "/etc/x.png": b"2",
        "a/../../b.png": b"3",
        "C:\\d.png": b"4",
        "good..png": b"5",
    }
    for path in (write_zip(tmp_path / "a.zip", files), write_tar(tmp_path / "a.tar", files)):
        assert members(path).names == ["good..png"]
        assert set(reasons(path).values()) == {"leads out of the archive"}
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.tar", "a.zip"]  # and nothing was written


def test_links_and_devices_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as out:
        for name, kind in (("soft", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            out.addfile(info)
    assert set(reasons(tmp_path / "a.tar")) == {"soft", "hard", "pipe"}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        info = zipfile.ZipInfo("soft")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        out.writestr(info, "/etc/passwd")
    assert reasons(tmp_path / "a.zip") == {"soft": "is a link"}


def test_a_bomb_is_not_unpacked(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"zeros.png": bytes(40 << 20), "small.bin": bytes(1 << 20)})
    assert "not believed" in reasons(path)["zeros.png"]
    assert members(path).names == ["small.bin"]


def test_a_checksum_that_does_not_fit_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("x", b"A" * 100)
    data = (tmp_path / "a.zip").read_bytes().replace(b"A" * 100, b"A" * 60 + b"B" + b"A" * 39)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(Unreadable, match="CRC"):
        open_file(tmp_path, "a.zip", "x")


def test_a_tar_that_was_cut_keeps_what_is_whole(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"a": bytes(2000), "b": bytes(2000), "c": bytes(2000)})
    path.write_bytes(path.read_bytes()[: 512 + 2048 + 512 + 100])
    assert members(path).names == ["a"]
    assert any("cut off" in why or "damaged" in why for _, why in members(path).refused)


def test_a_tar_with_a_damaged_header_is_told(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"a": bytes(600), "b": bytes(600)})
    data = bytearray(path.read_bytes())
    data[512 + 1024 + 3] ^= 1  # in the name of b, which its header's checksum covers
    path.write_bytes(data)
    assert members(path).names == ["a"]
    assert members(path).refused == [("", "it ends, or is damaged, before its end mark")]
    path.write_bytes(bytes(data[: 512 + 1024]))  # cut between two members
    assert members(path).refused == [("", "it ends, or is damaged, before its end mark")]


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_what_is_no_archive(tmp_path, name):
    for content in (b"", b"no archive" * 100):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Unreadable, match="damaged archive"):
            members(tmp_path / name)
    with pytest.raises(OSError, match="No such file"):
        members(tmp_path / "nowhere.zip")


def test_a_changed_archive_is_looked_at_again(tmp_path):
    write_zip(tmp_path / "a.zip", {"one": b"1"})
    assert members(tmp_path / "a.zip").names == ["one"]
    write_zip(tmp_path / "a.zip", {"two": b"22", "three": b"333"})
    assert members(tmp_path / "a.zip").names == ["two", "three"]
