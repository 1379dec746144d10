"""JEDi: how far the second moments of two sets of features are apart."""

import torch
from torch import Tensor

from vgen.metric.gaussian import centred_pieces
from vgen.metric.jackknife import Estimate, block_jackknife, deal_blocks
from vgen.metric.two_sets import TwoSets, check_pair


def jedi_distance(real: Tensor, fake: Tensor) -> float:
    """100 |E[x x^T] - E[y y^T]|_F^2 / D^2 of real (N, D) and fake (M, D) features, in float64.

    Equal to 100 times the biased squared MMD with kernel (x.y / D)^2, diagonals included, which is how it is
    published; the second moments need no kernel matrix. Biased upwards by about 1/N, and blind to x -> -x.
    Raises ValueError for fewer than 2 clips, different D, or features that are not finite. Source: Luo et al.,
    Beyond FVD: Enhanced Evaluation Metrics for Video Generation Quality (arXiv 2410.05203), on V-JEPA features.
    """
    check_pair(real, fake)
    return _distance(_second_moment(real) / len(real), _second_moment(fake) / len(fake))


def jedi_jackknife(real: Tensor, fake: Tensor, *, blocks: int = 32) -> Estimate:
    """`jedi_distance` with its block-jackknife standard error and its value without the 1/N bias."""
    check_pair(real, fake)
    sides = real, fake
    sums = [_second_moment(side) for side in sides]
    value = _distance(sums[0] / len(real), sums[1] / len(fake))
    blocks = min(blocks, len(real), len(fake))
    if blocks < 3:
        return Estimate(value)
    dealt = [deal_blocks(len(side), blocks) for side in sides]

    def without(block: int) -> float:
        left = []
        for side, total, of in zip(sides, sums, dealt, strict=True):
            out = side[of == block]
            left.append((total - _second_moment(out)) / (len(side) - len(out)))
        return _distance(*left)

    return block_jackknife(value, without, blocks)


class JEDi(TwoSets):
    """JEDi as a torchmetrics metric: `jedi/<extractor>`; published on `vjepa` features."""

    names = ("jedi",)

    @property
    def stamp(self) -> str:
        return "deg2,gamma=1/D,coef0,biased,x100"

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The distance of real (N, D) and fake (M, D) features."""
        return {"jedi": jedi_distance(real, fake)}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """As `values`, with its standard error and bias-corrected value."""
        return {"jedi": jedi_jackknife(real, fake)}


def _second_moment(features: Tensor) -> Tensor:
    """Sum (D, D) of the outer products of features (N, D), float64."""
    dim = features.shape[1]
    total = torch.zeros(dim, dim, dtype=torch.float64)
    for rows in centred_pieces(features, torch.zeros(dim, dtype=torch.float64)):
        total.addmm_(rows.T, rows)
    return total


def _distance(real: Tensor, fake: Tensor) -> float:
    return float(100 * (real - fake).square().sum() / len(real) ** 2)
