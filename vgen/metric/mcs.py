"""Motion control score (MCS): whether a classifier sees in a generated clip the class that was asked for."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.metric.jackknife import Estimate
from vgen.metric.per_clip import mean_estimate
from vgen.metric.two_sets import TwoSets, check_pair
from vgen.rng import generator


class LinearClassifier:
    """Multinomial logistic regression on standardised features, fitted in float64 to convergence.

    Minimises mean cross-entropy + penalty/2 |W|^2 (the bias is free) by L-BFGS, which starts from 0: the objective is
    convex, so the fit depends on nothing but the data.

    Args:
        features: (N, D).
        labels: (N,) in 0, ..., classes - 1.
    """

    def __init__(self, features: Tensor, labels: Tensor, *, classes: int, penalty: float) -> None:
        features = features.double()
        self.mean = features.mean(dim=0)
        # a feature that never varies says nothing, whatever its scale
        std = features.std(dim=0, correction=0)
        self.std = torch.where(std > 0, std, torch.ones_like(std))
        self.weight = torch.zeros(features.shape[1], classes, dtype=torch.float64, requires_grad=True)
        self.bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [self.weight, self.bias],
            max_iter=500,
            tolerance_grad=1e-6,
            tolerance_change=1e-12,
            line_search_fn="strong_wolfe",
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            value = F.cross_entropy(self.logits(features), labels) + penalty / 2 * self.weight.square().sum()
            value.backward()
            return value

        with torch.enable_grad():
            optimizer.step(loss)  # pyright: ignore[reportArgumentType]

    def logits(self, features: Tensor) -> Tensor:
        return (features.double() - self.mean) / self.std @ self.weight + self.bias

    @torch.no_grad()
    def correct(self, features: Tensor, labels: Tensor) -> Tensor:
        """1 for every clip whose most likely class is its label, else 0; (N,) float64."""
        return (self.logits(features).argmax(dim=1) == labels).double()


def hold_out(labels: Tensor, *, share: float, seed: int) -> Tensor:
    """True (N,) for the clips to hold out: of every class `share` of its clips, at least 1, by a seeded draw.

    Raises ValueError for a class with fewer than 2 clips.
    """
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        if len(members) < 2:
            raise ValueError(f"class {label} has 1 real clip; the classifier needs at least 2 of each class")
        order = torch.randperm(len(members), generator=generator(seed, "mcs", label))
        held[members[order[: max(1, round(share * len(members)))]]] = True
    return held


class MotionControlScore(TwoSets):
    """`mcs/<extractor>`: share of fake clips that are classified as the class they were asked to be; higher is better.

    The classifier is linear, on one feature vector per clip, trained on three quarters of the labelled real clips;
    `Estimate.real` is its accuracy on the held-out quarter, without which the score says little (chance is 1/K; a fake
    score above it means clips more typical than real ones). The standard error is that of a share of the fakes, for
    this classifier. Source: Tulyakov et al., MoCoGAN (arXiv 1707.04993), section 4, whose classifier is a trained
    space-time network instead.

    Args:
        held_out: share of the real clips of each class that the classifier does not see, in (0, 1).
        penalty: of the squared weights, 0 or more.
        seed: of the choice of held-out clips.
    """

    names = ("mcs",)
    reads_labels = True

    def __init__(self, *, held_out: float = 0.25, penalty: float = 0.01, seed: int = 0) -> None:
        super().__init__()
        if not 0 < held_out < 1:
            raise ValueError(
                f"held_out={held_out:g} of the motion control score; expected more than 0, less than 1"
            )
        if penalty < 0:
            raise ValueError(f"penalty={penalty:g} of the motion control score; expected 0 or more")
        self.held_out = held_out
        self.penalty = penalty
        self.seed = seed

    @property
    def stamp(self) -> str:
        return f"linear,l2={self.penalty:g},held{self.held_out:g},seed{self.seed}"

    def measure_labelled(
        self, real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor
    ) -> dict[str, Estimate]:
        """The score of fake (M, D) clips of the classes asked for (M,), with real (N, D) clips of classes (N,)."""
        check_pair(real, fake)
        for side, features, labels in (("real", real, real_labels), ("fake", fake, fake_labels)):
            if labels.shape != features.shape[:1]:
                raise ValueError(
                    f"{len(features)} {side} clips came with labels of shape {tuple(labels.shape)}"
                )
        classes = real_labels.unique()
        if len(classes) < 2:
            raise ValueError("the real clips are of one class; the motion control score needs at least 2")
        unknown = sorted(set(fake_labels.tolist()) - set(classes.tolist()))
        if unknown:
            raise ValueError(f"fake clips are of class {unknown[0]}, of which there is no real clip")
        of_real, of_fake = (torch.searchsorted(classes, labels) for labels in (real_labels, fake_labels))
        held = hold_out(of_real, share=self.held_out, seed=self.seed)
        if len(of_real[~held].unique()) < len(classes):
            raise ValueError(
                f"held_out={self.held_out:g} leaves a class without clips to learn from; take less"
            )
        classifier = LinearClassifier(real[~held], of_real[~held], classes=len(classes), penalty=self.penalty)
        return {
            "mcs": mean_estimate(
                classifier.correct(fake, of_fake), classifier.correct(real[held], of_real[held])
            )
        }
