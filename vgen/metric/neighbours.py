"""Balls around the members of a set that reach to their k-th neighbour, and which points lie in them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vgen.metric.jackknife import Estimate, block_jackknife, deal_blocks

_ENTRIES = 2**22  # of a matrix held at once: 32 MiB
_SPARE = 32  # neighbours beyond the k-th that a left-out block may take away


@dataclass(frozen=True)
class Membership:
    """Points (M,) in balls (N,), of everything (level 0) and of what is left without block b (level b + 1).

    Attributes:
        balls: (levels, M) int64, how many balls hold each point.
        occupied: (levels, N) bool, whether each ball holds a point that is not left out.
        ball_block, point_block: (N,) and (M,), the block of each.
    """

    balls: Tensor
    occupied: Tensor
    ball_block: Tensor
    point_block: Tensor

    @property
    def levels(self) -> int:
        return len(self.balls)

    def points_at(self, level: int) -> Tensor:
        """(M,) bool: which points take part."""
        return self.point_block != level - 1

    def balls_at(self, level: int) -> Tensor:
        """(N,) bool: which balls take part."""
        return self.ball_block != level - 1


def membership(centres: Tensor, points: Tensor, *, k: int, closed: bool, blocks: int = 0) -> Membership:
    """Which points (M, D) lie in the balls around centres (N, D) that reach to the k-th nearest other centre.

    `closed` balls hold the points at exactly their radius, open ones do not. Distances are Euclidean, float64.
    Matrix products give them to about 12 digits; what is nearer than that to a radius is decided by the exact
    distance, so that duplicates and ties count as they should. Memory does not grow with N M. Left-out radii are
    looked for among the k + 32 nearest centres.

    Raises ValueError for fewer than k + 1 centres.
    """
    if len(centres) <= k:
        raise ValueError(
            f"{len(centres)} clips have no {k} neighbours each; use more clips, or k={len(centres) - 1} or less"
        )
    centres, points = (side.detach().to("cpu", torch.float64) for side in (centres, points))
    # centred, since products of far-off vectors cancel
    origin = centres.mean(dim=0)
    centres, points = centres - origin, points - origin
    ball_block, point_block = (
        deal_blocks(len(side), blocks) if blocks else torch.zeros(len(side), dtype=torch.int64)
        for side in (centres, points)
    )
    radii = _squared_radii(centres, k, ball_block, blocks)  # (levels, N)
    balls = torch.zeros(blocks + 1, len(points), dtype=torch.int64)
    occupied = torch.zeros(blocks + 1, len(centres), dtype=torch.bool)
    of_point = F.one_hot(point_block, max(1, blocks)).float()  # (M, blocks)
    for rows, squared in _pieces(centres, points):
        radius = radii[:, rows]
        _settle(squared, centres[rows], points, radius[0])
        inside = _inside(squared, radius[0], closed)
        balls[0] += inside.sum(dim=0)
        occupied[0, rows] = inside.any(dim=1)
        if not blocks:
            continue
        # counts of at most 2^24, which float32 holds
        ones = inside.float()
        of_ball = F.one_hot(ball_block[rows], blocks).float()
        balls[1:] += (ones.sum(dim=0) - of_ball.T @ ones).long()
        left_occupied = (ones.sum(dim=1, keepdim=True) - ones @ of_point).T > 0  # (blocks, n)
        for block in range(blocks):
            # a ball grows only where one of its k neighbours is left out
            grown = (radius[block + 1] > radius[0]).nonzero()[:, 0]
            wider = _inside(squared[grown], radius[block + 1, grown], closed)
            balls[block + 1] += wider.sum(dim=0) - inside[grown].sum(dim=0)
            left_occupied[block, grown] = (wider & (point_block != block)).any(dim=1)
        occupied[1:, rows] = left_occupied
    return Membership(balls, occupied, ball_block, point_block)


def check_neighbour(k: int) -> None:
    """Raise ValueError unless there is a k-th neighbour."""
    if k < 1:
        raise ValueError(f"k={k} of nearest neighbours; expected 1 or more")


def ball_stamp(k: int, closed: bool) -> str:
    """The convention of the balls, for a metric's stamp."""
    return f"k{k},{'<=' if closed else '<'}"


