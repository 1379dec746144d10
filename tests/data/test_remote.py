"""Packed datasets behind an address: fsspec's memory and a web server on this machine that can misbehave."""

import hashlib
import http.server
import json
import re
import threading
from itertools import islice
from pathlib import Path

import fsspec
import numpy as np
import pytest

from vgen.data import remote
from vgen.data.infinite import InfiniteBatches
from vgen.data.pack import FORMAT, VERSION
from vgen.data.packed import PackedVideos
from vgen.data.storage import absolute

RNG = np.random.default_rng(0)
VIDEOS = [RNG.integers(0, 256, (length, 6, 6, 3), dtype=np.uint8) for length in (5, 9, 7, 6, 8, 5, 10)]
PER_SHARD = 2


def write_dataset(folder: Path) -> None:
    """VIDEOS as a packed dataset, two to a shard."""
    (folder / "shards").mkdir(parents=True)
    shards, rows = [], []
    for number, first in enumerate(range(0, len(VIDEOS), PER_SHARD)):
        members = VIDEOS[first : first + PER_SHARD]
        file = folder / "shards" / f"{number:05}.npy"
        np.save(file, np.concatenate(members))
        data = file.read_bytes()
        facts = {"file": f"shards/{file.name}", "frames": sum(map(len, members)), "bytes": len(data)}
        shards.append(facts | {"sha256": hashlib.sha256(data).hexdigest()})
        start = 0
        for offset, pixels in enumerate(members):
            i = first + offset
            row = {
                "name": f"{i}.mp4",
                "label": i % 2,
                "fps": 25.0,
                "lossy": True,
                "stored": "6x6",
                "split": None,
            }
            digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()
            rows.append(row | {"shard": number, "start": start, "frames": len(pixels), "hash": digest})
            start += len(pixels)
    index = {
        "format": FORMAT, "version": VERSION, "key": None, "frame": [6, 6, 3], "classes": ["even", "odd"],
        "settings": {"size": 6, "channels": 3, "resize": "crop", "resample": "bicubic"},
        "shards": shards, "videos": rows, "skipped": [],
    }  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(index))


