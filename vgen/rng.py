"""Named random streams: every draw follows from (seed, names), never from what ran before.

A run therefore needs no saved generator states to resume bit for bit, and its draws do not depend on the
number of processes: rows of a batch are drawn for the *global* batch on the CPU, and each process keeps its own.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

Key = int | str


def derive(seed: int, *names: Key) -> int:
    """A 63-bit seed for the stream `names` of `seed`; equal on every platform and Python version."""
    text = "/".join(f"{type(name).__name__}:{name}" for name in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *names: Key) -> torch.Generator:
    """A CPU generator at the start of the stream `names` of `seed`."""
    return torch.Generator().manual_seed(derive(seed, *names))


def seed_default(seed: int, device: torch.device) -> None:
    """Start torch's default generators of the CPU and of `device`, which noise inside networks draws from, at `seed`.

    What torch.manual_seed does, without what it does for accelerators that are not in use: on a CPU it keeps a stack
    trace for each of them at every call, which takes a millisecond and memory that is never given back.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


@dataclass(frozen=True)
class BatchStream:
    """Draws rows for a batch that is spread over `world` processes, of which this one is `rank`."""

    rng: torch.Generator
    rank: int = 0
    world: int = 1

    def rows(self, batch: int, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """`draw(rows, rng)` for the global batch; returns this process's `batch` rows of it."""
        drawn = draw(batch * self.world, self.rng)
        return drawn[self.rank * batch : (self.rank + 1) * batch]


_current: ContextVar[BatchStream | None] = ContextVar("vgen_batch_stream", default=None)


@contextmanager
def use_stream(stream: BatchStream) -> Iterator[BatchStream]:
    """Make `stream` the source of `draw_rows` inside the block."""
    token = _current.set(stream)
    try:
        yield stream
    finally:
        _current.reset(token)


def draw_rows(batch: int, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
    """Random rows for networks and augmentations, from the stream in use (else torch's default generator).

    Args:
        batch: rows wanted by this process.
        draw: `(rows, rng) -> Tensor` whose first dimension is `rows`, on the CPU.
    """
    stream = _current.get()
    return draw(batch, torch.default_generator) if stream is None else stream.rows(batch, draw)


@dataclass(frozen=True)
class Draws:
    """Where the sources of random numbers stand: the stream in use and torch's default generators."""

    stream: BatchStream | None
    position: Tensor | None
    cpu: Tensor
    cuda: Tensor | None

    def restore(self) -> None:
        """Let the sources go on from here once more."""
        if self.stream is not None and self.position is not None:
            self.stream.rng.set_state(self.position)
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda)


def mark(stream: BatchStream | None = None) -> Draws:
    """Where the sources stand now; `stream` is the one in use unless given. Does not synchronise."""
    stream = _current.get() if stream is None else stream
    position = None if stream is None else stream.rng.get_state()
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    return Draws(stream, position, torch.get_rng_state(), cuda)


@contextmanager
def repeat(draws: Draws | None) -> Iterator[None]:
    """Inside the block, draw what was drawn from `draws` on; afterwards as if the block had drawn nothing.

    With None the block draws anew.
    """
    if draws is None:
        yield
        return
    now = mark(draws.stream)
    draws.restore()
    try:
        yield
    finally:
        now.restore()
