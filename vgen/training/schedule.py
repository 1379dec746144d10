"""Values that change with the clips shown so far: pieces of a cosine or of a straight line, one after the other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Shape = Literal["cosine", "linear", "geometric"]
_KEYS = ("shape", "start", "end", "over")


@dataclass(frozen=True)
class Piece:
    """From `start` to `end` in `over` thousand clips."""

    start: float
    end: float
    over: float
    shape: Shape = "cosine"

    def at(self, kclips: float) -> float:
        """The value `kclips` after the piece began; `end` from `over` on."""
        done = min(kclips / self.over, 1.0)
        if self.shape == "geometric":
            return self.start ** (1 - done) * self.end**done
        # The cosine is that of R3GAN (Huang et al. 2024, arXiv 2501.05441).
        left = 0.5 * (1 + math.cos(math.pi * done)) if self.shape == "cosine" else 1 - done
        return self.end + (self.start - self.end) * left


@dataclass(frozen=True)
class Schedule:
    """Pieces that follow one another; the last one's end stays."""

    pieces: tuple[Piece, ...]

    def at(self, kclips: float) -> float:
        for piece in self.pieces[:-1]:
            if kclips < piece.over:
                return piece.at(kclips)
            kclips -= piece.over
        return self.pieces[-1].at(kclips)


def read_schedule(key: str, written: Any, configured: float) -> Schedule:
    """The schedule that a configuration writes as one piece {shape, start, end, over}, or as a list of pieces.

    `start` and `end` are `configured`, the value without a schedule, where they are left out; one of all pieces has
    to be, or the configured value would count for nothing. `over` is in thousand clips.

    Raises ValueError, naming `key`, for what is no schedule.
    """
    parts = [written] if isinstance(written, Mapping) else written
    if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
        raise ValueError(
            f"{key}={written!r}: write {{start: 0, over: 5}}, {{end: 1e-5, over: 50}} or a list of such"
        )
    pieces, free = [], False
    for part in parts:
        _check_keys(key, part)
        start, end = (
            configured if part.get(side) is None else float(part[side]) for side in ("start", "end")
        )
        free = free or part.get("start") is None or part.get("end") is None
        shape: Shape = part.get("shape", "cosine")
        if shape == "geometric" and not (start > 0 and end > 0):
            raise ValueError(f"{key}: shape=geometric goes from {start:g} to {end:g}; both must be above 0")
        pieces.append(Piece(start, end, float(part["over"]), shape))
    if not free:
        raise ValueError(
            f"{key}: leave out start or end, which then is the configured {configured:g}; now nothing reads that"
        )
    return Schedule(tuple(pieces))


def _check_keys(key: str, part: Any) -> None:
    if not isinstance(part, Mapping):
        raise ValueError(f"{key}: {part!r} is no piece of a schedule; write {{start: 0, over: 5}}")
    unknown = set(part) - set(_KEYS)
    if unknown:
        raise ValueError(f"{key}.{min(unknown)}: a piece of a schedule has {', '.join(_KEYS)}")
    if part.get("shape", "cosine") not in get_args(Shape):
        raise ValueError(f"{key}.shape={part['shape']}: choose {', '.join(get_args(Shape))}")
    for name in ("start", "end", "over"):
        value = part.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{key}.{name}={value!r}: expected a number")
    if not (part.get("over") or 0) > 0:
        raise ValueError(f"{key}.over={part.get('over')}: give the thousand clips that it takes, above 0")