class Server(http.server.BaseHTTPRequestHandler):
    """Serves a folder by ranges, counts what it sends, and does wrong what it is told to."""

    folder: Path
    asked: list[tuple[str, str]]
    bad: list[str]  # what to do to the next requests for bytes of a shard: "drop", "short", "500", "whole"

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        file = self.folder / self.path.lstrip("/")
        if not file.is_file():
            self.send_error(404)
            return
        data, code = file.read_bytes(), 200
        extent = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        wrong = self.bad.pop(0) if body and extent and self.bad else ""
        if body:
            self.asked.append((self.path, self.headers.get("Range", "")))
        if wrong == "500":
            self.send_error(500)
            return
        if extent and wrong != "whole":
            data, code = data[int(extent[1]) : int(extent[2]) + 1], 206
        self.send_response(code)
        self.send_header("Content-Length", str(len(data) // 2 if wrong == "short" else len(data)))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if wrong == "drop":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.connection.close()
        elif body:
            self.wfile.write(data[: len(data) // 2] if wrong == "short" else data)

    def log_message(self, *_) -> None: ...


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An address, and the class that serves it."""
    write_dataset(tmp_path / "served" / "set")
    handler = type("Handler", (Server,), {"folder": tmp_path / "served", "asked": [], "bad": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(remote, "PATIENCE", (0.01, 0.01, 0.01))
        yield f"http://127.0.0.1:{running.server_address[1]}/set", handler
        running.shutdown()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(remote, "BLOCK", 256)  # a frame has 108 bytes


def opened(path: str, cache: Path, **arguments) -> PackedVideos:
    source = PackedVideos(path=path, cache=str(cache), **arguments)
    source.prepare()
    source.setup()
    return source


def check_pixels(source: PackedVideos) -> None:
    assert len(source) == len(VIDEOS)
    for i, pixels in enumerate(VIDEOS):
        assert np.array_equal(source.read(i, np.array([4, 0, 3, 3])), pixels[[4, 0, 3, 3]])
    indices = np.array([[1, 3, 4], [4, 2, 0], [0, 0, 1]])
    out = np.empty((3, 3, 6, 6, 3), np.uint8)
    source.gather([6, 0, 3], indices, out)
    assert np.array_equal(
        out, np.stack([VIDEOS[i][chosen] for i, chosen in zip((6, 0, 3), indices, strict=True)])
    )


def test_any_filesystem_of_fsspec_gives_the_same_clips_as_the_folder(tmp_path, server):
    write_dataset(tmp_path / "set")
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "set"), "/bucket/set", recursive=True)
    local = opened(str(tmp_path / "set"), tmp_path / "cache")
    for address in (f"file://{tmp_path}/set", "memory://bucket/set", "memory://bucket/set/", server[0]):
        source = opened(address, tmp_path / "cache")
        check_pixels(source)
        assert (source.name, source.classes, source.fingerprint) == (
            "set",
            ["even", "odd"],
            local.fingerprint,
        )
    memory.rm("/bucket", recursive=True)


def test_only_what_is_asked_for_comes_and_it_comes_once(tmp_path, server):
    address, handler = server
    source = opened(address, tmp_path / "cache")
    assert [path for path, _ in handler.asked] == ["/set/dataset.json"]
    source.read(2, np.array([5]))
    bytes_asked = [tuple(map(int, text[6:].split("-"))) for path, text in handler.asked if "00001" in path]
    assert 0 < sum(last - first + 1 for first, last in bytes_asked) <= 4 * 256
    assert not any("00000" in path for path, _ in handler.asked)
    handler.asked.clear()
    check_pixels(source)
    assert len(handler.asked) == len(set(handler.asked))
    handler.asked.clear()
    check_pixels(source)
    check_pixels(opened(address, tmp_path / "cache"))  # another process of this machine
    assert [path for path, _ in handler.asked] == ["/set/dataset.json"]


@pytest.mark.parametrize("wrong", ["drop", "short", "500", "whole"])
def test_a_server_that_fails_is_asked_again_and_never_believed(tmp_path, server, wrong):
    address, handler = server
    handler.bad[:] = [wrong] * 2
    check_pixels(opened(address, tmp_path / "cache"))
    assert handler.bad == []
    broken = opened(address, tmp_path / "other")
    handler.bad[:] = [wrong] * 1000
    with pytest.raises(OSError, match=rf"{address}/shards/0000.\.npy cannot be read: "):
        broken.read(0, np.array([0]))
    handler.bad.clear()
    check_pixels(broken)


def test_a_half_written_block_is_fetched_again(tmp_path, server):
    address, handler = server
    check_pixels(opened(address, tmp_path / "cache"))
    (shard,) = (tmp_path / "cache").glob("blocks/*/shards/00000.npy")
    with open(shard, "r+b") as file:
        file.seek(700)
        file.write(b"torn")
    handler.asked.clear()
    check_pixels(opened(address, tmp_path / "cache"))
    assert [text for path, text in handler.asked if path.endswith(".npy")] == ["bytes=512-767"]


def test_a_changed_dataset_is_not_mixed_with_the_old_one(tmp_path, server):
    address, handler = server
    check_pixels(opened(address, tmp_path / "cache"))
    file = handler.folder / "set" / "shards" / "00003.npy"
    np.save(file, 255 - np.load(file))
    index = handler.folder / "set" / "dataset.json"
    facts = json.loads(index.read_text())
    facts["shards"][3]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    digest = hashlib.blake2b((255 - VIDEOS[6]).tobytes(), digest_size=16).hexdigest()
    facts["videos"][6]["hash"] = digest
    index.write_text(json.dumps(facts))
    assert np.array_equal(opened(address, tmp_path / "cache").read(6, np.arange(10)), 255 - VIDEOS[6])


def test_bytes_that_are_not_what_was_packed_are_refused(tmp_path, server):
    address, handler = server
    file = handler.folder / "set" / "shards" / "00001.npy"
    right = file.read_bytes()
    file.write_bytes(right[:-200] + bytes(200))  # the end of video 3
    source = opened(address, tmp_path / "cache")
    assert np.array_equal(source.read(2, np.arange(7)), VIDEOS[2])
    for _ in range(2):
        with pytest.raises(ValueError, match=r"3\.mp4 in shards/00001\.npy is not what was packed"):
            source.read(3, np.arange(6))
    file.write_bytes(right)
    check_pixels(source)


def test_says_what_is_wrong(tmp_path, server, monkeypatch):
    address, handler = server
    with pytest.raises(FileNotFoundError, match=rf"{address}er is no packed dataset"):
        opened(f"{address}er", tmp_path)
    with pytest.raises(ValueError, match=r"nowhere://set/dataset.json: .*nowhere"):
        opened("nowhere://set", tmp_path)
    with pytest.raises(ValueError, match=r"data.mixed_shards is 0"):
        PackedVideos(path=address, mixed_shards=0)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot write the cache .*Set data.cache"):
        opened(address, tmp_path / "file").read(0, np.array([0]))
    index = handler.folder / "set" / "dataset.json"
    index.write_text(index.read_text().replace("shards/00000.npy", "../../../00000.npy"))
    with pytest.raises(ValueError, match=r"names a shard outside of it: \.\./"):
        opened(address, tmp_path / "cache").read(0, np.array([0]))
    index.write_text("{")
    with pytest.raises(ValueError, match=r"dataset.json is damaged"):
        opened(address, tmp_path / "cache")


def test_mixed_shards_are_passed_through_one_after_the_other(tmp_path):
    write_dataset(tmp_path / "set")
    source = opened(str(tmp_path / "set"), tmp_path / "cache", mixed_shards=2)
    batches = InfiniteBatches(
        videos=7, batch=7, seed=0, shards=source.shards, mixed=source.mixed_shards
    )  # fmt: skip
    passes = [[draw.video for draw in batch] for batch in islice(batches, 40)]
    assert all(sorted(one) == list(range(7)) for one in passes)
    for one in passes:
        shards = [source.shards[video] for video in one]
        split = 3 if 3 in shards[:3] else 4  # shard 3 has one video, the others two
        assert len(set(shards[:split])) == len(set(shards[split:])) == 2
        assert not set(shards[:split]) & set(shards[split:])
    assert len({tuple(one) for one in passes}) > 30
    assert len({frozenset(source.shards[v] for v in one[:3]) for one in passes}) > 3


def test_addresses_stay_and_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("s3://bucket/set/") == "s3://bucket/set"
    assert absolute("file:///data/set") == "/data/set"
    assert absolute("set") == str(tmp_path / "set")
    assert absolute("~/set") == str(Path.home() / "set")
