"""Decoding in processes of their own: whatever one video does to its decoder, the others do not notice."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from vgen.data.decoder_process import MEMORY
from vgen.data.packing import Decoded, Job, decode_job

AHEAD = 4  # videos per process that may wait, decoded, for one before them
TRIES = 2  # of a video whose process dies: the system may have killed it for the sake of another
START = 300.0  # seconds until a new process must have begun

JobOf = Callable[[int], Job]


def decode_all(
    job_of: JobOf, numbers: Sequence[int], folder: Path, *, processes: int, patience: float
) -> Generator[tuple[int, Path, Decoded | str], None, None]:
    """Jobs `numbers` in order, each with a file of its pixels in `folder` and what came of it, or why nothing did.

    A video is given up if its process dies twice, or writes no frame for `patience` seconds. The files are the
    caller's to remove.

    Args:
        job_of: makes a job; it is pickled.
        processes: how many; 0 decodes in this one, where a crash ends everything.

    Raises:
        OSError: a file cannot be written.
        RuntimeError: the processes cannot start.
    """
    if processes == 0:
        for number in numbers:
            file = folder / f"{number}.raw"
            yield number, file, _decode(job_of, number, file)
        return
    crew = [_Worker(job_of, folder) for _ in range(min(processes, len(numbers)))]
    todo, done = deque(numbers), dict[int, tuple[Path, Decoded | str]]()
    deaths = Counter[int]()
    try:
        for place, number in enumerate(numbers):
            while number not in done:
                for worker in crew:
                    ahead = len(numbers) - len(todo) - place
                    if worker.number is None and todo and ahead < AHEAD * len(crew):
                        worker.begin(todo.popleft())
                wait(
                    [end for worker in crew if worker.number is not None for end in worker.ends()],
                    timeout=1.0,
                )
                for i, worker in enumerate(crew):
                    if worker.number is None or (result := worker.result(patience)) is None:
                        continue
                    if isinstance(result, OSError):
                        raise result
                    finished, file, worker.number = worker.number, worker.file, None
                    if isinstance(result, _Died):
                        worker.end()
                        file.unlink(missing_ok=True)
                        crew[i] = _Worker(job_of, folder)
                        deaths[finished] += 1
                        if result.again and deaths[finished] < TRIES:
                            todo.appendleft(finished)
                            continue
                        result = result.reason
                    done[finished] = file, result
            yield number, *done.pop(number)
    finally:
        for worker in crew:
            worker.end()


class _Died:
    """A process that is no more, why, and whether its video deserves another try."""

    def __init__(self, reason: str, *, again: bool) -> None:
        self.reason, self.again = reason, again


class _Worker:
    """A process that decodes one video at a time."""

    def __init__(self, job_of: JobOf, folder: Path) -> None:
        if "forkserver" in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["vgen.data.videos"])  # torch is imported once for all
        else:
            context = multiprocessing.get_context("spawn")
        self.folder = folder
        self.number: int | None = None
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, job_of), daemon=True)
        self.process.start()
        theirs.close()
        self._started = False
        self._size, self._since = -1, time.monotonic()

    @property
    def file(self) -> Path:
        # The process is part of the name: one that outlived an earlier command may still write.
        return self.folder / f"{self.number}.{self.process.pid}.raw"

    def begin(self, number: int) -> None:
        self.number = number
        self._size, self._since = -1, time.monotonic()
        with contextlib.suppress(OSError):  # it has died; `result` will find out
            self.pipe.send((number, self.file))

    def ends(self) -> list[Connection | int]:
        """What becomes ready when there is something to be seen."""
        return [self.pipe, self.process.sentinel]

    def result(self, patience: float) -> Decoded | str | OSError | _Died | None:
        """What came of the video; None as long as it is being decoded. Raises RuntimeError if it never began."""
        dead = not self.process.is_alive()  # asked first: what it sent before its end is still there
        try:
            if self.pipe.poll():
                if self._started:
                    return self.pipe.recv()
                self.pipe.recv()
                self._started, self._since = True, time.monotonic()
                return self.result(patience)
        except (EOFError, OSError):
            self.process.join(10)
            dead = True
        if dead:
            code = self.process.exitcode
            if not self._started:
                raise RuntimeError(f"a decoding process ended with code {code} before it had begun")
            if code is not None and code < 0:
                short = "; was memory short?" if code == -signal.SIGKILL else ""
                return _Died(
                    f"its decoder died of signal {-code} ({signal.Signals(-code).name}){short}", again=True
                )
            return _Died(f"its process ended with code {code}", again=True)
        return self._stalled(patience if self._started else START)

    def _stalled(self, patience: float) -> _Died | None:
        size = self.file.stat().st_size if self.file.exists() else -1
        now = time.monotonic()
        if size != self._size:
            self._size, self._since = size, now
        if now - self._since <= patience:
            return None
        self.process.kill()
        self.process.join(10)
        if not self._started:
            raise RuntimeError(f"a decoding process has not begun within {START:g} s")
        return _Died(f"no frame for {patience:g} s: its decoder hangs", again=False)

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join(10)


def _serve(pipe: Connection, job_of: JobOf) -> None:
    """What a process does: decode what it is told until nobody is there to tell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started it
    torch.set_num_threads(1)
    limit_memory(MEMORY)
    try:
        pipe.send(os.getpid())
        while True:
            number, file = pipe.recv()
            try:
                result: Decoded | str | OSError = _decode(job_of, number, file)
            except OSError as error:
                result = error
            pipe.send(result)
    except (EOFError, OSError):
        return


def limit_memory(more: int) -> None:
    """Let this process ask for `more` bytes than it has, where the system can tell and forbid."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (has + more, has + more))


def _decode(job_of: JobOf, number: int, file: Path) -> Decoded | str:
    with open(file, "wb", buffering=1 << 20) as pixels:
        return decode_job(job_of(number), pixels)
