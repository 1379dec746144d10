"""Disentanglement: which parts of the latent move the features, and whether each feature follows one part alone.

A metric of a generator rather than of two sets of clips:

    class GeneratorMetric(Protocol):
        needs_generator: bool            # True
        names: tuple[str, ...]
        reads: str                       # role of the features, as for any metric
        higher_is_better: Mapping[str, bool | None]
        stamp: str
        parts: tuple[str, ...]           # names of the latent's parts to redraw, one at a time
        bases: int                       # latents to start from
        draws: int                       # redraws of a part for each of them

        def measure_parts(self, features: Mapping[str, Tensor]) -> dict[str, Estimate]: ...

Who measures it draws `bases` latents, and for each part makes `draws` clips of each of them in which this part alone
is redrawn (labels and times stay), and hands over part -> features (bases, draws, ...) of these clips. The bases are
the same for all parts.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate, block_jackknife
from vgen.metric.names import HIGHER_IS_BETTER


def part_variances(features: Mapping[str, Tensor]) -> Tensor:
    """Share of every feature's variance that redrawing a part makes: (parts, bases, D'), of features that it moves.

    V_pbk is the variance (divisor draws - 1) of feature k over the redraws of part p at base b, V_k the variance of k
    over all latents, from all clips: between bases plus within. V_pbk / V_k, averaged over b, is the total-effect index
    of part p (Homma & Saltelli 1996, Importance measures in global sensitivity analysis): 1 where p alone decides the
    feature, 0 where it has no effect. The indices of the parts add up to 1, or more where they interact.
    """
    shapes = {tuple(x.shape) for x in features.values()}
    if len(features) < 2 or len(shapes) > 1:
        raise ValueError(
            f"disentanglement needs features of one shape for at least 2 parts of the latent, got {list(features)}"
        )
    bases, draws = next(iter(shapes))[:2]
    if bases < 2 or draws < 2:
        raise ValueError(f"disentanglement needs at least 2 bases and 2 draws, got {bases} and {draws}")
    values = torch.stack([x.detach().to("cpu", torch.float64).flatten(2) for x in features.values()])
    if not values.isfinite().all():
        raise ValueError("features are NaN or infinite; disentanglement cannot be measured")
    within = values.var(dim=2)  # (parts, bases, D)
    # each pair of bases gives independent latents; draws of one base do not
    means = values.mean(dim=2)
    total = (means.var(dim=1) + (1 - 1 / draws) * within.mean(dim=1)).mean(dim=0)
    # what rounding alone makes vary does not count
    moved = within.mean(dim=1).sum(dim=0) > 1e-12 * values.square().mean(dim=(0, 1, 2))
    if not moved.any():
        raise ValueError(
            f"redrawing {' or '.join(features)} changes no feature; disentanglement needs variance"
        )
    return within[:, :, moved] / total[moved]


def exclusiveness(shares: Tensor) -> float:
    """Mean over features of 1 - H(s_k) / log P, s_k the P parts' shares (P, D) of feature k made to sum to 1.

    1 where every feature follows one part, 0 where all parts move it alike. Source: the disentanglement score of
    Eastwood & Williams, A Framework for the Quantitative Evaluation of Disentangled Representations (2018), with
    variances for importances.
    """
    shares = shares / shares.sum(dim=0).clamp(min=1e-300)
    entropy = -torch.special.xlogy(shares, shares).sum(dim=0)
    return float((1 - entropy / math.log(len(shares))).mean())


class Disentanglement:
    """`disentanglement/<extractor>` in [0, 1], higher is better, and `variance_<part>/<extractor>` for every part.

    `variance_<part>` is the mean over features of the share of variance that redrawing this part alone makes (its
    total-effect index; features count alike whatever their scale). On appearance ("color") a disentangled generator
    has variance_content near 1 and variance_motion near 0, on motion ("flow") the reverse. `disentanglement` asks
    whether every single feature follows one part alone; only features that mean something by themselves can, so it
    compares generators on one extractor. Noise of few draws makes it larger, not smaller. Standard errors are
    jackknives over the bases. See the module's text for what is handed over.

    Args:
        parts: names of parts of the latent, at least 2, as the generator calls them.
        bases: latents to start from.
        draws: redraws of a part for each of them: bases * draws * len(parts) clips in all.
        reads: role of the features.
    """

    needs_generator = True

    def __init__(
        self,
        *,
        parts: Sequence[str] = ("content", "motion"),
        bases: int = 64,
        draws: int = 8,
        reads: str = "clip",
    ) -> None:
        if len(set(parts)) < 2 or len(set(parts)) < len(parts):
            raise ValueError(
                f"parts={list(parts)} of the disentanglement; expected at least 2 different names"
            )
        for name, number in (("bases", bases), ("draws", draws)):
            if number < 2:
                raise ValueError(f"{name}={number} of the disentanglement; expected 2 or more")
        self.parts = tuple(parts)
        self.bases = bases
        self.draws = draws
        self.reads = reads

    @property
    def names(self) -> tuple[str, ...]:
        return ("disentanglement", *(f"variance_{part}" for part in self.parts))

    @property
    def higher_is_better(self) -> dict[str, bool | None]:
        """Which way is better, for each of `names`; more variance from a part is neither."""
        return {name: HIGHER_IS_BETTER.get(name) for name in self.names}

    @property
    def stamp(self) -> str:
        return f"{'+'.join(self.parts)},{self.bases}x{self.draws}"

    def measure_parts(self, features: Mapping[str, Tensor]) -> dict[str, Estimate]:
        """Part -> features (bases, draws, ...) of clips with that part redrawn -> the values with standard errors.

        Raises ValueError for parts other than `parts`, and for features that are not finite or never vary.
        """
        if set(features) != set(self.parts):
            raise ValueError(
                f"features of parts {list(features)} where disentanglement asks for {list(self.parts)}"
            )
        shares = part_variances({part: features[part] for part in self.parts})
        bases = shares.shape[1]

        def without(base: int) -> Tensor:
            return (shares.sum(dim=1) - shares[:, base]) / (bases - 1)

        def estimate(statistic) -> Estimate:
            found = block_jackknife(statistic(shares.mean(dim=1)), lambda b: statistic(without(b)), bases)
            return Estimate(found.value, found.standard_error)

        measured = {"disentanglement": estimate(exclusiveness)}
        for number, part in enumerate(self.parts):
            measured[f"variance_{part}"] = estimate(lambda of_part, p=number: float(of_part[p].mean()))
        return measured
