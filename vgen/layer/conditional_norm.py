"""Batch normalisation whose gains and offsets follow from a code."""

from torch import Tensor, nn

from vgen.layer.batch_norm import BatchNorm


class ConditionalBatchNorm(nn.Module):
    """x (N, C, ...), code (N, Z) -> normalised x * (1 + G code) + S code, per channel, without biases.

    With a one-hot label in the code, G and S hold the gains and offsets of each class.

    Source: BigGAN, Brock et al. 2019, arXiv 1809.11096, appendix B: linear projections of the code, gains centred at 1.

    Args:
        frames: of clips x (N, C, T, H, W) that get statistics for every frame by itself, as in DVD-GAN, Clark et al.
            2019, arXiv 1907.06571; None shares them over time.
    """

    def __init__(self, channels: int, code_dim: int, *, frames: int | None = None):
        super().__init__()
        self.frames = frames
        self.norm = BatchNorm(channels * (frames or 1), gain=False, shift=False)
        self.gain = nn.Linear(code_dim, channels, bias=False)
        self.shift = nn.Linear(code_dim, channels, bias=False)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        per_channel = (*code.shape[:1], -1, *(1 for _ in x.shape[2:]))
        gain, shift = (made(code).view(per_channel) for made in (self.gain, self.shift))
        return self._normal(x) * (1 + gain) + shift

    def _normal(self, x: Tensor) -> Tensor:
        if self.frames is None:
            return self.norm(x)
        apart = x.transpose(1, 2)  # (N, T, C, H, W)
        return self.norm(apart.flatten(1, 2)).view(apart.shape).transpose(1, 2)
