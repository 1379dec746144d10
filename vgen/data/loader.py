"""Batches made in the training process: packed clips are read faster than loader processes can hand them over."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vgen.data.clips import Clips, Draw


class WholeBatches(Dataset):
    """`Clips` by the batch, for torch's loader with `batch_size=None`: item `draws` is the batch of these draws."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips

    def __getitem__(self, draws: list[Draw]) -> dict[str, Tensor]:
        return self.clips.batch(draws)


class BatchLoader:
    """The batches of `draws`, in order, gathered into memory from which the device can copy while it computes.

    With `ahead` a thread makes the next batches while the model trains. It works where the interpreter's lock is free:
    while pixels are copied, come from a disk or over a network; drawing frames in Python is not hidden.

    Args:
        clips: makes a batch.
        draws: the batches; taken from in order, by the thread if there is one.
        device: where batches will go; memory is page-locked for CUDA.
        ahead: batches made before they are asked for; 0 uses no thread.
    """

    def __init__(
        self, clips: Clips, draws: Iterable[list[Draw]], *, device: torch.device | None = None, ahead: int = 0
    ) -> None:
        self.clips = clips
        self.draws = draws
        self.device = torch.device("cpu") if device is None else device
        self.ahead = ahead

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        draws = iter(self.draws)
        if not self.ahead:
            yield from map(self._batch, draws)
            return
        pool = ThreadPoolExecutor(1, "vgen-clips", self._enter)
        try:
            pending: deque[Future] = deque()
            while True:
                while len(pending) <= self.ahead:
                    pending.append(pool.submit(lambda: self._batch(next(draws))))
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _enter(self) -> None:
        if (
            self._cuda
        ):  # a page-locked allocation in a new thread would otherwise open a context on the first device
            torch.cuda.set_device(self.device)

    @property
    def _cuda(self) -> bool:
        return self.device.type == "cuda"

    def _batch(self, draws: list[Draw]) -> dict[str, Tensor]:
        return self.clips.batch(draws, pinned=self._cuda)
