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
