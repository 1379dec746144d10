"""The order of the real clips: endless, resumable anywhere, the same for any number of processes."""

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
import torch
from torch.utils.data import Sampler

from vgen import rng
from vgen.data.clips import Draw


class InfiniteBatches(Sampler[list[Draw]]):
    """Batches of draws without end.

    Position p of the stream is video p mod `videos` of a permutation that belongs to pass p div `videos`; so
    every video comes once before any comes again, and a batch may span two passes. Step s takes the
    `batch` positions from start + s * batch on; each of `world` processes gets an equal run of them, in the
    order of ranks. The stream is thus a function of `seed` and position only.

    Args:
        videos: size of the set.
        batch: clips per batch, over all processes.
        seed: of the permutations.
        rounds: batches per step (discriminator updates per generator update); a process gets its rows of the
            first, then of the second, ...
        start: first position; where a run resumes, the number of clips it has consumed.
        rank, world: this process and how many there are.
        shards: the shard of every video, to keep videos that lie together together.
        mixed: how many shards are shuffled with each other at a time, after the shards themselves; None: all. With a
            number a pass goes through the shards a few at a time, on all processes alike: less is read at once, and
            neighbouring batches have more in common.

    Raises:
        ValueError: no videos, or a batch that cannot be split evenly.
    """

    def __init__(
        self,
        *,
        videos: int,
        batch: int,
        seed: int,
        rounds: int = 1,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        shards: Sequence[int] | None = None,
        mixed: int | None = None,
    ):
        if videos < 1:
            raise ValueError("there are no videos to draw from")
        if batch < 1 or batch % world:
            raise ValueError(
                f"a batch of {batch} clips cannot be split over {world} processes: choose a multiple"
            )
        if not 0 <= rank < world or start < 0:
            raise ValueError(f"rank {rank} of {world}, start {start}: out of range")
        self.videos = videos
        self.batch = batch
        self.seed = seed
        self.rounds = rounds
        self.start = start
        self.rank = rank
        self.world = world
        self.shards = None if shards is None or mixed is None else np.asarray(shards)
        self.mixed = mixed or 1

    def __iter__(self) -> Iterator[list[Draw]]:
        share = self.batch // self.world
        order, known = np.empty(0), -1
        for step in count(self.start, self.rounds * self.batch):
            draws = []
            for first in range(step + self.rank * share, step + self.rounds * self.batch, self.batch):
                for position in range(first, first + share):
                    turn, place = divmod(position, self.videos)
                    if turn != known:
                        order, known = self._order(turn), turn
                    draws.append(Draw(position, int(order[place])))
            yield draws

    def _order(self, turn: int) -> np.ndarray:
        stream = rng.generator(self.seed, "order", turn)
        order = torch.randperm(self.videos, generator=stream).numpy()
        if self.shards is None:
            return order
        known, shard = np.unique(self.shards, return_inverse=True)
        place = torch.randperm(len(known), generator=stream).numpy()  # of each shard in this pass
        return order[np.argsort((place[shard] // self.mixed)[order], kind="stable")]
