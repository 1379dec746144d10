"""How much the clips of a batch differ, for the judge to see."""

import torch
from torch import Tensor, nn

from vgen.layer.processes import over_processes


class MinibatchStd(nn.Module):
    """x (B, C, ...) -> (B, C + 1, ...): the last channel holds a mean standard deviation over the batch.

    Each number's deviation over the batch of all processes, averaged over channels and positions. With `group`, over
    neighbours in the batch instead, `group` at a time, as the paper's code does; a process whose batch is no multiple
    of `group` takes the batch of all processes as one group.

    x may hold the frames of clips, (B * frames, C, ...), those of a clip side by side: a frame is then compared with
    the frames of the same number in other clips.

    Source: Karras et al. 2018, arXiv 1710.10196, §3.
    """

    def __init__(self, group: int | None = None):
        super().__init__()
        if group is not None and group < 1:
            raise ValueError(f"minibatch_group={group}: must be at least 1, or null for the whole batch")
        self.group = group

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32)).unflatten(0, (-1, frames))  # (B, T, C, ...)
        batch = len(wide)
        if self.group is not None and batch % self.group == 0:
            groups = wide.unflatten(0, (-1, self.group))  # (n, G, T, C, ...)
            variance = (groups - groups.mean(1, keepdim=True)).square().mean(1)  # (n, T, C, ...)
        else:
            mean = over_processes(wide.mean(0))
            variance = over_processes((wide - mean).square().mean(0))[None]  # (1, T, C, ...)
        spread = (variance + 1e-8).sqrt().flatten(2).mean(2)  # (n, T)
        each = spread.repeat_interleave(batch // len(spread), 0).flatten().to(x.dtype)  # (B * T,)
        return torch.cat([x, each.view(-1, *[1] * (x.ndim - 1)).expand_as(x[:, :1])], 1)
