import hashlib
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from file_server import FileServer, serving
from torch import nn

from vgen.extractor.weights import Source, find, find_or_fetch, load_into, load_tensors

CONTENT = torch.randint(0, 256, (300_000,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
BODY = CONTENT.numpy().tobytes()
HASH = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving(monkeypatch, BODY) as server:
        yield server


def published(server: FileServer, sha256: str | None = HASH, *urls: str) -> Source:
    return Source("net.pt", (*urls, server.url("file")), sha256)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_fetched_once_and_recorded(server: FileServer, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    found = find_or_fetch(published(server), str(folder))
    assert found.path.read_bytes() == BODY
    assert (found.sha256, found.published) == (HASH, True)
    assert (folder / "net.pt.sha256").read_text() == f"{HASH}  net.pt\n"
    assert left_in(folder) == {"net.pt", "net.pt.sha256"}
    assert find_or_fetch(published(server), str(folder), download=False) == found
    assert server.asked == [None]
    assert found.info() == {"file": "net.pt", "sha256": HASH, "url": found.url, "published": True}


def test_progress_is_shown(server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    find_or_fetch(published(server), str(tmp_path))
    assert "fetching net.pt: 100%" in capsys.readouterr().err


def test_dropped_connections_go_on_where_they_broke(server: FileServer, tmp_path: Path) -> None:
    server.drops = [100_000, 0, 50_000]
    assert find_or_fetch(published(server), str(tmp_path)).sha256 == HASH
    assert server.asked == [None, "bytes=100000-", "bytes=100000-", "bytes=150000-"]


def test_an_interrupted_fetch_is_resumed_by_the_next(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "net.pt.part").write_bytes(BODY[:123_456])
    assert find_or_fetch(published(server), str(tmp_path)).sha256 == HASH
    assert server.asked == ["bytes=123456-"]


def test_a_server_without_ranges_sends_all_again(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    server.drops = [100_000]
    assert find_or_fetch(published(server), str(tmp_path)).path.read_bytes() == BODY


def test_a_file_that_changed_in_between_is_not_pieced_together(server: FileServer, tmp_path: Path) -> None:
    server.drops = [100_000, 0, 0, 0, 0, 0]
    with pytest.raises(FileNotFoundError, match="5 times in a row"):
        find_or_fetch(published(server, None), str(tmp_path))
    server.body = bytes(reversed(BODY))
    assert find_or_fetch(published(server, None), str(tmp_path)).path.read_bytes() == server.body


def test_a_part_of_something_longer_is_dropped(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "net.pt.part").write_bytes(BODY + BODY)
    assert find_or_fetch(published(server), str(tmp_path)).sha256 == HASH


def test_no_length_said(server: FileServer, tmp_path: Path) -> None:
    server.says_length = False
    assert find_or_fetch(published(server), str(tmp_path)).sha256 == HASH


def test_busy_servers_are_asked_again(server: FileServer, tmp_path: Path) -> None:
    server.codes = [503, 429]
    assert find_or_fetch(published(server), str(tmp_path)).sha256 == HASH


def test_the_next_url_after_one_that_is_gone(server: FileServer, tmp_path: Path) -> None:
    server.codes = [404]
    url = f"http://127.0.0.1:{server.server_port}/old"
    assert find_or_fetch(published(server, HASH, url), str(tmp_path)).sha256 == HASH
    assert len(server.asked) == 2


def test_wrong_bytes_are_put_aside(server: FileServer, tmp_path: Path) -> None:
    server.body = BODY[:-1] + b"?"
    with pytest.raises(ValueError, match="gave another file than published") as error:
        find_or_fetch(published(server), str(tmp_path))
    assert HASH in str(error.value)
    assert "\n" not in str(error.value)
    assert left_in(tmp_path) == {"net.pt.wrong"}
    server.body = BODY
    assert find_or_fetch(published(server), str(tmp_path)).sha256 == HASH


@pytest.mark.parametrize("trouble", ["gone", "page", "offline", "off"])
def test_one_line_says_what_to_fetch_and_where_to_put_it(
    server: FileServer, tmp_path: Path, trouble: str
) -> None:
    source = published(server)
    reason = {
        "gone": "HTTP 404",
        "page": "a web page",
        "offline": "no connection",
        "off": "weights.download is off",
    }
    if trouble == "gone":
        server.codes = [404]
    elif trouble == "page":
        server.type = "text/html; charset=utf-8"
    elif trouble == "offline":
        server.shutdown()
        server.server_close()
    with pytest.raises(FileNotFoundError, match=reason[trouble]) as error:
        find_or_fetch(source, str(tmp_path), download=trouble != "off")
    for part in ("net.pt", source.urls[0], str(tmp_path)):
        assert part in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "net.pt").exists()


def test_own_files_are_taken_as_they_are(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"retrained")
    found = find_or_fetch(published(server), str(tmp_path))
    assert found.published is False
    assert find_or_fetch(published(server, None), str(tmp_path)).published is None
    assert server.asked == []


def test_named_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGEN_WEIGHTS", str(tmp_path))
    sources = (Source("a.pt", ("http://127.0.0.1:9/a",)), Source("b.pt", ("http://127.0.0.1:9/b",)))
    with pytest.raises(FileNotFoundError, match=r"weights a\.pt not found.*b\.pt from .* would do as well"):
        find(None, sources, None, download=False)
    (tmp_path / "b.pt").write_bytes(b"b")
    (tmp_path / "own.pt").write_bytes(b"own")
    assert find(None, sources, None, download=False).path == tmp_path / "b.pt"
    assert find("own.pt", sources, None, download=False).path == tmp_path / "own.pt"
    assert find(str(tmp_path / "own.pt"), sources, "elsewhere", download=False).url is None
    (tmp_path / "a.pt").write_bytes(b"a")
    assert find(None, sources, None, download=False).path == tmp_path / "a.pt"
    with pytest.raises(FileNotFoundError, match=r"weights c\.pt are neither in"):
        find("c.pt", sources, None, download=False)


def fetch(port: int, folder: str, results: "multiprocessing.Queue[str]") -> None:
    source = Source("net.pt", (f"http://127.0.0.1:{port}/file",), HASH)
    results.put(find_or_fetch(source, folder).sha256)


def test_two_processes_at_once(server: FileServer, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [
        context.Process(target=fetch, args=(server.server_port, str(tmp_path), results)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=60) for _ in workers] == [HASH, HASH]
    for worker in workers:
        worker.join()
    assert len(server.asked) == 1
    assert left_in(tmp_path) == {"net.pt", "net.pt.sha256"}


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"run": print}, path)
    for file in (path, tmp_path / "empty.pt", tmp_path / "bad.safetensors"):
        if file != path:
            file.write_bytes(b"nothing")
        with pytest.raises(ValueError, match="expected a good one") as error:
            load_tensors(file, expected="a good one")
        assert "\n" not in str(error.value)
    torch.save([1], path)
    with pytest.raises(ValueError, match="holds no state dict"):
        load_tensors(path, expected="a good one")


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    module = nn.Linear(2, 3)
    state = {"weight": torch.zeros(3, 3), "scale": torch.zeros(1)}
    with pytest.raises(
        ValueError, match=r"1 keys missing \(first: bias\), 1 keys unknown \(first: scale\), 1 keys of"
    ):
        load_into(module, state, tmp_path, expected="a linear layer")
    with pytest.raises(ValueError, match="holds no state dict"):
        load_into(module, {"epoch": 3}, tmp_path, expected="a linear layer")
    load_into(
        module, {"weight": torch.ones(3, 2), "bias": torch.ones(3)}, tmp_path, expected="a linear layer"
    )
    assert module.weight.sum() == 6
