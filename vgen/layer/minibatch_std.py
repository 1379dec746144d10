"""How much the clips of a batch differ, for the judge to see."""

import torch
from torch import Tensor, nn

from vgen.layer.processes import over_processes


class MinibatchStd(nn.Module):
    """x (B, C, ...) -> (B, C + 1, ...): the last channel holds the mean standard deviation over the batch.

    Each number's deviation over the batch of all processes, averaged over channels and positions. The paper's code
    takes groups of a process's batch; with the whole batch the number of processes changes nothing.

    Source: Karras et al. 2018, arXiv 1710.10196, §3.
    """

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = over_processes(wide.mean(0))
        variance = over_processes((wide - mean).square().mean(0))
        spread = (variance + 1e-8).sqrt().mean().to(x.dtype)
        return torch.cat([x, spread.expand_as(x[:, :1])], 1)