def blocks_for(real: Tensor, fake: Tensor, k: int, blocks: int = 32) -> int:
    """Blocks to leave out one at a time; 0 where too few clips for balls would be left."""
    clips = min(len(real), len(fake))
    blocks = min(blocks, clips)
    largest = -(-clips // blocks)
    return blocks if clips - largest > k else 0


def jackknife_levels(values: list[float]) -> Estimate:
    """The first value with the standard error that the others, each without one block, give it."""
    if len(values) == 1:
        return Estimate(values[0])
    estimate = block_jackknife(values[0], lambda b: values[b + 1], len(values) - 1)
    return Estimate(estimate.value, estimate.standard_error)


def unequal_counts(what: str, real: Tensor, fake: Tensor) -> list[str]:
    """A warning where the sets differ in size, on which statistics of neighbours depend."""
    if len(real) == len(fake):
        return []
    return [
        f"{what}: {len(real)} real and {len(fake)} fake clips; neighbours are nearer in the larger set, so compare "
        "only with values of the same numbers"
    ]


def _inside(squared: Tensor, radii: Tensor, closed: bool) -> Tensor:
    return squared <= radii[:, None] if closed else squared < radii[:, None]


def _squared_radii(x: Tensor, k: int, block: Tensor, blocks: int) -> Tensor:
    """(blocks + 1, N): to the k-th nearest other row, of all and of those outside each block; -1 inside it."""
    near = min(len(x) - 1, k + (_SPARE if blocks else 0))
    radii = torch.full((blocks + 1, len(x)), -1.0, dtype=torch.float64)
    for rows, approximate in _pieces(x, x):
        numbers = torch.arange(len(x))[rows]
        approximate[torch.arange(len(numbers)), numbers] = torch.inf
        index = approximate.topk(near, dim=1, largest=False).indices  # (n, near)
        squared = _exact(x[rows], x, index)
        squared, order = squared.sort(dim=1)
        of = block[index.gather(1, order)]
        radii[0, rows] = squared[:, k - 1]
        for b in range(blocks):
            left = (of != b).cumsum(dim=1)
            # the k-th that is left; the last one known where a block took more than the spare ones
            place = (left < k).sum(dim=1).clamp_max(near - 1)
            radius = squared.gather(1, place[:, None])[:, 0]
            radii[b + 1, rows] = radius.where(block[rows] != b, torch.full_like(radius, -1.0))
    return radii


def _pieces(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances (n, M) from some rows of x at a time to all of y, good to about 12 digits."""
    height = max(1, _ENTRIES // len(y))
    lengths = y.square().sum(dim=1)
    for start in range(0, len(x), height):
        rows = slice(start, start + height)
        squared = torch.addmm(lengths + x[rows].square().sum(dim=1, keepdim=True), x[rows], y.T, alpha=-2)
        yield rows, squared.clamp_min_(0)


def _settle(squared: Tensor, x: Tensor, y: Tensor, radii: Tensor) -> None:
    """Replace, in place, squared distances (n, M) too near to the squared radii (n,) by their exact values."""
    size = x.square().sum(dim=1, keepdim=True) + y.square().sum(dim=1)
    doubt = size * (8 * x.shape[1] * torch.finfo(torch.float64).eps)
    rows, columns = ((squared - radii[:, None]).abs() <= doubt).nonzero(as_tuple=True)
    height = max(1, _ENTRIES // x.shape[1])
    for i, j in zip(rows.split(height), columns.split(height), strict=True):
        squared[i, j] = _between(x[i], y[j])


def _exact(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """Squared distances (n, m) from each row of x (n, D) to the rows `index` (n, m) of y."""
    height = max(1, _ENTRIES // (index.shape[1] * x.shape[1]))
    found = [
        _between(rows[:, None], y[of]) for rows, of in zip(x.split(height), index.split(height), strict=True)
    ]
    return torch.cat(found)


def _between(x: Tensor, y: Tensor) -> Tensor:
    # differences first: 0 for duplicates, and the same bits whichever of two vectors comes first
    return (x - y).square().sum(dim=-1)
