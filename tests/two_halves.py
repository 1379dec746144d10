"""Two threads that take themselves for two processes, so that sums over processes can be tested in milliseconds."""

import threading
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import torch.distributed as dist
from torch import Tensor

from vgen import rng


def as_processes(work: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """`work(part)` for each part in a thread of its own; torch.distributed sums over the threads.

    Random rows are drawn for all parts together, as in training. CPU gradients run in the thread that asks for them.
    """
    world, here = len(parts), threading.local()
    meet = threading.Barrier(world, timeout=20)
    sent: list[Any] = [None] * world
    results: list[Any] = [None] * world
    errors: list[BaseException] = []

    def all_reduce(values: Tensor) -> None:
        sent[here.rank] = values.clone()
        meet.wait()
        total = sum(sent[1:], sent[0])
        meet.wait()
        values.copy_(total)

    def run(rank: int) -> None:
        here.rank = rank
        try:
            with rng.use_stream(rng.BatchStream(rng.generator(0), rank, world)):
                results[rank] = work(parts[rank])
        except BaseException as error:
            errors.append(error)
            meet.abort()

    fakes = {
        "is_initialized": lambda: True,
        "get_world_size": lambda: world,
        "get_rank": lambda: here.rank,
        "all_reduce": all_reduce,
    }
    with mock.patch.multiple(dist, **fakes):
        threads = [threading.Thread(target=run, args=(rank,)) for rank in range(world)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return results


def as_one_process(work: Callable[[Any], Any], whole: Any) -> Any:
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        return work(whole)
