"""Whether what moves in generated clips keeps its energy, where the data's law of motion says that it does."""

import math
from typing import Literal

import torch
from torch import Tensor

from vgen.metric.per_clip import PerClip

Law = Literal["pendulum", "ball"]
LEAST = 8  # frames


def pendulum_energy(place: Tensor, *, gravity: float) -> Tensor:
    """Energy (N, T - 2) over time of what moves on a circle, in units of what it takes to stand on its head.

    omega^2 L / (4 g) + sin^2(theta / 2), with pivot and length L from the circle that fits the track best (Kasa, 1976)
    and omega from the two neighbouring frames. `place` (N, T, 2) as (x, y), y downwards; `gravity` in its unit per
    frame^2.
    """
    x, y = place.unbind(dim=2)
    # x^2 + y^2 = 2 x_0 x + 2 y_0 y + c, by least squares around the mean
    mean = place.mean(dim=1, keepdim=True)
    moved = place - mean
    rows = torch.cat([2 * moved, torch.ones_like(moved[..., :1])], dim=2)
    square = moved.square().sum(dim=2, keepdim=True)
    found = torch.linalg.pinv(rows, rtol=1e-4) @ square  # (N, 3, 1)
    pivot = found[:, :2, 0] + mean[:, 0]
    length = (found[:, 2, 0] + found[:, :2, 0].square().sum(dim=1)).clamp_min(1e-8).sqrt()
    theta = torch.atan2(x - pivot[:, :1], y - pivot[:, 1:])  # 0 is the lowest point
    turn = theta[:, 2:] - theta[:, :-2]
    omega = torch.remainder(turn + math.pi, 2 * math.pi).sub(math.pi) / 2
    return omega.square() * length[:, None] / (4 * gravity) + (theta[:, 1:-1] / 2).sin().square()


def ball_energy(place: Tensor) -> Tensor:
    """Square of the speed (N, T - 1) over time, in units of its mean; `place` (N, T, 2)."""
    square = (place[:, 1:] - place[:, :-1]).square().sum(dim=2)
    return square / square.mean(dim=1, keepdim=True).clamp_min(1e-12)


class EnergyDrift(PerClip):
    """`energy_drift/track`, how far energy goes astray over a clip, and `lost/track`, the share of frames without an
    object; lower is better for both.

    The drift of a clip is the difference between the median energies of its last and its first third, in size: a
    median, so that the few frames around a bounce do not count. "pendulum": in units of what it takes to stand on its
    head; for `data=pendulum`, in clips of stride 1. "ball": in units of the clip's mean kinetic energy; for `data=balls
    data.most=1`. Tracks are read off pixels, and short arcs say little about their circle, so real clips have a drift
    too: compare with theirs (`Estimate.real`). A clip without motion keeps its energy: see `dynamic_degree` beside it.

    Args:
        law: which energy is conserved.
        gravity: of the pendulum, in frame sides per frame^2; `vgen.data.pendulum.GRAVITY`.
    """

    names = ("energy_drift", "lost")
    reads = "track"
    axes = "clips, frames, place and share"

    def __init__(self, *, law: Law = "pendulum", gravity: float = 0.006) -> None:
        super().__init__()
        if law not in ("pendulum", "ball"):
            raise ValueError(f"law={law!r} of the energy drift; choose pendulum or ball")
        if gravity <= 0:
            raise ValueError(f"gravity={gravity:g} of the energy drift; expected a number above 0")
        self.law = law
        self.gravity = gravity

    @property
    def stamp(self) -> str:
        return f"{self.law},g{self.gravity:g}" if self.law == "pendulum" else self.law

    def per_clip(self, features: Tensor) -> dict[str, Tensor]:
        if features.shape[1] < LEAST:
            raise ValueError(
                f"the energy drift needs clips of at least {LEAST} frames, got {features.shape[1]}"
            )
        place, share = features[..., :2], features[..., 2]
        energy = ball_energy(place) if self.law == "ball" else pendulum_energy(place, gravity=self.gravity)
        third = energy.shape[1] // 3
        drift = energy[:, -third:].median(dim=1).values - energy[:, :third].median(dim=1).values
        return {"energy_drift": drift.abs(), "lost": (share == 0).to(features.dtype).mean(dim=1)}
