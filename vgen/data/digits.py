"""Real handwritten digits that fly and bounce: Moving MNIST with what scikit-learn ships, no download.

The law of motion is that of Moving MNIST (Srivastava, Mansimov & Salakhutdinov, ICML 2015): every digit begins
anywhere, flies straight in a random direction and bounces off the edges; digits pass through each other, and the
brighter pixel is seen. The digits are not MNIST's: scikit-learn's have 8x8 pixels of 17 grey levels, written by 13
people, and are drawn here as the smooth curve through these pixels. Numbers on the two sets are not comparable.
"""

from typing import Literal, get_args

import numpy as np

from vgen.data.drawn import Drawn, uniform
from vgen.data.scikit import digest, handwritten_digits

Split = Literal["train", "test"]
Label = Literal["count", "digit"]

CELLS = 8  # pixels of a picture, each way
SIDE = 28 / 64  # of a digit, in frame sides, as in Moving MNIST
SPEEDS = 0.02, 0.07  # in frame sides per frame
CONTRAST = (
    1.6  # of the edges, around half brightness; the pictures are block averages of black and white ones
)
FINEST = 64  # samples of a frame's side, at least
MOST = 3
HELD_OUT = 360  # pictures, the last ones of the file, that are the test split: a fifth
REVISION = 1  # part of the fingerprint: raise it when the drawing changes


class Digits(Drawn):
    """Procedural videos of 1 to 3 bouncing digits, white on black; video i follows from (seed, i) alone.

    Needs scikit-learn (`pip install 'vgen[scikit-learn]'`). The layout does not depend on `size`, and the first frames
    of a longer video are the shorter video.

    Args:
        size: frame height and width in pixels, at least 8.
        channels: 3 (equal ones) or 1.
        videos: how many videos the set has.
        frames: frames per video.
        seed: another seed is another set.
        least, most: digits per video, each number equally often; 1 to 3.
        label: what classes are: the "count" of digits, or which "digit" it is, for one digit per video.
        split: "train" or "test": pictures of digits that the other does not have.

    Raises:
        ValueError: an argument out of range, or scikit-learn is missing.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        videos: int = 2000,
        frames: int = 32,
        seed: int = 0,
        least: int = 1,
        most: int = MOST,
        label: Label = "count",
        split: Split = "train",
    ):
        if not 1 <= least <= most <= MOST:
            raise ValueError(
                f"data.least={least}, data.most={most}: choose numbers of digits from 1 to {MOST}"
            )
        if label not in get_args(Label):
            raise ValueError(f"data.label is {label!r}: choose {' or '.join(get_args(Label))}")
        if split not in get_args(Split):
            raise ValueError(f"data.split is {split!r}: choose {' or '.join(get_args(Split))}")
        if label == "digit" and most > 1:
            raise ValueError("data.label=digit: several digits have no one class; set data.most=1")
        self.least, self.most, self.labelled, self.split = least, most, label, split
        counts = [f"{n} digit{'s' * (n > 1)}" for n in range(least, most + 1)]
        super().__init__(
            name="digits",
            revision=REVISION,
            classes=counts if label == "count" else [str(digit) for digit in range(10)],
            size=size,
            channels=channels,
            videos=videos,
            frames=frames,
            seed=seed,
            settings=(least, most, label, split, digest(handwritten_digits()[0])),
        )

    def label(self, i: int) -> int:
        factors = self.factors(i)
        return factors["digits"][0] if self.labelled == "digit" else len(factors["digits"]) - self.least

    def factors(self, i: int) -> dict:
        """Ground truth of video `i` with n digits.

        Content: `digits` (n values of 0..9) and `pictures`, the place of each in scikit-learn's set. Motion: `position`
        (n, 2) of their top left corners as (x, y) at frame 0, in frame sides, and `velocity` (n, 2) at frame 0, in
        frame sides per frame; all that follows is `corner`.
        """
        stream = self.stream(i)
        digits = self.least + int((self.most - self.least + 1) * uniform(stream, 1)[0])
        picture, speed, direction, x, y = np.array(uniform(stream, 5 * MOST)).reshape(5, MOST)[:, :digits]
        pictures, kinds = handwritten_digits()
        known = len(pictures) - HELD_OUT
        first, last = (0, known) if self.split == "train" else (known, len(pictures))
        chosen = (first + (last - first) * picture).astype(int)
        heading = np.stack([np.cos(2 * np.pi * direction), np.sin(2 * np.pi * direction)], axis=1)
        return {
            "digits": [int(kind) for kind in kinds[chosen]],
            "pictures": chosen.tolist(),
            "position": (1 - SIDE) * np.stack([x, y], axis=1),
            "velocity": (SPEEDS[0] + (SPEEDS[1] - SPEEDS[0]) * speed)[:, None] * heading,
        }

    def corner(self, i: int, indices: np.ndarray) -> np.ndarray:
        """Top left corners (T, n, 2) of the digits of video `i` at frames `indices` (T,), as (x, y) in frame sides."""
        factors, room = self.factors(i), 1 - SIDE
        straight = factors["position"] + self.times(indices)[:, None, None] * factors["velocity"]
        return room - np.abs(room - straight % (2 * room))  # unfolded, a bounce is no bounce

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        pictures, _ = handwritten_digits()
        corner = self.corner(i, indices)
        samples = -(
            -FINEST // self.size
        )  # to a pixel, each way: strokes are sharper than small pixels can show
        side = samples * self.size
        frames = np.zeros((len(corner), side, side))
        for number, picture in enumerate(self.factors(i)["pictures"]):
            across, down = (_weights(corner[:, number, axis], side) for axis in (0, 1))  # (T, side, 8)
            drawn = down @ pictures[picture] @ across.transpose(0, 2, 1)
            np.maximum(frames, np.clip(0.5 + CONTRAST * (drawn - 0.5), 0, 1), out=frames)
        if samples > 1:
            frames = frames.reshape(-1, self.size, samples, self.size, samples).mean(axis=(2, 4))
        return np.repeat(np.rint(255 * frames).astype(np.uint8)[..., None], self.channels, axis=3)


def _weights(corner: np.ndarray, side: int) -> np.ndarray:
    """What cells of a picture at `corner` (T,) give to samples of a row, by cubic interpolation: (T, side, 8)."""
    cell = SIDE / CELLS * side  # in samples, more than one
    at = (np.arange(side) + 0.5 - corner[:, None] * side) / cell - 0.5  # (T, side) in cells
    return keys(at[..., None] - np.arange(CELLS))  # beyond the picture all is black


def keys(x: np.ndarray) -> np.ndarray:
    """Cubic convolution kernel with a = -1/2 (Keys, 1981): interpolates, and is 0 beyond 2."""
    x = np.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))
