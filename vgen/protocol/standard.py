"""An evaluation protocol as data: everything besides weights and videos that decides a number."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any, Literal, get_args

from torch import Tensor

from vgen.clip import Extractor
from vgen.data.evaluation_clips import Choice, Order, VideoClips
from vgen.data.resize import Resample, Resize
from vgen.data.source import VideoSource
from vgen.data.stored import open_videos
from vgen.protocol.contract import SetMetric
from vgen.protocol.pixels import Pixels, quantize

Divisor = Literal["N-1", "N"]
Kernel = Literal["torch", "tf1"]
Fit = Literal["squash", "crop"]


class Standard:
    """Which clips are compared, how they are prepared, and which convention the numbers follow.

    The presets of conf/protocol are values of these arguments, each with the tool that it follows.

    Args:
        name: what people call it; not part of the id.
        frames: of every clip.
        size: of every clip in pixels, both ways; None takes all videos as they are stored, square or not.
        resize: what brings videos to `size`: "crop" the short side and cut out the centre, or "squash" both sides.
        resample: with which filter (`vgen.data.resize`).
        stride: frames of the real videos between two frames of a clip.
        fake_stride: the same for generated videos (1: they are made at the clips' own rate).
        real_clips, fake_clips: which clips of the videos: "first", "center", "random" (one each), "cycle" (the videos
            come round again with new starts while clips are missing), "windows" (all); see
            `vgen.data.evaluation_clips`. A generator's clips begin at time 0.
        clips_per_video: of the real videos; None: 1, of "windows" all.
        hop: frames between the starts of two "windows".
        shortest: shorter videos are discarded; None: the span of a clip.
        order: of the videos (of the windows) before `count` cuts them off: "sorted" by name or "shuffled".
        count: real clips; None: all there are.
        fakes: fake clips, in each repeat; None: as many as `count`.
        split: name of a sub-folder of the real data to use ("train", "test"); None: the data themselves.
        seed: of the choice of clips and of the latents.
        repeats: sets of `fakes` fakes, each compared with the same real clips; their mean is reported.
        divisor: of covariances, "N-1" or "N".
        eps, kernel, fit: how I3D is run: epsilon of its batch norms, bilinear kernel, and what happens to frames that
            are not square ("crop": short side to 224, then the centre).
        pixels: how a generator's floats become bytes: "round" to nearest, "styleganv" (128 is added, then cut off),
            "truncate".
        given: first frames of each real clip that fake clip i was given of real clip i: prediction, whose numbers
            compare with no others. A generator that continues clips sets it (`continuing`).
        fps: frames per second at which videos are read (`vgen.data.videos.Videos`); None: as they are stored.

    Raises:
        ValueError: a number that cannot be, or arguments that contradict each other.
    """

    def __init__(
        self,
        *,
        name: str = "standard",
        frames: int,
        size: int | None = None,
        resize: Resize = "crop",
        resample: Resample = "bicubic",
        stride: int = 1,
        fake_stride: int = 1,
        real_clips: Choice = "cycle",
        fake_clips: Choice = "first",
        clips_per_video: int | None = None,
        hop: int = 1,
        shortest: int | None = None,
        order: Order = "shuffled",
        count: int | None = 2048,
        fakes: int | None = None,
        split: str | None = None,
        seed: int = 0,
        repeats: int = 1,
        divisor: Divisor = "N-1",
        eps: float = 1e-5,
        kernel: Kernel = "torch",
        fit: Fit = "squash",
        pixels: Pixels = "round",
        given: int = 0,
        fps: float | None = None,
    ) -> None:
        self.name = name
        self.frames = _at_least("frames", frames, 1)
        self.size = None if size is None else _at_least("size", size, 1)
        self.resize: Resize = _one_of("resize", resize, Resize)
        self.resample: Resample = _one_of("resample", resample, Resample)
        self.stride = _at_least("stride", stride, 1)
        self.fake_stride = _at_least("fake_stride", fake_stride, 1)
        self.real_choice: Choice = _one_of("real_clips", real_clips, Choice)
        self.fake_choice: Choice = _one_of("fake_clips", fake_clips, Choice)
        self.clips_per_video = (
            None if clips_per_video is None else _at_least("clips_per_video", clips_per_video, 1)
        )
        self.hop = _at_least("hop", hop, 1)
        self.shortest = None if shortest is None else _at_least("shortest", shortest, 1)
        self.order: Order = _one_of("order", order, Order)
        self.count = None if count is None else _at_least("count", count, 2)
        self.fakes = self.count if fakes is None else _at_least("fakes", fakes, 2)
        self.split = split
        self.seed = seed
        self.repeats = _at_least("repeats", repeats, 1)
        self.divisor: Divisor = _one_of("divisor", divisor, Divisor)
        self.eps = eps
        self.kernel: Kernel = _one_of("kernel", kernel, Kernel)
        self.fit: Fit = _one_of("fit", fit, Fit)
        self.pixels: Pixels = _one_of("pixels", pixels, Pixels)
        self.given = _at_least("given", given, 0)
        self.small = 0  # pixels of the small clips that the fakes were made from, where they were
        if fps is not None and not fps > 0:
            raise ValueError(f"protocol.fps={fps}: expected a number above 0, or null")
        self.fps = fps
        if not eps > 0:
            raise ValueError(f"protocol.eps={eps}: expected a number above 0")
        self._check_together()

    def _check_together(self) -> None:
        for choice, number, key in (
            (self.real_choice, self.count, "count"),
            (self.fake_choice, self.fakes, "fakes"),
        ):
            if choice == "cycle" and number is None:
                raise ValueError(f"cycling through videos never ends without protocol.{key}")
        if self.resample != "bicubic" and self.resize != "crop":
            raise ValueError(
                f"protocol.resample={self.resample} crops; it cannot be used with resize={self.resize}"
            )
        if self.clips_per_video not in (None, 1) and self.real_choice not in ("random", "windows"):
            raise ValueError(
                f"protocol.clips_per_video={self.clips_per_video}: real_clips={self.real_choice} takes one clip of "
                "a video; choose random or windows"
            )
        if self.hop != 1 and "windows" not in (self.real_choice, self.fake_choice):
            raise ValueError(f"protocol.hop={self.hop}: only windows have a hop; choose real_clips=windows")
        if self.repeats > 1 and self.fakes is None:
            raise ValueError(f"protocol.repeats={self.repeats}: say how many fakes each has (protocol.fakes)")

    @property
    def fake_count(self) -> int | None:
        """Fake clips wanted in all; None: all there are."""
        return None if self.fakes is None else self.fakes * self.repeats

    def continuing(self, given: int) -> "Standard":
        """This protocol for a generator that is given so many first frames of each real clip.

        Raises:
            ValueError: all frames are given, or other numbers of them on the command line.
        """
        if given >= self.frames:
            raise ValueError(
                f"protocol.frames={self.frames}: the generator is given {given} of them (condition=frames), and "
                "none is left to compare"
            )
        if self.given not in (0, given):
            raise ValueError(
                f"protocol.given={self.given}: the generator is given {given} frames; leave it out"
            )
        changed = copy.copy(self)
        changed.given = given
        return changed

    def enlarging(self, small: int) -> "Standard":
        """This protocol for a generator that is given small versions, of so many pixels, of the real clips; 0: none."""
        changed = copy.copy(self)
        changed.small = small
        return changed

    def at_rate(self, fps: float | None) -> "Standard":
        """This protocol for videos that are read at `fps` frames per second (clip.fps); None: as they are stored.

        Raises:
            ValueError: another rate on the command line.
        """
        if self.fps not in (None, fps):
            said = "as they are stored" if fps is None else f"at {fps:g} frames per second"
            raise ValueError(
                f"protocol.fps={self.fps:g}: the model was trained on videos {said}; leave it out"
            )
        changed = copy.copy(self)
        changed.fps = fps
        return changed

    def settings(self) -> dict[str, Any]:
        """Everything but the name, as plain values. Without "given", "small" and "fps" where they say nothing: ids from
        before them stay.
        """
        said = {"given": self.given or None, "small": self.small or None, "fps": self.fps}
        return {key: value for key, value in said.items() if value is not None} | {
            "frames": self.frames,
            "size": self.size,
            "resize": self.resize,
            "resample": self.resample,
            "stride": self.stride,
            "fake_stride": self.fake_stride,
            "real_clips": self.real_choice,
            "fake_clips": self.fake_choice,
            "clips_per_video": self.clips_per_video,
            "hop": self.hop,
            "shortest": self.shortest,
            "order": self.order,
            "count": self.count,
            "fakes": self.fakes,
            "split": self.split,
            "seed": self.seed,
            "repeats": self.repeats,
            "divisor": self.divisor,
            "eps": self.eps,
            "kernel": self.kernel,
            "fit": self.fit,
            "pixels": self.pixels,
        }

    def id(self, extractor: Extractor | None = None, metric: SetMetric | None = None) -> str:
        """12 hex digits: equal for equal settings, extractor and metric convention, and for no others."""
        fingerprint, convention = getattr(extractor, "fingerprint", None), getattr(metric, "stamp", None)
        everything = json.dumps([self.settings(), fingerprint, convention], sort_keys=True)
        return hashlib.sha256(everything.encode()).hexdigest()[:12]

    def open_videos(
        self,
        path: str | Path,
        *,
        real: bool,
        channels: int = 3,
        cache: str | None = None,
        stored_fps: float | None = None,
    ) -> VideoSource:
        """The videos at `path` (a folder, or arrays in .npy), ready to read, in the size and at the rate that the
        protocol says.

        Args:
            real: whether `path` is the real side, of which `split` is taken.
            stored_fps: as of `vgen.data.videos.Videos`.

        Raises:
            FileNotFoundError: nothing there.
            ValueError: no such split, or nothing usable.
        """
        source = open_videos(
            path,
            size=self.size,
            channels=channels,
            resize=self.resize,
            resample=self.resample,
            cache=cache,
            split=self.split if real else None,
            fps=self.fps,
            stored_fps=stored_fps,
        )
        source.prepare()
        source.setup()
        return source

    def real_clips(self, source: VideoSource) -> VideoClips:
        """The real side, of videos that are ready to read."""
        return VideoClips(
            source,
            frames=self.frames,
            stride=self.stride,
            choice=self.real_choice,
            clips_per_video=self.clips_per_video,
            hop=self.hop,
            shortest=self.shortest,
            order=self.order,
            count=self.count,
            seed=self.seed,
        )

    def fake_clips(self, source: VideoSource) -> VideoClips:
        """The fake side, where it is videos; of all repeats."""
        return VideoClips(
            source,
            frames=self.frames,
            stride=self.fake_stride,
            choice=self.fake_choice,
            hop=self.hop,
            order=self.order,
            count=self.fake_count,
            seed=self.seed,
        )

    def to_pixels(self, video: Tensor) -> Tensor:
        """A generator's (B, C, T, H, W) in [-1, 1] -> (B, T, H, W, C) uint8, as `pixels` says."""
        return quantize(video, self.pixels)


def _at_least(key: str, number: int, least: int) -> int:
    if number < least:
        raise ValueError(f"protocol.{key}={number}: expected {least} or more")
    return number


def _one_of(key: str, value: Any, literal: Any) -> Any:
    choices = get_args(literal)
    if value not in choices:
        raise ValueError(f"protocol.{key}={value!r}: choose {', '.join(choices)}")
    return value
