"""The dice of an augmentation: for each clip of a batch, which operations happen and how strongly."""

from collections.abc import Callable

import torch
from torch import Tensor

from vgen.rng import draw_rows


class Chance:
    """Random numbers by name, one per clip, drawn for the whole batch of all processes.

    Every name has numbers of its own, whether they are asked for or not: switching one operation on does not change
    what another one draws.

    Args:
        batch: clips of this process.
        names: all that may be asked for.
        p: () probability of an operation whose rate is 1.
        device: of what is handed out.
    """

    def __init__(self, batch: int, names: tuple[str, ...], p: Tensor, device: torch.device):
        count = len(names)
        uniform = draw_rows(batch, lambda rows, rng: torch.rand(rows, 2 * count, generator=rng))
        normal = draw_rows(batch, lambda rows, rng: torch.randn(rows, count, generator=rng))
        self._column = {name: column for column, name in enumerate(names)}
        self._gates, self._uniform = uniform.to(device, non_blocking=True).chunk(2, 1)
        self._normal = normal.to(device, non_blocking=True)
        self._p = p

    def happens(self, name: str, rate: float) -> Tensor:
        """(B,) bool: with probability p * rate."""
        return self._gates[:, self._column[name]] < self._p * rate

    def happens_in_one_of_two(self, name: str, rate: float) -> Tensor:
        """(B,) bool: two such names happen, one or both, with probability p * rate."""
        each = 1 - (1 - (self._p * rate).clamp(0, 1)).sqrt()
        return self._gates[:, self._column[name]] < each

    def uniform(self, name: str) -> Tensor:
        """(B,) in [0, 1)."""
        return self._uniform[:, self._column[name]]

    def normal(self, name: str) -> Tensor:
        """(B,) of N(0, 1)."""
        return self._normal[:, self._column[name]]


def change_where(chosen: Tensor, video: Tensor, change: Callable[..., Tensor], *parameters: Tensor) -> Tensor:
    """`change(video, *parameters)` for the clips that are `chosen` (B,) bool; the others stay as they are, bit for bit.

    On the CPU only the chosen are computed; elsewhere, where looking would stall the device, all are.
    """
    if chosen.device.type != "cpu":
        return change_and_choose(chosen, video, change, *parameters)
    rows = chosen.nonzero()[:, 0]
    if len(rows) == 0:
        return video
    changed = change(video[rows], *(parameter[rows] for parameter in parameters))
    return video.index_copy(0, rows, changed)


def change_and_choose(
    chosen: Tensor, video: Tensor, change: Callable[..., Tensor], *parameters: Tensor
) -> Tensor:
    """The same without a look at `chosen`: changes all clips, keeps the chosen ones' changes."""
    return torch.where(chosen.view(-1, 1, 1, 1, 1), change(video, *parameters), video)
