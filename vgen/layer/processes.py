"""Sums over the processes that train together, differentiable any number of times."""

import torch
import torch.distributed as dist
from torch import Tensor


class AllReduce(torch.autograd.Function):
    """Sum over processes. Its derivative is the same sum, so it can be differentiated any number of times."""

    @staticmethod
    def forward(ctx, mine: Tensor) -> Tensor:
        total = mine.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, *grads: Tensor) -> Tensor:
        return AllReduce.apply(grads[0])  # pyright: ignore[reportReturnType]


def process_count() -> int:
    """How many processes train together; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def over_processes(value: Tensor) -> Tensor:
    """The mean of `value` over all processes, each of which must call this. Gradients pass."""
    processes = process_count()
    if processes == 1:
        return value
    total: Tensor = AllReduce.apply(value)  # pyright: ignore[reportAssignmentType]
    return total / processes


def global_mean(values: Tensor) -> Tensor:
    """The mean of all values of all processes, which hold equally many."""
    return over_processes(values.mean())
