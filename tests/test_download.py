import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving

from vgen.download import GoneError, fetch, matches

BODY = bytes(range(256)) * 1000
CHECKSUM = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving(monkeypatch, BODY) as server:
        yield server


def test_a_file_comes_whole(server: FileServer, tmp_path: Path) -> None:
    url = server.url("file")
    assert fetch([url], tmp_path / "file", checksum=CHECKSUM) == url
    assert (tmp_path / "file").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert matches(tmp_path / "file", f"md5:{hashlib.md5(BODY).hexdigest().upper()}")


def test_redirects_are_followed_and_loops_end(server: FileServer, tmp_path: Path) -> None:
    server.moved = {"old": server.url("new"), "a": server.url("b"), "b": server.url("a")}
    fetch([server.url("old")], tmp_path / "file", checksum=CHECKSUM)
    with pytest.raises(GoneError, match="HTTP 302"):
        fetch([server.url("a")], tmp_path / "other")
    server.moved["c"] = "file:///etc/passwd"
    with pytest.raises(GoneError):
        fetch([server.url("c")], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_part_that_is_not_the_one_asked_for_is_not_appended(server: FileServer, tmp_path: Path) -> None:
    server.drops = [70_000]
    server.wrong_ranges = True
    fetch([server.url("file")], tmp_path / "file", checksum=CHECKSUM)
    assert server.asked == [None, "bytes=70000-", None]


def test_a_part_that_is_complete_is_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BODY)
    fetch([server.url("file")], tmp_path / "file", checksum=CHECKSUM)
    assert server.asked == [f"bytes={len(BODY)}-"]


def test_a_length_that_is_never_reached_ends(server: FileServer, tmp_path: Path) -> None:
    server.extra_length = 5
    server.ranges = False
    with pytest.raises(GoneError, match=r"the connection dropped, 5 times in a row|IncompleteRead"):
        fetch([server.url("file")], tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_chunks_that_break_off_are_not_taken_for_the_end(server: FileServer, tmp_path: Path) -> None:
    server.chunked = True
    server.drops = [90_000]
    fetch([server.url("file")], tmp_path / "file")  # nobody states a checksum
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize(
    ("codes", "reason"), [([404], "HTTP 404"), ([403], "HTTP 403"), ([503] * 5, "HTTP 503, 5 times")]
)
def test_refusals_are_told_in_one_line(
    server: FileServer, tmp_path: Path, codes: list[int], reason: str
) -> None:
    server.codes = codes
    with pytest.raises(GoneError, match=reason) as raised:
        fetch([server.url("file")], tmp_path / "file")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "file").exists()


def test_wrong_bytes_are_put_aside(server: FileServer, tmp_path: Path) -> None:
    server.body = BODY[:-1] + b"?"
    with pytest.raises(ValueError, match=r"gave another file than published: sha256 .*, not used"):
        fetch([server.url("file")], tmp_path / "file", checksum=CHECKSUM)
    assert [path.name for path in tmp_path.iterdir()] == ["file.wrong"]
