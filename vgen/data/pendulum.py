"""A pendulum that swings or turns over: one law, exact for ever, whose period one can read off its length.

theta'' = -(g / L) sin(theta), theta from the lowest point, without friction. The closed form in Jacobi's elliptic
functions is used instead of small steps, so a frame's angle is exact however late it is and needs no frame before it.
All pendulums of a set hang in the same gravity: a short one swings faster than a long one, and a wide swing takes
longer than a narrow one. That is what a generator has to find out.
"""

from colorsys import hsv_to_rgb

import numpy as np

from vgen.data.drawn import Drawn, cover, paint_disc, to_bytes, uniform

CLASSES = ["swinging", "turning"]
GRAVITY = 0.006  # frame sides per frame^2; a rod of 0.3 sides takes 44 frames for a narrow swing
LENGTHS = 0.2, 0.36  # of the rod to the centre of the bob, in frame sides
RADII = 0.04, 0.08  # of the bob
SWAY = 0.04  # how far the pivot may lie from the middle of the frame, each way
SWINGS = 20.0, 150.0  # degrees; the largest angle of one that swings
TURNS = 1.15, 2.0  # energy of one that turns, in units of what it takes to stand on its head
ROD, THICKNESS = (150.0, 150.0, 150.0), 1 / 64
REVISION = 1  # part of the fingerprint: raise it when the drawing or the dynamics change


class Pendulum(Drawn):
    """Procedural videos of an ideal pendulum; video i follows from (seed, i) alone, at any size and length.

    A bob of random size and colour on a rod of random length. The first frames of a longer video are the shorter
    video. Labels say whether it swings to and fro or turns over.

    Args:
        size: frame height and width in pixels, at least 8.
        channels: 3, or 1 for the luma of the same colours.
        videos: how many videos the set has.
        frames: frames per video.
        seed: another seed is another set.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self, *, size: int = 64, channels: int = 3, videos: int = 2000, frames: int = 64, seed: int = 0
    ):
        super().__init__(
            name="pendulum",
            revision=REVISION,
            classes=CLASSES,
            size=size,
            channels=channels,
            videos=videos,
            frames=frames,
            seed=seed,
        )

    def label(self, i: int) -> int:
        return CLASSES.index(self.factors(i)["motion"])

    def factors(self, i: int) -> dict:
        """Ground truth of video `i`, in frame sides, frames and radians.

        Content: `length` of the rod, `radius` of the bob, `colour` (3,) in 0..255, `pivot` (x, y) from the top left
        corner. Motion: `motion` (a class name), `energy` in units of what it takes to stand on its head (below 1 it
        swings), `period`, `phase` (the share of a period that has passed at frame 0 since it was at its lowest, moving
        to the right if it swings) and `direction` (1: counterclockwise, -1: clockwise; always 1 if it swings).
        """
        draws = uniform(self.stream(i), 10)
        motion = CLASSES[int(2 * draws[0])]
        length = LENGTHS[0] + (LENGTHS[1] - LENGTHS[0]) * draws[1]
        if motion == "swinging":
            largest = np.radians(SWINGS[0] + (SWINGS[1] - SWINGS[0]) * draws[6])
            energy = float(np.sin(largest / 2) ** 2)
        else:
            energy = TURNS[0] + (TURNS[1] - TURNS[0]) * draws[6]
        return {
            "length": length,
            "radius": RADII[0] + (RADII[1] - RADII[0]) * draws[2],
            "colour": 255 * np.array(hsv_to_rgb(draws[3], 0.75, 0.7 + 0.3 * draws[4])),
            "pivot": tuple(0.5 + SWAY * (2 * draw - 1) for draw in draws[8:]),
            "motion": motion,
            "energy": energy,
            "period": period(energy, length),
            "phase": draws[7],
            "direction": -1 if motion == "turning" and draws[5] < 0.5 else 1,
        }

    def angle(self, i: int, indices: np.ndarray) -> np.ndarray:
        """Angle (T,) of the rod of video `i` at frames `indices`, from the lowest point, counterclockwise.

        It grows beyond 2 pi where the pendulum turns.
        """
        factors = self.factors(i)
        times = self.times(indices) + factors["phase"] * factors["period"]
        return factors["direction"] * angle(times, factors["energy"], factors["length"])

    def bob(self, i: int, indices: np.ndarray) -> np.ndarray:
        """Where the bob of video `i` is at frames `indices` (T,): (T, 2) as (x, y) in pixels."""
        factors, theta = self.factors(i), self.angle(i, indices)
        below = factors["length"] * np.stack([np.sin(theta), np.cos(theta)], axis=1)
        return (np.array(factors["pivot"]) + below) * self.size

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        factors, bob = self.factors(i), self.bob(i, indices)
        pivot = np.array(factors["pivot"]) * self.size
        frames = np.zeros((len(bob), self.size, self.size, 3))
        _paint_rod(frames, pivot, bob, THICKNESS * self.size)
        paint_disc(frames, np.broadcast_to(pivot, bob.shape), THICKNESS * self.size, ROD)
        paint_disc(frames, bob, factors["radius"] * self.size, factors["colour"])
        return to_bytes(frames, self.channels)


def period(energy: float, length: float) -> float:
    """Frames until the motion repeats, there and back or once round, of `energy` as in `Pendulum.factors`."""
    slow = np.sqrt(length / GRAVITY)
    return float(
        4 * slow * quarter(energy) if energy < 1 else 2 * slow / np.sqrt(energy) * quarter(1 / energy)
    )


def angle(times: np.ndarray, energy: float, length: float) -> np.ndarray:
    """Angle (T,) in radians at `times` (T,) in frames after it was lowest and grew; `energy` 1 stands on its head.

    Source: Abramowitz & Stegun, chapter 16; below energy 1 sin(theta / 2) = k sn(t, k^2) with k^2 the energy, above
    theta / 2 = am(k t, 1 / k^2), t in units of sqrt(L / g).
    """
    t = times * np.sqrt(GRAVITY / length)
    if energy < 1:
        return 2 * np.arcsin(np.sqrt(energy) * np.sin(amplitude(t, energy)))
    return 2 * amplitude(np.sqrt(energy) * t, 1 / energy)


def quarter(m: float) -> float:
    """Complete elliptic integral of the first kind K(m), 0 <= m < 1."""
    return float(np.pi / (2 * _means(m)[0][-1]))


def amplitude(u: np.ndarray, m: float) -> np.ndarray:
    """Jacobi's amplitude am(u, m) for 0 <= m < 1, by arithmetic-geometric means (A&S 16.4)."""
    means, differences = _means(m)
    phi = 2.0 ** (len(means) - 1) * means[-1] * np.asarray(u, dtype=float)
    for mean, difference in zip(means[:0:-1], differences[:0:-1], strict=True):
        phi = (phi + np.arcsin(difference / mean * np.sin(phi))) / 2
    return phi


