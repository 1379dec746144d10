"""The evaluation protocol as an object: everything that decides a number besides the clips themselves."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Literal

from vgen.clip import Extractor
from vgen.protocol.contract import SetMetric

# How clips are chosen is part of the protocol too; a change of either is a change of every id.
REAL_CLIPS = "one seeded random clip per video, cycling"
FAKE_CLIPS = "from the first frame"


class Standard:
    """So many clips a side, so long and so large, compared once.

    Real clips: one seeded random clip per video, the videos coming round again with new starts while clips are
    missing. Fake clips: from the first frame of each generated video.

    Args:
        name: what people call it; not part of the id.
        frames, size: of every clip; size is the shorter side in pixels.
        stride: frames of the real videos between two frames of a clip.
        fake_stride: the same for generated videos (1: they are made at the clips' own rate).
        count: clips per side.
        seed: of the choice of real clips and of the latents.
        divisor: of covariances, "N-1" or "N".
        resize: what brings videos to `size`: "crop" the short side and cut out the centre, or "squash" both sides.
        repeats: sets of `count` fakes, each compared with the same real clips; their mean is reported.

    Raises:
        ValueError: a number that cannot be.
    """

    def __init__(
        self,
        *,
        name: str = "standard",
        frames: int,
        size: int,
        stride: int = 1,
        fake_stride: int = 1,
        count: int = 2048,
        seed: int = 0,
        divisor: Literal["N-1", "N"] = "N-1",
        repeats: int = 1,
        resize: Literal["crop", "squash"] = "crop",
    ) -> None:
        for key, number, least in (
            ("frames", frames, 1),
            ("size", size, 1),
            ("stride", stride, 1),
            ("fake_stride", fake_stride, 1),
            ("count", count, 2),
            ("repeats", repeats, 1),
        ):
            if number < least:
                raise ValueError(f"protocol.{key}={number}: expected {least} or more")
        if divisor not in ("N-1", "N"):
            raise ValueError(f'protocol.divisor={divisor!r}: choose "N-1" or "N"')
        if resize not in ("crop", "squash"):
            raise ValueError(f"protocol.resize={resize!r}: choose crop or squash")
        self.name = name
        self.frames = frames
        self.size = size
        self.stride = stride
        self.fake_stride = fake_stride
        self.count = count
        self.seed = seed
        self.divisor: Literal["N-1", "N"] = divisor
        self.repeats = repeats
        self.resize: Literal["crop", "squash"] = resize

    @property
    def fake_count(self) -> int:
        """Fake clips wanted in all."""
        return self.count * self.repeats

    def settings(self) -> dict[str, Any]:
        """Everything but the name, as plain values."""
        return {
            "frames": self.frames,
            "size": self.size,
            "stride": self.stride,
            "fake_stride": self.fake_stride,
            "count": self.count,
            "seed": self.seed,
            "divisor": self.divisor,
            "repeats": self.repeats,
            "resize": self.resize,
            "real_clips": REAL_CLIPS,
            "fake_clips": FAKE_CLIPS,
        }

    def id(self, extractor_fingerprint: str) -> str:
        """12 hex digits: equal for equal settings and extractor, and for nothing else."""
        everything = json.dumps({**self.settings(), "extractor": extractor_fingerprint}, sort_keys=True)
        return hashlib.sha256(everything.encode()).hexdigest()[:12]

    def stamp(self, metric: SetMetric, extractor: Extractor, *, clips: tuple[int, int] | None = None) -> str:
        """What belongs beside the number: `fvd[embedded-1a2b3c4d,N-1,2048x16f,s1/s1]`.

        `clips` are those compared (real, fake), where they are not `count` on both sides.
        """
        real, fake = clips or (self.count, self.count)
        number = f"{real}" if real == fake else f"{real}/{fake}"
        return (
            f"{metric.name}[{extractor.name}-{extractor.fingerprint[:8]},{metric.stamp},"
            f"{number}x{self.frames}f,s{self.stride}/s{self.fake_stride}]"
        )

    def check(self, extractor: Extractor, metrics: Iterable[SetMetric]) -> None:
        """Raise ValueError, before any clip is read, if these cannot work under this protocol."""
        if self.frames < extractor.min_frames:
            raise ValueError(
                f"extractor {extractor.name} needs clips of at least {extractor.min_frames} frames, "
                f"the protocol has frames={self.frames}; choose longer clips or extractor=embedded"
            )
        names = [metric.name for metric in metrics]
        if not names:
            raise ValueError("no metric to compute; choose for example metric=[frechet]")
        if len(set(names)) < len(names):
            raise ValueError(
                f"two metrics of one name among {', '.join(names)}; their values would overwrite each other"
            )
        for metric in metrics:
            divisor = getattr(metric, "divisor", self.divisor)
            if divisor != self.divisor:
                raise ValueError(
                    f"{metric.name} divides covariances by {divisor}, the protocol by {self.divisor}; "
                    "set protocol.divisor and leave the metric's alone"
                )
