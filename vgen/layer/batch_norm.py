"""Batch normalisation over the global batch, differentiable twice, for clips and frames alike."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vgen.layer.processes import AllReduce, process_count
from vgen.layer.recompute import recomputing


class BatchNorm(_BatchNorm):
    """Batch normalisation of (B, C, ...) of any rank (Ioffe & Szegedy 2015, arXiv 1502.03167).

    In training the statistics are those of the *global* batch: when several processes train together, they
    share them. So results do not depend on the number of processes, including gradients of gradients (R1,
    WGAN-GP), on the CPU as on accelerators, which `torch.nn.SyncBatchNorm` does not give. Every process must
    then run the layer the same number of times. In evaluation the running statistics are used and nothing is
    exchanged. `share_statistics` lets each process normalise by itself instead.

    Parameters and buffers are named as in `torch.nn.BatchNorm2d`, and state dicts are interchangeable.

    Args:
        channels: C.
        eps, momentum: as in torch.
        gain, shift: whether it learns a scale (`weight`) and an offset (`bias`) per channel.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def __init__(
        self,
        channels: int,
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        gain: bool = True,
        shift: bool = True,
    ):
        super().__init__(channels, eps=eps, momentum=momentum)
        self.shared = True
        if not gain:
            self.register_parameter("weight", None)
        if not shift:
            self.register_parameter("bias", None)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any rank will do."""

    def forward(self, input: Tensor) -> Tensor:
        learning = self.training and not recomputing()
        if learning:
            self.num_batches_tracked.add_(1)
        if self.training and self.shared and process_count() > 1:
            return self._normalise_globally(input, learning)
        stats = self.running_mean, self.running_var
        if recomputing():  # what is kept for the backward pass has to be of the same number and kind
            stats = self.running_mean.clone(), self.running_var.clone()
        return F.batch_norm(input, *stats, self.weight, self.bias, self.training, self.momentum, self.eps)

    def _normalise_globally(self, input: Tensor, learning: bool) -> Tensor:
        wide = input.to(torch.promote_types(input.dtype, torch.float32))
        over = (0, *range(2, wide.dim()))
        mean, var, total = _global_moments(wide, over)
        if learning:
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
                unbiased = var * (total / (total - 1))
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        per_channel = (-1, *(1 for _ in over[1:]))
        scale = torch.rsqrt(var + self.eps)
        if self.weight is not None:
            scale = self.weight * scale
        normal = (wide - mean.view(per_channel)) * scale.view(per_channel)
        if self.bias is not None:
            normal = normal + self.bias.view(per_channel)
        return normal.to(input.dtype)


def share_statistics(module: nn.Module, shared: bool) -> None:
    """Let the batch norms inside `module` take their statistics over all processes, or each process by itself.

    Those of torch become `BatchNorm` where they are to be shared, in place and around the same parameters.

    Raises:
        ValueError: batch norms without running statistics, or with a cumulative average of them.
    """
    for name, layer in list(module.named_modules()):
        if isinstance(layer, BatchNorm):
            layer.shared = shared
        for key, child in layer.named_children():
            if shared and type(child) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
                setattr(layer, key, _converted(child, f"{name}.{key}".lstrip(".")))


def _converted(layer: nn.Module, name: str) -> BatchNorm:
    assert isinstance(layer, _BatchNorm)
    if layer.momentum is None or not layer.track_running_stats:
        raise ValueError(
            f"{name}: only a batch norm with running statistics and a momentum can share its statistics; "
            "set trainer.sync_batchnorm=false"
        )
    new = BatchNorm(
        layer.num_features, eps=layer.eps, momentum=layer.momentum, gain=layer.affine, shift=layer.affine
    )
    new.weight, new.bias = layer.weight, layer.bias
    for buffer, value in layer.named_buffers():
        setattr(new, buffer, value)
    new.train(layer.training)
    return new


def _global_moments(input: Tensor, over: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (C,), biased variance (C,) and number of values per channel, over all processes."""
    channels = input.shape[1]
    var, mean = torch.var_mean(input, over, correction=0)
    mine = torch.cat([mean, var, mean.new_full((1,), input.numel() // channels)])
    # One row per process, gathered by one sum. Moments are combined as Chan et al. (1979) do; sums of squares
    # would lose a small variance beside a large mean.
    rank, nothing = dist.get_rank(), torch.zeros_like(mine)
    rows = torch.stack([mine if process == rank else nothing for process in range(dist.get_world_size())])
    gathered: Tensor = AllReduce.apply(rows)  # pyright: ignore[reportAssignmentType]
    means, variances, counts = gathered.split([channels, channels, 1], dim=1)
    total = counts.sum()
    share = counts / total
    mean = (share * means).sum(0)
    var = (share * (variances + (means - mean).square())).sum(0)
    return mean, var, total
