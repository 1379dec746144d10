"""Balls that bounce off the walls and off each other without losing anything: dynamics that one can check for ever.

Like the bouncing balls of Sutskever, Hinton & Taylor (NIPS 2008), but coloured, of different sizes and masses, and
computed from collision to collision instead of in small steps, so that energy is conserved to rounding however long
the video is. A generated video can thus be held against the law itself.
"""

from colorsys import hsv_to_rgb
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from vgen.data.drawn import Drawn, paint_disc, to_bytes, uniform

MOST = 3
RADII = 0.07, 0.13  # in frame sides
SPEEDS = 0.015, 0.045  # in frame sides per frame
REVISION = 1  # part of the fingerprint: raise it when the drawing or the dynamics change


class Balls(Drawn):
    """Procedural videos of elastic collisions; video i follows from (seed, i) alone, at any size and length.

    Balls of different radius and colour move in a box without gravity or friction; a ball's mass is its area. The
    first frames of a longer video are the shorter video. Labels are the number of balls.

    Args:
        size: frame height and width in pixels, at least 8.
        channels: 3, or 1 for the luma of the same colours.
        videos: how many videos the set has.
        frames: frames per video.
        seed: another seed is another set.
        least, most: balls per video, each number equally often; 1 to 3.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        videos: int = 2000,
        frames: int = 64,
        seed: int = 0,
        least: int = 1,
        most: int = MOST,
    ):
        if not 1 <= least <= most <= MOST:
            raise ValueError(
                f"data.least={least}, data.most={most}: choose numbers of balls from 1 to {MOST}"
            )
        self.least, self.most = least, most
        super().__init__(
            name="balls",
            revision=REVISION,
            classes=[f"{n} ball{'s' * (n > 1)}" for n in range(least, most + 1)],
            size=size,
            channels=channels,
            videos=videos,
            frames=frames,
            seed=seed,
            settings=(least, most),
        )

    def label(self, i: int) -> int:
        return int((self.most - self.least + 1) * uniform(self.stream(i), 1)[0])

    def factors(self, i: int) -> dict:
        """Ground truth of video `i` with n balls, in frame sides and frames.

        Content: `balls` (n), `radius` (n,), `mass` (n,), the areas in units of the mean one of all videos, and
        `colour` (n, 3) in 0..255. Motion: `position` (n, 2) as (x, y) from the top left corner, and `velocity` (n, 2),
        both at frame 0; all that follows is `state`.
        """
        stream = self.stream(i)
        draws = uniform(stream, 2)
        balls = self.least + int((self.most - self.least + 1) * draws[0])
        radius, speed, direction, lightness = np.array(uniform(stream, 4 * MOST)).reshape(4, MOST)[:, :balls]
        value = 0.7 + 0.3 * lightness
        radius = RADII[0] + (RADII[1] - RADII[0]) * radius
        hues = draws[1] + np.arange(balls) / balls
        speed = SPEEDS[0] + (SPEEDS[1] - SPEEDS[0]) * speed
        heading = np.stack([np.cos(2 * np.pi * direction), np.sin(2 * np.pi * direction)], axis=1)
        position = np.empty((0, 2))
        while len(position) < balls:  # drawn again where it touches an earlier ball
            own = radius[len(position)]
            drawn = own + (1 - 2 * own) * np.array(uniform(stream, 2))
            distance = np.hypot(*(position - drawn).T)
            if (distance > radius[: len(position)] + own).all():
                position = np.vstack([position, drawn])
        return {
            "balls": balls,
            "radius": radius,
            "mass": radius**2 / _mean_square(*RADII),
            "colour": 255 * np.array([hsv_to_rgb(h, 0.75, v) for h, v in zip(hues % 1, value, strict=True)]),
            "position": position,
            "velocity": speed[:, None] * heading,
        }

    def state(self, i: int, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions and velocities (T, n, 2) of the balls of video `i` at frames `indices` (T,)."""
        times, factors = self.times(indices), self.factors(i)
        start = (factors[name] for name in ("radius", "mass", "position", "velocity"))
        flight = fly(*start, until=times.max(initial=0))
        leg = np.searchsorted(flight.begin, times, side="right") - 1
        velocity = flight.velocity[leg]
        return flight.position[leg] + velocity * (times - flight.begin[leg])[:, None, None], velocity

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        factors = self.factors(i)
        position, _ = self.state(i, indices)
        frames = np.zeros((len(position), self.size, self.size, 3))
        for ball, (radius, colour) in enumerate(zip(factors["radius"], factors["colour"], strict=True)):
            paint_disc(frames, position[:, ball] * self.size, radius * self.size, colour)
        return to_bytes(frames, self.channels)


