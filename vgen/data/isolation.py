"""Decoding in a process of its own, whose crash or hang costs one video and not the run.

FFmpeg and HDF5 are C code that parses files of unknown origin. Threads of the training process would share their
faults: one segmentation fault in one file ends the run. Here the files that they parse are decoded by child processes
(`vgen.data.decoder_process`) that import neither torch nor Lightning; frames come back through a pipe. Pictures and
.npy files are read in the process itself.
"""

import json
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vgen.data import decode as here
from vgen.data.arrays import HDF5, Stored, list_arrays
from vgen.data.entry import Block, Entry, Probe, Unreadable

PATIENCE = 120.0  # seconds without an answer; a frame takes far less
STARTING = 300.0  # seconds until a child answers at all, from a slow disk
LONGEST = 1 << 24  # bytes of a line of an answer
TAIL = 300  # characters of what a child printed that are shown
PIPE = 1 << 20  # bytes that the pipe holds, where the system allows
# The very package that asks, wherever it was imported from, and nothing from the current folder.
START = (
    f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); import vgen; del sys.path[0]; "
    "from vgen.data.decoder_process import main; main()"
)


class Decoders:
    """Child processes that decode, started when they are needed; safe to use from several threads.

    `decode`, `probe`, `first_size` and `list_arrays` are those of `vgen.data.decode` and `vgen.data.arrays`, and raise
    Unreadable for whatever goes wrong in the child. To be closed, by `with`.
    """

    def __init__(self) -> None:
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def decode(self, root: Path, entry: Entry) -> Generator[Block, None, None]:
        if not _foreign(entry):
            yield from here.decode(root, entry)
            return
        with closing(self._ask("decode", root, entry)) as answers:
            for answer, pixels in answers:
                yield Block(pixels.reshape(answer["shape"]), np.array(answer["times"], dtype=np.float64))

    def probe(self, root: Path, entry: Entry) -> Probe:
        if not _foreign(entry):
            return here.probe(root, entry)
        facts = self._one("probe", root, entry)
        return Probe(**{**facts, "size": tuple(facts["size"])})

    def first_size(self, root: Path, entry: Entry) -> tuple[int, int]:
        if not _foreign(entry):
            return here.first_size(root, entry)
        height, width = self._one("size", root, entry)
        return height, width

    def list_arrays(self, file: Path) -> list[Stored]:
        if file.suffix.lower() not in HDF5:
            return list_arrays(file)
        return [Stored(a["dataset"], tuple(a["shape"]), a["dtype"]) for a in self._one("arrays", file, None)]

    def _one(self, do: str, root: Path, entry: Entry | None) -> Any:
        with closing(self._ask(do, root, entry)) as answers:
            found = [answer[do] for answer, _ in answers]
        return found[0]

    def _ask(
        self, do: str, root: Path, entry: Entry | None
    ) -> Generator[tuple[dict[str, Any], np.ndarray], None, None]:
        with self._child() as child:
            yield from child.ask({"do": do, "root": str(root), "entry": asdict(entry) if entry else None})

    @contextmanager
    def _child(self) -> Iterator["_Child"]:
        try:
            child = self._idle.get_nowait()
        except queue.Empty:
            child = _Child()
        try:
            yield child
        finally:
            if child.usable:
                self._idle.put(child)
            else:
                child.close()


def _foreign(entry: Entry) -> bool:
    array = entry.kind == "array video" and entry.files[0].lower().endswith(HDF5)
    return entry.kind == "video file" or array


class _Child:
    def __init__(self) -> None:
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            bufsize=0,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self._left = b""  # of an answer, read ahead
        self.usable = False
        _widen(self._process)
        self._patience = STARTING
        try:
            self._line()
        except Unreadable as error:
            self._printed.seek(0)
            said = " ".join(self._printed.read().decode(errors="replace").split())[-TAIL:]
            self.close()
            raise RuntimeError(f"the process that decodes videos does not start: {error}. {said}") from error
        self.usable, self._patience = True, PATIENCE

    def ask(self, request: dict[str, Any]) -> Generator[tuple[dict[str, Any], np.ndarray], None, None]:
        """Each answer with the bytes that come after it. Left early, the child cannot be used again."""
        self.usable = False
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise Unreadable(self._death()) from error
        while True:
            answer = json.loads(self._line())
            if "error" in answer:
                self.usable = True
                raise Unreadable(answer["error"])
            if "end" in answer:
                self.usable = True
                return
            yield answer, self._bytes(int(np.prod(answer["shape"])) if "shape" in answer else 0)

    def close(self) -> None:
        self.usable = False
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._printed):
            if pipe is not None:
                pipe.close()

    def _line(self) -> bytes:
        while b"\n" not in self._left:
            if len(self._left) > LONGEST:
                raise Unreadable("its decoder answers nonsense")
            self._left += self._read(1 << 12)
        line, self._left = self._left.split(b"\n", 1)
        return line

    def _bytes(self, count: int) -> np.ndarray:
        data = np.empty(count, np.uint8)
        ahead = self._left[:count]
        self._left = self._left[count:]
        data[: len(ahead)] = np.frombuffer(ahead, np.uint8)
        view, at = data.data, len(ahead)
        while at < count:
            at += self._read_into(view[at:])
        return data

    def _read(self, most: int) -> bytes:
        data = bytearray(most)
        return bytes(data[: self._read_into(memoryview(data))])

    def _read_into(self, view: memoryview) -> int:
        stdout = self._process.stdout
        assert stdout is not None
        if hasattr(select, "poll"):  # not on Windows, where a child that hangs is waited for
            poll = select.poll()
            poll.register(stdout, select.POLLIN)
            if not poll.poll(1000 * self._patience):
                raise Unreadable(f"its decoder gives no answer for {self._patience:g} s")
        count = stdout.readinto(view)  # pyright: ignore[reportAttributeAccessIssue]
        if not count:
            raise Unreadable(self._death())
        return count

    def _death(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        code = self._process.returncode
        how = f"exit code {code}"
        if code is not None and code < 0:
            with suppress(ValueError):
                how = signal.Signals(-code).name
        return f"its decoder crashed ({how})"


def _widen(process: subprocess.Popen) -> None:
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE)
