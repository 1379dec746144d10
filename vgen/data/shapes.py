"""Moving shapes, drawn on the fly: the toy set on which a video GAN shows what it has understood.

After the shape-motion set of MoCoGAN (Tulyakov et al., CVPR 2018, section 4): a disc or a square of random
size and colour on black travels along a random Bezier curve, either from the bottom to the top or from the
right to the left. Every factor is known, so that content and motion can be measured apart.
"""

import numpy as np

from vgen.data.drawn import Drawn, uniform, window

CLASSES = ["upwards", "leftwards"]
SHAPES = ["disc", "square"]
RADII = np.array([4, 5, 6, 7]) / 64  # half the side, as a fraction of the frame
MARGIN = 1 / 64  # between the shape and the edge it starts or ends at
FAINTEST = 64  # the least value of a colour's strongest channel
REVISION = 1  # part of the fingerprint: raise it when the drawing changes


class Shapes(Drawn):
    """Procedural videos with known factors; video i follows from (seed, i) alone.

    The layout does not depend on `size`: the same video at another resolution is the same scene. Edges are
    antialiased and positions fractional, so motion is smooth at any size. Labels are the kind of motion.

    Args:
        size: frame height and width in pixels, at least 8.
        channels: 3, or 1 for the luma of the same colours.
        videos: how many videos the set has.
        frames: frames per video; the path is travelled once from frame 0 to the last.
        seed: another seed is another set.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self, *, size: int = 64, channels: int = 3, videos: int = 2000, frames: int = 32, seed: int = 0
    ):
        super().__init__(
            name="shapes",
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
        """Ground truth of video `i`.

        `shape` ("disc", "square"), `radius` (half the side, in frame sides), `colour` (r, g, b in 0..255),
        `motion` (a class name), `path`: the four control points (4, 2) of the Bezier curve as (x, y) in frame
        sides from the top left corner, the first and last of which are `start` and `end`.
        """
        draws = uniform(self.stream(i), 11)
        shape, radius, motion = (
            SHAPES[int(2 * draws[0])],
            RADII[int(4 * draws[1])],
            CLASSES[int(2 * draws[2])],
        )
        colour = np.floor(np.array(draws[3:6]) * 256)
        colour *= max(1.0, FAINTEST / max(colour.max(), 1))

        near, far = radius + MARGIN, 1 - radius - MARGIN
        across, *inner = (near + (far - near) * draw for draw in draws[6:])
        first, last = (across, far), (across, near)  # bottom, top
        if motion == "leftwards":
            first, last = (far, across), (near, across)
        path = np.array([first, inner[:2], inner[2:], last])
        return {
            "shape": shape,
            "radius": float(radius),
            "colour": tuple(int(value) for value in colour),
            "motion": motion,
            "path": path,
            "start": first,
            "end": last,
        }

    def centre(self, i: int, indices: np.ndarray) -> np.ndarray:
        """Where the shape of video `i` is at frames `indices` (T,): (T, 2) as (x, y) in pixels."""
        return self._position(self.factors(i)["path"], indices) * self.size

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        factors = self.factors(i)
        radius = factors["radius"] * self.size
        centre = self._position(factors["path"], indices) * self.size  # (T, 2)
        where, offset = window(centre, radius, self.size)
        if factors["shape"] == "square":
            inside = np.clip(radius + 0.5 - np.abs(offset), 0, 1)
            coverage = inside[:, 1, :, None] * inside[:, 0, None, :]
        else:
            distance = np.hypot(offset[:, 1, :, None], offset[:, 0, None, :])
            coverage = np.clip(radius + 0.5 - distance, 0, 1)  # (T, side, side)

        colour = np.array(factors["colour"], dtype=float)
        if self.channels == 1:
            colour = colour @ [[0.299], [0.587], [0.114]]
        frames = np.zeros((len(centre), self.size, self.size, self.channels), dtype=np.uint8)
        frames[where] = np.rint(coverage[..., None] * colour).astype(np.uint8)
        return frames

    def _position(self, path: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """The cubic Bezier curve at frames `indices`: (T, 2) in frame sides."""
        s = self.times(indices)[:, None] / max(self.frames - 1, 1)
        weights = np.concatenate(
            [(1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3], axis=1
        )  # (T, 4)
        return weights @ path