@dataclass(frozen=True)
class Flight:
    """Straight legs between collisions: where n balls are and how fast, (legs, n, 2), at `begin` (legs,) of each."""

    begin: np.ndarray
    position: np.ndarray
    velocity: np.ndarray


def fly(
    radius: np.ndarray, mass: np.ndarray, position: np.ndarray, velocity: np.ndarray, until: float
) -> Flight:
    """The flight of hard discs in the unit square from time 0 to `until`, from one collision to the next.

    Args:
        radius, mass: (n,).
        position, velocity: (n, 2) at time 0; the discs lie inside and apart.
    """
    legs = [(0.0, position, velocity)]
    while True:
        begin, position, velocity = legs[-1]
        to_wall, at_wall, axis = _next_wall(radius, position, velocity)
        to_ball, one, other = _next_meeting(radius, position, velocity)
        wait = min(to_wall, to_ball)
        if begin + wait > until:
            return Flight(*(np.array(part) for part in zip(*legs, strict=True)))
        position = position + velocity * wait
        velocity = velocity.copy()
        if to_wall <= to_ball:
            velocity[at_wall, axis] *= -1
        else:
            _collide(mass, position, velocity, one, other)
        legs.append((begin + wait, position, velocity))


def _next_wall(radius: np.ndarray, position: np.ndarray, velocity: np.ndarray) -> tuple[float, int, int]:
    """How long until a ball meets a wall, which ball, and along which axis it moves there."""
    wall = np.where(velocity > 0, 1 - radius[:, None], radius[:, None])  # (n, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        wait = np.where(velocity == 0, np.inf, np.maximum((wall - position) / velocity, 0))
    ball, axis = divmod(int(wait.argmin()), 2)
    return float(wait[ball, axis]), ball, axis


def _next_meeting(radius: np.ndarray, position: np.ndarray, velocity: np.ndarray) -> tuple[float, int, int]:
    """How long until two balls touch, and which: |apart + velocity t| = reach, for balls that approach."""
    soonest = np.inf, 0, 0
    for one, other in combinations(range(len(radius)), 2):
        apart, relative = position[one] - position[other], velocity[one] - velocity[other]
        towards, square = float(apart @ relative), float(relative @ relative)
        left = towards**2 - square * (float(apart @ apart) - (radius[one] + radius[other]) ** 2)
        if towards < 0 <= left:
            soonest = min(soonest, (max((-towards - left**0.5) / square, 0.0), one, other))
    return soonest


def _collide(mass: np.ndarray, position: np.ndarray, velocity: np.ndarray, one: int, other: int) -> None:
    """Elastic and without friction: the balls exchange momentum along the line between their centres."""
    along = position[one] - position[other]
    along = along / np.hypot(*along)
    reduced = mass[one] * mass[other] / (mass[one] + mass[other])
    exchanged = 2 * reduced * float((velocity[one] - velocity[other]) @ along)
    velocity[one] -= exchanged / mass[one] * along
    velocity[other] += exchanged / mass[other] * along


def _mean_square(low: float, high: float) -> float:
    return (low**2 + low * high + high**2) / 3
