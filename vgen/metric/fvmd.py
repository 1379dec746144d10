"""Frechet video motion distance: a Frechet distance between histograms of velocity and acceleration."""

import math

import torch
from torch import Tensor

from vgen.metric.frechet import frechet_distance
from vgen.metric.frechet_error import frechet_jackknife
from vgen.metric.jackknife import Estimate
from vgen.metric.two_sets import TwoSets, check_pair

_AXES = "clips, pairs of frames, rows, columns, components"
_SIDE = 256  # the published tracker sees frames of this size, and its magnitudes are pixels of them


def motion_histogram(
    vectors: Tensor, *, cells: int = 4, times: int = 1, angles: int = 8, quantized: bool = False
) -> Tensor:
    """Histograms of direction, weighted by magnitude, over a grid of space and time: (N, K) float64.

    `vectors` (N, t, P, P, 2): x and y in shorter sides of the frame. Time is divided into min(times, t) parts and
    space into cells x cells parts as equal as may be; in each, every vector v adds w(v) / (vectors of the part) to
    the bin floor((atan2(v_y, v_x) + pi) / (2 pi / angles)), where w(v) = log2(|v| + 1) / 8 with |v| in pixels of a
    256-pixel frame, at most 255; `quantized` rounds the logarithm up. K = min(times, t) * cells^2 * angles.
    """
    clips, steps, rows, columns, _ = vectors.shape
    vectors = vectors.detach().to("cpu", torch.float64)
    size = torch.log2(_SIDE * vectors.norm(dim=-1).clamp(max=255 / _SIDE) + 1)
    weight = (size.ceil() if quantized else size) / 8
    turn = torch.atan2(vectors[..., 1], vectors[..., 0]) + math.pi
    angle = (turn * (angles / (2 * math.pi))).long().clamp_(max=angles - 1)  # pi and -pi are one direction
    parts = min(times, steps)
    part = (
        (torch.arange(steps) * parts // steps * cells)[:, None, None]
        + (torch.arange(rows) * cells // rows)[:, None]
    ) * cells + torch.arange(columns) * cells // columns  # (t, P, P)
    bins = parts * cells * cells
    share = 1 / torch.bincount(part.flatten(), minlength=bins).to(torch.float64)
    histogram = torch.zeros(clips, bins * angles, dtype=torch.float64)
    histogram.scatter_add_(1, (part * angles + angle).flatten(1), (weight * share[part]).flatten(1))
    return histogram


def motion_features(
    flow: Tensor, *, cells: int = 4, times: int = 1, angles: int = 8, quantized: bool = False
) -> Tensor:
    """Histograms of velocity and of acceleration side by side, (N, 2 K): what the Frechet distance is between.

    `flow` (N, T - 1, P, P, 4), T >= 3, is what `vgen.extractor.flow` makes. Raises ValueError for fewer frames.
    """
    if flow.ndim != 5 or flow.shape[-1] != 4:
        raise ValueError(f"flow has shape {tuple(flow.shape)}; expected ({_AXES}) with 4 components")
    if flow.shape[1] < 2:
        raise ValueError("accelerations need clips of at least 3 frames, got 2")
    fields = flow[..., :2], flow[:, :-1, ..., 2:]
    return torch.cat(
        [motion_histogram(f, cells=cells, times=times, angles=angles, quantized=quantized) for f in fields],
        dim=1,
    )


class MotionDistance(TwoSets):
    """`fvmd/flow`: lower is better, 0 where both sides move alike. Covariances are divided by N - 1.

    After Liu et al., Frechet Video Motion Distance (arXiv 2407.16124), from which it differs, so these are not FVMD's
    published numbers:

    - velocities are those of Lucas-Kanade at a grid of points of every frame, not of points tracked by PIPs++
      through a window: none are lost, and T may be any number from 3 on;
    - the acceleration is the change of velocity of the same piece of the scene, as the paper means it. The public
      code hands positions to the function that should get velocities, so that its second half is the velocity again;
    - a clip is one window, and bins hold means, so that parts of unequal numbers of vectors count alike;
    - the distance is exact, without 1e-5 on the diagonals;
    - by default there is one histogram per clip and no rounding. The published shape, times=4 and quantized=true, has
      1024 features where this has 256, and rounds every motion of a fraction of a pixel up to a whole one: on 56 clips
      of people a frozen fake was then 1.9 times as far as other real clips, by default 4.2 times.

    At fewer clips than features the value depends on their number. It sees direction and place better than speed, of
    which it takes the logarithm: `motion_magnitude` (`vgen.metric.dynamic_degree`) belongs beside it.

    Args:
        cells: parts of the frame along each side.
        times: parts of the clip.
        angles: bins of direction.
        quantized: round log2(|v| + 1) up to a whole number, as published.
    """

    names = ("fvmd",)
    reads = "flow"

    def __init__(self, *, cells: int = 4, times: int = 1, angles: int = 8, quantized: bool = False) -> None:
        super().__init__()
        for name, number in (("cells", cells), ("times", times), ("angles", angles)):
            if number < 1:
                raise ValueError(f"{name}={number} of the motion histogram; expected 1 or more")
        self.cells = cells
        self.times = times
        self.angles = angles
        self.quantized = quantized

    @property
    def stamp(self) -> str:
        shape = f"{self.times}x{self.cells}x{self.cells}x{self.angles}"
        return f"N-1,{shape},velocity+acceleration{',quantized' if self.quantized else ''}"

    def values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """The distance between real (N, T - 1, P, P, 4) and fake (M, T - 1, P, P, 4) flow."""
        return {"fvmd": frechet_distance(*self._histograms(real, fake))}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        """As `values`, with its standard error, and its bias-corrected value where there are clips enough."""
        return {"fvmd": frechet_jackknife(*self._histograms(real, fake))}

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        """Too few clips for the number of features."""
        clips = min(len(real), len(fake))
        steps = real.shape[1]
        parts = min(self.times, steps) + min(self.times, steps - 1)
        dim = parts * self.cells**2 * self.angles
        if clips > dim:
            return []
        return [
            f"fvmd: {clips} clips for {dim} features: the value is dominated by the number of clips; compare only "
            "with values of the same number, or take fewer cells and times"
        ]

    def _histograms(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        check_pair(real, fake, axes=_AXES)
        if real.shape[1] != fake.shape[1]:
            raise ValueError(
                f"real clips have {real.shape[1] + 1} frames, fake clips {fake.shape[1] + 1}; make both alike"
            )
        real, fake = (
            motion_features(
                side, cells=self.cells, times=self.times, angles=self.angles, quantized=self.quantized
            )
            for side in (real, fake)
        )
        return real, fake
