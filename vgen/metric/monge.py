"""Monge inception distance: the sliced Wasserstein distance between two sets of features."""

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate, block_jackknife, deal_blocks
from vgen.metric.two_sets import TwoSets, check_pair

_PIECE = 256  # projections sorted at once


def monge_distance(real: Tensor, fake: Tensor, *, projections: int = 1000, seed: int = 2020) -> float:
    """3 D times the squared 2-Wasserstein distance of real (N, D) and fake (M, D), mean over directions.

    Along each of `projections` random unit vectors it is the mean squared difference of the sorted projections, in
    float64. Has the unit of a squared feature; sees all moments, where a Frechet distance sees two. The larger
    set is cut at random to the size of the smaller. Directions and cuts are torch-fidelity's for a `seed`.

    Raises ValueError for fewer than 2 clips, different D, or features that are not finite. Source: Berthet et
    al., MIND: Monge Inception Distance for Generative Models Evaluation (arXiv 2605.06797).
    """
    return _measure(real, fake, projections, seed, blocks=0)[0]


class MongeDistance(TwoSets):
    """Monge inception distance as a torchmetrics metric: `mind/<extractor>`, with a block-jackknife error.

    Args:
        projections: random directions.
        seed: of the directions.
    """

    names = ("mind",)

    def __init__(self, *, projections: int = 1000, seed: int = 2020) -> None:
        super().__init__()
        if projections < 1:
            raise ValueError(f"projections={projections} of the Monge distance; expected 1 or more")
        self.projections, self.seed = projections, seed

    @property
    def stamp(self) -> str:
        return f"{self.projections}projections,seed{self.seed}"

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The distance of real (N, D) and fake (M, D) features."""
        return {"mind": monge_distance(real, fake, projections=self.projections, seed=self.seed)}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """As `values`, with its standard error."""
        check_pair(real, fake)
        blocks = min(32, len(real), len(fake))
        if blocks < 3:
            return {name: Estimate(value) for name, value in self.values(real, fake).items()}
        value, *left_out = _measure(real, fake, self.projections, self.seed, blocks)
        estimate = block_jackknife(value, left_out.__getitem__, blocks)
        return {"mind": Estimate(value, estimate.standard_error)}


def _measure(real: Tensor, fake: Tensor, projections: int, seed: int, blocks: int) -> list[float]:
    """The distance, and those without each block of both sides."""
    check_pair(real, fake)
    rng = torch.Generator().manual_seed(seed)
    clips, dim = min(len(real), len(fake)), real.shape[1]
    # torch-fidelity's input1 is the generated set
    fake, real = (_cut(side, clips, rng).detach().to("cpu", torch.float64) for side in (fake, real))
    directions = torch.randn(projections, dim, generator=rng)
    directions = (directions / directions.norm(dim=1, keepdim=True)).double()
    block = deal_blocks(clips, blocks) if blocks else torch.zeros(clips, dtype=torch.int64)
    sums = torch.zeros(blocks + 1, dtype=torch.float64)
    for some in directions.split(_PIECE):
        x, of_x = (some @ real.T).sort(dim=1)  # (p, N)
        y, of_y = (some @ fake.T).sort(dim=1)
        sums[0] += (x - y).square().mean(dim=1).sum()
        of_x, of_y = block[of_x], block[of_y]
        for b in range(blocks):
            # every row loses equally many, so what is left keeps its order and its shape
            left_x, left_y = (v[of != b].reshape(len(some), -1) for v, of in ((x, of_x), (y, of_y)))
            sums[b + 1] += (left_x - left_y).square().mean(dim=1).sum()
    return [float(total) * 3 * dim / projections for total in sums]


def _cut(features: Tensor, clips: int, rng: torch.Generator) -> Tensor:
    return (
        features if len(features) == clips else features[torch.randperm(len(features), generator=rng)[:clips]]
    )