def _means(m: float) -> tuple[list[float], list[float]]:
    """a_n and c_n of the arithmetic-geometric mean that begins with 1 and sqrt(1 - m)."""
    means, geometric, differences = [1.0], float(np.sqrt(1 - m)), [float(np.sqrt(m))]
    while differences[-1] > 1e-15:  # squared at each turn, down to rounding
        differences.append((means[-1] - geometric) / 2)
        means, geometric = [*means, (means[-1] + geometric) / 2], float(np.sqrt(means[-1] * geometric))
    return means, differences


def _paint_rod(frames: np.ndarray, pivot: np.ndarray, bob: np.ndarray, thickness: float) -> None:
    """Lay a line from `pivot` (2,) to `bob` (T, 2) over frames (T, S, S, 3), all in pixels."""
    at = np.arange(frames.shape[1]) + 0.5 - pivot[:, None]  # (2, S)
    along = bob - pivot
    length = np.hypot(*along.T)[:, None, None]
    right, down = (part[:, None, None] for part in along.T)
    share = np.clip((at[0] * right + at[1, :, None] * down) / length**2, 0, 1)  # (T, S, S)
    distance = np.hypot(at[0] - share * right, at[1, :, None] - share * down)
    # a line thinner than a pixel covers no more of one than it is wide
    cover(frames, slice(None), np.clip(thickness / 2 + 0.5 - distance, 0, min(1.0, thickness)), ROD)
