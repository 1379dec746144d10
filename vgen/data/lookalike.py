"""Which videos are the same, or nearly, or mirrored: by hashes of their pixels and of what they look like.

The perceptual hash is the sign pattern of the lowest frequencies of a small grey picture (the well-known "pHash": DCT
of 32x32 pixels, 8x8 coefficients against their median). Hashes propose, pixels decide: scenes of one camera have
equal low frequencies.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

MOMENTS = (0.125, 0.375, 0.625, 0.875)  # of the video, at which it is looked at
SIDE = 32  # pixels of the small pictures
KEPT = 8  # frequencies per direction
NEAR_BITS = 0.12  # share of the bits that may differ
NEAR = (
    0.15  # mean difference of near duplicates, at most, as a part of what their pixels differ from their mean
)
MOST = 20_000  # videos, up to which every pair is compared
_BLOCK = 2048


@dataclass(frozen=True)
class Look:
    """What a video looks like at four moments: small grey pictures (4, 32, 32) uint8."""

    grey: np.ndarray

    @property
    def flat(self) -> bool:
        """Whether there is nothing to be seen: no hash is worth anything then."""
        return bool(self.grey.std(axis=(1, 2)).max() < 2)


@dataclass(frozen=True)
class Pair:
    """Videos `one` and `two` look alike: `difference` is in grey levels, on the average; `mirrored` left to right."""

    one: int
    two: int
    difference: float
    mirrored: bool


def look_at(frames: np.ndarray) -> Look:
    """Frames (4, H, W, C) uint8 at `MOMENTS`."""
    grey = [_grey(frame).resize((SIDE, SIDE), Image.Resampling.BOX) for frame in frames]
    return Look(np.stack([np.asarray(picture) for picture in grey]))


def moments(frames: int) -> np.ndarray:
    """Indices of the frames at `MOMENTS` of a video."""
    return np.array([int(frames * moment) for moment in MOMENTS])


def same(hashes: Sequence[str]) -> list[list[int]]:
    """Groups of videos whose pixels have the same hash."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(hashes):
        groups[text].append(i)
    return [group for group in groups.values() if len(group) > 1]


def alike(looks: Sequence[Look]) -> list[Pair]:
    """Pairs that look alike at the same moments, or mirrored, the most alike first; none of more than `MOST` videos."""
    seen = [i for i, look in enumerate(looks) if not look.flat]
    if len(looks) > MOST or len(seen) < 2:
        return []
    grey = np.stack([looks[i].grey for i in seen]).astype(np.float32)
    grey -= grey.mean(axis=(2, 3), keepdims=True)  # brightness does not matter
    contrast = np.abs(grey).mean(axis=(1, 2, 3))
    bits, mirrored = _bits(grey), _bits(grey[..., ::-1])
    pairs: dict[tuple[int, int], Pair] = {}
    for start in range(0, len(seen), _BLOCK):
        for other, flip in ((bits, False), (mirrored, True)):
            agreement = bits[start : start + _BLOCK] @ other.T / bits.shape[1]
            close = np.argwhere(agreement >= 1 - 2 * NEAR_BITS)
            for row, two in close:
                one = start + int(row)
                if one < two:
                    right = grey[two][..., ::-1] if flip else grey[two]
                    difference = float(np.abs(grey[one] - right).mean())
                    near = difference <= NEAR * min(contrast[one], contrast[two])
                    known = pairs.get((one, int(two)))
                    if near and (known is None or difference < known.difference):
                        pairs[one, int(two)] = Pair(seen[one], seen[int(two)], difference, flip)
    return sorted(pairs.values(), key=lambda pair: (pair.difference, pair.one, pair.two))


def _bits(grey: np.ndarray) -> np.ndarray:
    """(N, 4, 32, 32) -> (N, 4 * 63) of -1 and 1."""
    basis = np.cos(np.pi * (np.arange(SIDE) + 0.5) * np.arange(KEPT)[:, None] / SIDE).astype(np.float32)
    low = (basis @ grey @ basis.T).reshape(*grey.shape[:2], -1)[..., 1:]  # without the mean
    above = low > np.median(low, axis=-1, keepdims=True)
    return np.where(above, np.float32(1), np.float32(-1)).reshape(len(grey), -1)


def _grey(frame: np.ndarray) -> Image.Image:
    return Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame).convert("L")
