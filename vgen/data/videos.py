"""A folder of videos, as it lies there."""

import hashlib
import json
import logging
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np

from vgen.data.entry import Block, Entry
from vgen.data.fitting import Fitting, as_canvas
from vgen.data.isolation import Decoders
from vgen.data.layout import Layout, scan
from vgen.data.packed import VERSION, Job, Pack, Packed, open_pack, write_pack
from vgen.data.resize import Resample, Resize
from vgen.data.retime import frames_at, is_even
from vgen.data.source import Skipped

log = logging.getLogger(__name__)

LISTED = 20  # skipped videos that get a line of their own in the log
PROBED = 64  # videos whose headers tell how much space the set will take
SLOWER = 0.99  # of the wanted rate: a video of less has frames that come twice


class Videos:
    """Video files, folders of frame images, strip images or arrays, decoded once and read from a memory map.

    What is a video and what is a class is found by looking: see `vgen.data.layout.scan`. `prepare` decodes
    every video (`vgen.data.decode`), resizes it (`vgen.data.resize`) and packs it into the cache; another run
    finds it there unless a file, or an argument that changes pixels, has changed. A video that cannot be read
    whole, or is too short, is skipped and listed, in the log and in `skipped`.

    Args:
        path: folder of the videos; or a zip or tar of them, or an array file.
        size: frame height and width in pixels. None takes videos as they are stored, square or not: the size that
            most of them have; others are skipped.
        channels: 3, or 1 for grey.
        resize: "crop" brings the short side to `size` and cuts out the centre; "squash" brings both there; "letterbox"
            brings the long side there, between black bars.
        resample: how (`vgen.data.resize`).
        canvas: [height, width] that frames are brought to instead. A training clip is then cut out of it, size x size,
            at a place drawn anew for each clip; everybody else gets the centre.
        labels, split_file, split: where classes come from and which videos are used (`vgen.data.labels.assign`).
        axes: of arrays, such as "TNHW" (`vgen.data.arrays`).
        fps: frames per second; of each video the frames nearest to 0, 1/fps, 2/fps, ... (`vgen.data.retime`).
            Frame numbers, lengths and `times` are then in frames of that rate. None: every frame, whatever the rate.
        stored_fps: frames per second of frame folders, strips and arrays, which do not say it.
        strict: raise where a video would be skipped.
        cache: folder for the packed videos; default `$VGEN_CACHE`, else ~/.cache/vgen/clips.
        min_frames: shorter videos are skipped; may be set until `prepare`.

    Attributes:
        crops: how many places a cut can have: (1 + rows, 1 + columns that are left); None without `canvas`.

    Raises:
        FileNotFoundError: no such folder (on first use).
        ValueError: an argument out of range; on first use, a layout that is not understood; in `prepare` and
            `setup`, no video left, or one skipped under `strict`.
    """

    def __init__(
        self,
        *,
        path: str,
        size: int | None,
        channels: int = 3,
        resize: Resize = "crop",
        resample: Resample = "bicubic",
        canvas: list[int] | None = None,
        labels: str = "auto",
        split_file: str | None = None,
        split: str | None = None,
        axes: str = "auto",
        fps: float | None = None,
        stored_fps: float | None = None,
        strict: bool = False,
        cache: str | None = None,
        min_frames: int = 1,
    ):
        for name, rate in (("fps", fps), ("stored_fps", stored_fps)):
            if rate is not None and not 0 < rate < 1000:
                raise ValueError(f"data.{name} is {rate}: it must be above 0 and below 1000")
        self.path = Path(path).expanduser().absolute()
        self.size = size
        self.channels = channels
        self.resize: Resize = resize
        self.resample: Resample = resample
        self.canvas = as_canvas(canvas)
        self.fitting = Fitting(size, channels, resize, resample, self.canvas)
        self.crops = self.fitting.crops
        self.labels, self.split_file, self.split, self.axes = labels, split_file, split, axes
        self.wanted_fps, self.stored_fps = fps, stored_fps
        self.strict = strict
        self.cache = (
            Path(cache or os.environ.get("VGEN_CACHE") or "~/.cache/vgen/clips").expanduser().absolute()
        )
        self.min_frames = min_frames
        self.name = self.path.name
        self.skipped: list[Skipped] = []
        self._pack: Pack | None = None
        self._kept: list[Packed] | None = None
        self._frames: list[np.ndarray] | None = None  # of each kept video, at `fps`: its frame numbers

    @cached_property
    def layout(self) -> Layout:
        with Decoders() as decoders:
            return scan(
                self.path,
                labels=self.labels,
                split_file=self.split_file,
                split=self.split,
                axes=self.axes,
                list_arrays=decoders.list_arrays,
            )

    @property
    def classes(self) -> list[str]:
        return list(self.layout.classes)

    def describe(self) -> str:
        """What was found, in one line: "56 strip images in 4 classes"."""
        return self.layout.describe()

    def prepare(self) -> None:
        pack = open_pack(self._folder, self._key)
        if pack is None:
            log.info("%s: decoding %s into %s", self.path, self.describe(), self._folder)
            with Decoders() as decoders:
                size = self._frame(decoders)
                jobs = [self._job(entry, size, decoders) for entry in self.layout.entries]
                estimate = self._estimate(size, decoders)
                pack = write_pack(
                    self._folder, self._key, jobs, frame=(*size, self.channels), estimate=estimate
                )
        self._adopt(pack)
        for skipped in self.skipped[:LISTED]:
            log.warning("skipped %s: %s", skipped.path, skipped.reason)
        if len(self.skipped) > LISTED:
            log.warning("skipped %d more videos of %s", len(self.skipped) - LISTED, self.path)
        self._warn_of_rates(pack)

    def _warn_of_rates(self, pack: Pack) -> None:
        uneven = [v.name for v in self._videos if not is_even(pack.times[v.start : v.start + v.frames])]
        if uneven and self.wanted_fps is None:
            log.warning(
                "%d videos have frames that stay longer than others, such as %s: fps (clip.fps) goes by the clock",
                *(len(uneven), uneven[0]),
            )
        slower = [v.name for v in self._videos if v.fps and v.fps < SLOWER * (self.wanted_fps or 0)]
        if slower:
            log.warning(
                "%d videos have less than fps=%g frames per second, such as %s: some of their frames come twice",
                *(len(slower), self.wanted_fps, slower[0]),
            )

    def setup(self) -> None:
        pack = open_pack(self._folder, self._key)
        if pack is None:
            raise ValueError(
                f"{self.path} has changed or was not prepared: no packed videos in {self._folder}"
            )
        self._adopt(pack)

    def __len__(self) -> int:
        return len(self._videos)

    def length(self, i: int) -> int:
        return self._videos[i].frames if self._frames is None else len(self._frames[i])

    def label(self, i: int) -> int | None:
        return self._videos[i].label

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        if self.crops is None:
            return self._stored(i, indices)
        top, left = ((places - 1) // 2 for places in self.crops)
        return self.read_at(i, indices, top, left)

    def read_at(self, i: int, indices: np.ndarray, top: int, left: int) -> np.ndarray:
        """As `read`, but the frames are cut out of the canvas at row `top` and column `left`."""
        if self.crops is None or self.size is None:
            raise ValueError("without data.canvas there is nothing to cut out of")
        rows, columns = slice(top, top + self.size), slice(left, left + self.size)
        return np.ascontiguousarray(self._stored(i, indices)[:, rows, columns])

    def _stored(self, i: int, indices: np.ndarray) -> np.ndarray:
        video, indices = self._videos[i], np.asarray(indices)
        length = self.length(i)
        if indices.size and (indices.min() < 0 or indices.max() >= length):
            raise IndexError(f"frames {indices.min()}..{indices.max()} of {video.name}, which has {length}")
        if self._frames is not None:
            indices = self._frames[i][indices]
        return self._open().frames[video.start + indices]

    @property
    def fps(self) -> float | None:
        rates = [rate for rate in self.rates if rate is not None]
        return median(rates) if rates else None

    @property
    def names(self) -> list[str]:
        """Path of every video, relative to the top."""
        return [video.name for video in self._videos]

    @property
    def rates(self) -> list[float | None]:
        """Frames per second of every video as it is read, None where nothing says it."""
        return [self.wanted_fps or video.fps or self.stored_fps for video in self._videos]

    @property
    def lossy(self) -> bool | None:
        """Whether storing them has changed the pictures of some; None if no one can tell."""
        known = {video.lossy for video in self._videos}
        return True if True in known else None if None in known else False

    @property
    def stored_sizes(self) -> str:
        """Width and height before resizing, the most frequent first: "320x240" or "320x240, 64x64, 4 more"."""
        sizes = [size for size, _ in Counter(video.stored for video in self._videos).most_common()]
        return ", ".join(sizes[:3] + [f"{len(sizes) - 3} more"] * (len(sizes) > 3))

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        videos = [(video.hash, video.frames, video.label) for video in self._videos]
        facts: list = [self.size, self.channels, self.resize, self.classes, videos]
        if self.canvas is not None:
            facts.append(["canvas", *self.canvas])
        if self._frames is not None:
            facts.append(["fps", self.wanted_fps, [_digest(frames) for frames in self._frames]])
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).hexdigest()

    def _adopt(self, pack: Pack) -> None:
        self._pack = pack
        self.skipped = [*self.layout.refused, *pack.skipped]
        self._kept, frames = [], []
        for video in pack.videos:
            try:
                numbers = self._numbers(video, pack)
            except ValueError as error:
                self.skipped.append(Skipped(video.name, str(error)))
                continue
            length = video.frames if numbers is None else len(numbers)
            if length < self.min_frames:
                self.skipped.append(Skipped(video.name, f"{length} frames, {self.min_frames} needed"))
                continue
            self._kept.append(video)
            frames.append(numbers)
        self._frames = None if self.wanted_fps is None else frames
        self.__dict__.pop("_fingerprint", None)
        if not self._videos or (self.strict and self.skipped):
            first, more = self.skipped[0], len(self.skipped) - 1
            others = f" (and {more} more)" if more else ""
            what = "data.strict" if self._videos else f"data.path: no usable video in {self.path}"
            raise ValueError(f"{what}: {first.path}: {first.reason}{others}")

    def _numbers(self, video: Packed, pack: Pack) -> np.ndarray | None:
        """The frames of a video at `fps`. ValueError, saying why, if it cannot be told which they are."""
        if self.wanted_fps is None:
            return None
        times = pack.times[video.start : video.start + video.frames]
        if video.fps is None:
            if self.stored_fps is None:
                raise ValueError("its frame rate is not known: say data.stored_fps, or leave out clip.fps")
            times = np.arange(video.frames) / self.stored_fps
        return frames_at(times, self.wanted_fps)

    @property
    def _videos(self) -> list[Packed]:
        if self._kept is None:
            raise RuntimeError(f"{self.path}: prepare() and setup() come first")
        return self._kept

    def _open(self) -> Pack:
        if self._pack is None:  # in a spawned worker, where the map did not come along
            self._pack = open_pack(self._folder, self._key)
            if self._pack is None:
                raise RuntimeError(f"the packed videos in {self._folder} are gone")
        return self._pack

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pack": None}

    @property
    def _folder(self) -> Path:
        return self.cache / f"{self.name}-{self.size or 'native'}-{self._key}"

    @cached_property
    def _key(self) -> str:
        """Hash of everything that the packed pixels follow from."""
        settings = [VERSION, self.size, self.channels, self.resize, self.resample, self.canvas]
        digest = hashlib.blake2b(json.dumps(settings).encode(), digest_size=8)
        archives: dict[str, list] = {}
        for entry in self.layout.entries:
            facts: list = [entry.kind, entry.label, entry.name]
            if entry.archive:
                if entry.archive not in archives:
                    archives[entry.archive] = _stamp(self.layout.top / entry.archive)
                facts += [archives[entry.archive], entry.files]
            elif entry.part:
                part = entry.part
                facts += [part.dataset, part.axes, part.start, part.stop]
            if not entry.archive:
                facts += [[file, *_stamp(self.layout.top / file)] for file in entry.files]
            digest.update(json.dumps(facts).encode())
        return digest.hexdigest()

    def _job(self, entry: Entry, size: tuple[int, int], decoders: Decoders) -> Job:
        top = self.layout.top
        return Job(
            name=entry.name,
            label=entry.label,
            probe=lambda: decoders.probe(top, entry),
            frames=lambda: (
                Block(self.fitting(pixels, size), times) for pixels, times in decoders.decode(top, entry)
            ),
        )

    def _frame(self, decoders: Decoders) -> tuple[int, int]:
        """Height and width of what is packed: as wanted, else what most videos have, by their first frames."""
        if self.fitting.frame is not None:
            return self.fitting.frame

        def first(entry: Entry) -> tuple[int, int] | None:
            try:
                return decoders.first_size(self.layout.top, entry)
            except Exception:  # decoding will say what is wrong with it
                return None

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            sizes = Counter(size for size in pool.map(first, self.layout.entries) if size is not None)
        return sizes.most_common(1)[0][0] if sizes else (1, 1)

    def _estimate(self, size: tuple[int, int], decoders: Decoders) -> int:
        """Bytes that the packed frames will take, from the headers of a sample of the videos."""
        entries = self.layout.entries
        sample = entries[:: max(1, -(-len(entries) // PROBED))]
        counts = []
        for entry in sample:
            try:
                counts.append(decoders.probe(self.layout.top, entry).frames or 0)
            except Exception:  # decoding will say what is wrong with it
                continue
        typical = median(counts) if counts else 0  # a damaged header may declare anything
        return round(typical * len(entries) * size[0] * size[1] * self.channels)


def _digest(frames: np.ndarray) -> str:
    return hashlib.blake2b(frames.astype("<i8").tobytes(), digest_size=8).hexdigest()


def _stamp(path: Path) -> list:
    """What tells that a file has changed."""
    try:
        facts = path.stat()
        return [facts.st_size, facts.st_mtime_ns, os.access(path, os.R_OK)]
    except OSError as error:
        return [error.errno]
