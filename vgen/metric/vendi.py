"""The Vendi score: how many different clips a set is worth."""

import torch
from torch import Tensor

from vgen.metric.jackknife import Estimate, influence_error
from vgen.metric.two_sets import TwoSets, check_features, check_pair


def vendi_score(features: Tensor) -> float:
    """exp(-Tr rho log rho) of features (N, D), rho = 1/N sum x x^T / |x|^2, in float64; from 1 to min(N, D).

    That is the exponential of the entropy of the eigenvalues of the cosine similarities over N. Raises ValueError
    for fewer than 2 clips, features that are not finite, or a clip whose features are all 0. Source: Friedman &
    Dieng, The Vendi Score (arXiv 2210.02410), eq. 3, q = 1, linear kernel of normalised features.
    """
    return _score_and_influence(features)[0]


class Vendi(TwoSets):
    """Vendi score of the fakes as a torchmetrics metric: `vendi/<extractor>`; higher is more diverse.

    `Estimate.real` is the score of the real clips, the one to reach: noise has a higher one. The standard error
    comes from each clip's influence on the entropy. The score grows with the number of clips.
    """

    names = ("vendi",)

    @property
    def stamp(self) -> str:
        return "linear,q1"

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """The score of fake features (M, D), and that of the real ones."""
        check_pair(real, fake)
        value, influence = _score_and_influence(fake)
        return {"vendi": Estimate(value, influence_error(influence), real=vendi_score(real))}

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        """Unequal numbers of clips: the score grows with them."""
        if len(real) == len(fake):
            return []
        return [
            f"vendi: {len(real)} real and {len(fake)} fake clips; the score grows with the number of clips, so the two "
            "values do not compare"
        ]


def _score_and_influence(features: Tensor) -> tuple[float, Tensor]:
    """The score, and its derivative (N,) by the weight of each clip up to a constant."""
    check_features(features, "given")
    features = features.detach().to("cpu", torch.float64)
    length = features.norm(dim=1, keepdim=True)
    if bool((length == 0).any()):
        raise ValueError(
            f"{int((length == 0).sum())} of {len(features)} clips have features 0 everywhere; no direction"
        )
    x = features / length
    clips, dim = x.shape
    # of x^T x and x x^T, which share their eigenvalues, the smaller
    values, vectors = torch.linalg.eigh((x.T @ x if dim <= clips else x @ x.T) / clips)
    values = values.clamp_min(torch.finfo(torch.float64).tiny)
    # (x_i . v_k)^2, v_k the eigenvectors of rho
    squared = (x @ vectors).square() if dim <= clips else vectors.square() * values * clips
    surprise = -(squared @ values.log())
    score = float(surprise.mean().exp())
    return score, score * surprise / clips
