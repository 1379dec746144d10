"""A web server that serves files and misbehaves in all the ways that downloads meet."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vgen import download


class FileServer(ThreadingHTTPServer):
    """Serves `bodies` by their names, `body` under every other name, and misbehaves as its attributes say."""

    daemon_threads = True

    def __init__(self, body: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = body
        self.bodies: dict[str, bytes] = {}
        self.drops: list[int] = []  # bytes after which the next answers break off
        self.codes: list[int] = []  # what the next requests are refused with
        self.moved: dict[str, str] = {}  # name -> address it is redirected to
        self.ranges = True
        self.wrong_ranges = False  # says 206, and sends from the beginning
        self.says_length = True
        self.extra_length = 0  # that is declared beyond the truth
        self.chunked = False
        self.type = "application/octet-stream"
        self.asked: list[str | None] = []  # the Range of each request

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: FileServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        server, wanted, name = self.server, self.headers["Range"], self.path.lstrip("/")
        server.asked.append(wanted)
        if server.codes:
            self.send_error(server.codes.pop(0))
            return
        if name in server.moved:
            self.send_response(302)
            self.send_header("Location", server.moved[name])
            self.end_headers()
            return
        whole = server.bodies.get(name, server.body)
        tag = f'"{hashlib.sha256(whole).hexdigest()}"'
        start = 0
        if wanted and server.ranges and self.headers["If-Range"] in (None, tag):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(whole):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(whole)}")
                self.end_headers()
                return
        first = 0 if server.wrong_ranges else start
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", server.type)
        self.send_header("ETag", tag)
        if start:
            self.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif server.says_length:
            self.send_header("Content-Length", str(len(whole) - first + server.extra_length))
        self.end_headers()
        body = whole[first:]
        sent = body[: server.drops.pop(0)] if server.drops else body
        if server.chunked:
            self.wfile.write(f"{len(body):x}\r\n".encode() + sent)
            if len(sent) == len(body):
                self.wfile.write(b"\r\n0\r\n\r\n")
        else:
            self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, body: bytes = b"") -> Iterator[FileServer]:
    """A server at work; downloads do not pause between their tries."""
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    with FileServer(body) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
