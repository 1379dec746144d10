"""The inception score of clips, or of frames, from the class logits of any classifier."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate, influence_error
from vgen.metric.two_sets import TwoSets, check_features, check_pair

Order = Literal["shuffled", "given"]

AXES = {"logits": "clips, classes", "frame_logits": "clips, frames, classes"}


@dataclass(frozen=True)
class SplitScore:
    """Mean and population standard deviation over the splits, and the influence (N,) of each vector on the mean.

    `std` is what codes print beside a score: how much a split of N / splits scatters, not how uncertain the mean is.
    """

    mean: float
    std: float
    influence: Tensor


def inception_score(
    logits: Tensor, *, splits: int = 10, order: Order = "shuffled", seed: int = 2020
) -> SplitScore:
    """exp(E KL(p(y|x) || p(y))) of logits (N, K), averaged over `splits` parts, by float64 softmax; from 1 to K.

    Part i holds the vectors from floor(i N / splits) to floor((i + 1) N / splits), each with the p(y) of its own:
    more splits give lower scores. `order`: "given", or "shuffled" by `numpy.random.RandomState(seed)`; 2020 is
    torch-fidelity's, 42 that of StyleGAN-V's isv2048_ucf, both with 10 splits; TGANv2 has 1 split.

    Raises ValueError for fewer than 2 vectors per split, or logits that are not finite. Source: Salimans et al.,
    Improved Techniques for Training GANs (arXiv 1606.03498); Saito et al., TGANv2 (arXiv 1811.09245) for clips.
    """
    check_features(logits, "given", axes="clips, classes")
    if len(logits) < 2 * splits:
        raise ValueError(f"{len(logits)} clips for {splits} splits; set splits to {len(logits) // 2} or less")
    chosen = torch.arange(len(logits))
    if order == "shuffled":
        chosen = torch.from_numpy(np.random.RandomState(seed).permutation(len(logits)))
    influence = torch.zeros(len(logits), dtype=torch.float64)
    scores = []
    for i in range(splits):
        part = chosen[i * len(logits) // splits : (i + 1) * len(logits) // splits]
        log_p = logits[part].detach().to("cpu", torch.float64).log_softmax(dim=1)
        p = log_p.exp()
        # a class that no clip can have adds nothing
        log_marginal = p.mean(dim=0).clamp_min(torch.finfo(torch.float64).tiny).log()
        divergence = (p * (log_p - log_marginal)).sum(dim=1)
        score = divergence.mean().exp()
        scores.append(float(score))
        influence[part] = score * (divergence - divergence.mean()) / (len(part) * splits)
    return SplitScore(float(np.mean(scores)), float(np.std(scores)), influence)


class InceptionScore(TwoSets):
    """Inception score of the fakes as a torchmetrics metric: `inception_score/<extractor>`; higher is better.

    `Estimate.real` is the score of the real clips, cut in the same way: what a perfect generator would get. The
    standard error is the delta method's, from each clip's divergence (frames of one clip count together).

    Args:
        reads: "logits" for one prediction per clip, "frame_logits" for one per frame.
        splits, order, seed: see `inception_score`.
    """

    names = ("inception_score",)

    def __init__(
        self,
        *,
        reads: Literal["logits", "frame_logits"] = "logits",
        splits: int = 10,
        order: Order = "shuffled",
        seed: int = 2020,
    ) -> None:
        super().__init__()
        if reads not in AXES:
            raise ValueError(f"reads={reads!r} of the inception score; choose logits or frame_logits")
        if order not in ("shuffled", "given"):
            raise ValueError(f"order={order!r} of the inception score; choose shuffled or given")
        if splits < 1:
            raise ValueError(f"splits={splits} of the inception score; expected 1 or more")
        self.reads = reads
        self.splits, self.seed = splits, seed
        self.order: Order = order

    @property
    def stamp(self) -> str:
        order = f"shuffle{self.seed}" if self.order == "shuffled" else "given order"
        return f"{self.splits}splits,{order}"

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """The score of fake logits (M, K), or (M, T, K) of frames, and that of the real ones."""
        check_pair(real, fake, axes=AXES[self.reads])
        of_fake, of_real = (
            inception_score(
                side.reshape(-1, side.shape[-1]), splits=self.splits, order=self.order, seed=self.seed
            )
            for side in (fake, real)
        )
        error = influence_error(of_fake.influence.reshape(len(fake), -1))
        return {"inception_score": Estimate(of_fake.mean, error, real=of_real.mean)}

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        """Unequal numbers of clips: the score grows with the clips per split."""
        if len(real) == len(fake):
            return []
        return [
            f"inception_score: {len(real)} real and {len(fake)} fake clips; the score grows with the number of "
            "clips, so the two values do not compare"
        ]
