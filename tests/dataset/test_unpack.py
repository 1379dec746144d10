import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vgen.dataset import unpack as module
from vgen.dataset.unpack import is_archive, stem_of, unpack

FILES = {"a/b.avi": b"frames", "c.txt": b"list", "d e/ü.mp4": b""}


def write_zip(
    path: Path, files: dict[str, bytes], edit: Callable[[zipfile.ZipInfo], None] = lambda info: None
) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            edit(info)
            archive.writestr(info, content)
    return path


def write_tar(path: Path, files: dict[str, bytes], *members: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def refused(archive: Path, match: str) -> None:
    """It is refused in one line that names it, and nothing is left, in its folder or above."""
    inside, outside = archive.parent / "out", archive.parent.parent
    before = {path.name for path in outside.iterdir()}
    with pytest.raises(ValueError, match=match) as raised:
        unpack(archive, inside)
    assert "\n" not in str(raised.value)
    assert str(archive) in str(raised.value)
    assert not inside.exists()
    assert not list(archive.parent.glob("*.unpacking"))
    assert {path.name for path in outside.iterdir()} == before


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tgz", "tar.xz"])
def test_archives_of_all_kinds(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"set.{suffix}"
    assert is_archive(archive.name)
    assert stem_of(archive.name) == "set"
    if suffix == "zip":
        write_zip(archive, FILES)
    else:
        modes = {"tar": "w", "tar.xz": "w:xz"}
        write_tar(archive, FILES, special("empty", tarfile.DIRTYPE), mode=modes.get(suffix, "w:gz"))
    unpack(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    shutil.rmtree(tmp_path / "out")
    whole = archive.read_bytes()
    for length in (3 * len(whole) // 4, len(whole) // 3) if suffix != "tar" else (512, 700, 1024, 2048):
        archive.write_bytes(whole[:length])
        refused(archive, "damaged|bytes, and declares|cut off")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil", "C:/evil"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    refused(write_zip(tmp_path / "a.zip", {"fine.avi": b"x", name: b"evil"}), "leads out of the archive")
    refused(write_tar(tmp_path / "a.tar", {"fine.avi": b"x", name: b"evil"}), "leads out of the archive")


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    def as_link(info: zipfile.ZipInfo) -> None:
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    refused(write_zip(tmp_path / "a.zip", {"link": b"/etc/passwd"}, as_link), "a link or device")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        refused(write_tar(tmp_path / "a.tar", {}, special("way/out", kind, "/tmp")), "a link, device")


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = {"zeros.avi": bytes(20_000_000)}
    refused(write_zip(tmp_path / "a.zip", zeros), "grow beyond 200 times its size")
    refused(write_tar(tmp_path / "a.tar.gz", zeros, mode="w:gz"), "grow beyond 200 times its size")
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    refused(write_zip(tmp_path / "b.zip", {"a": os.urandom(100)}), "fill the disk")


def test_a_size_that_is_a_lie_is_noticed(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.avi": bytes(1000)})
    whole = archive.read_bytes()
    for said in ((5000).to_bytes(4, "little"), (10).to_bytes(4, "little")):
        archive.write_bytes(whole.replace((1000).to_bytes(4, "little"), said))
        refused(archive, "damaged|bytes, and declares")


def test_what_comes_twice_or_is_nothing_known_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as opened:
        for content in (b"one", b"two"):
            info = tarfile.TarInfo("a.avi")
            info.size = 3
            opened.addfile(info, io.BytesIO(content))
    refused(archive, "comes twice")
    (tmp_path / "a.7z").write_bytes(b"?")
    refused(tmp_path / "a.7z", "no archive of a known kind")
    (tmp_path / "text.zip").write_text("<html>")
    refused(tmp_path / "text.zip", "damaged")


def test_a_rar_without_a_tool_says_which_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "UCF101.rar").write_bytes(b"Rar!")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"is a rar, and none of bsdtar, unrar, 7zz, 7z is installed"
    ) as raised:
        unpack(tmp_path / "UCF101.rar", tmp_path / "out")
    assert "raw=DIR" in str(raised.value)
    assert not (tmp_path / "out").exists()


def tool(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A stand-in for unrar, which is not free."""
    (folder / "bin").mkdir()
    (folder / "bin" / "unrar").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / "unrar").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/bin")


def test_what_a_tool_unpacks_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "a.rar"
    archive.write_bytes(bytes(100))
    monkeypatch.setattr(module, "RAR_TOOLS", {"unrar": ("x",)})
    tool(tmp_path, monkeypatch, "mkdir -p a && echo frames > a/b.avi && test $1 = x && test -f $2")
    unpack(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == {"a/b.avi": b"frames\n"}
    for script, match in (
        ("ln -s /etc a", "a link or device"),
        ("echo 'checksum error in b' >&2; exit 3", "unrar says: checksum error in b"),
        ("head -c 30000 /dev/zero > a", "grow beyond 200 times"),
    ):
        shutil.rmtree(tmp_path / "bin")
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        tool(tmp_path, monkeypatch, script)
        refused(archive, match)


@pytest.mark.skipif(shutil.which("bsdtar") is None, reason="no bsdtar")
def test_bsdtar_reads_what_is_called_rar(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", FILES).rename(tmp_path / "a.rar")  # it looks at the content
    unpack(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    shutil.rmtree(tmp_path / "out")
    write_zip(tmp_path / "b.zip", {"../evil": b"evil"}).rename(tmp_path / "b.rar")
    refused(tmp_path / "b.rar", "bsdtar says")
