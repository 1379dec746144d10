"""A folder of videos, as it lies there."""

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from vgen.data.cache import default_cache
from vgen.data.entry import Block, Entry, Probe
from vgen.data.fitting import Fitting, as_canvas
from vgen.data.isolation import Decoders
from vgen.data.kept import Kept
from vgen.data.layout import Layout, scan
from vgen.data.pack import VERSION, Pack, open_pack
from vgen.data.packing import Job, write_pack
from vgen.data.resize import Resample, Resize

log = logging.getLogger(__name__)

LISTED = 20  # skipped videos that get a line of their own in the log
PROBED = 64  # videos whose headers tell how much space the set will take


class Decoding(Protocol):
    """What `vgen.data.decode` can, in this process or in others (`vgen.data.isolation`)."""

    def decode(self, root: Path, entry: Entry) -> Iterator[Block]: ...

    def probe(self, root: Path, entry: Entry) -> Probe: ...

    def first_size(self, root: Path, entry: Entry) -> tuple[int, int]: ...


class Videos(Kept):
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
        super().__init__(size=size, fps=fps, stored_fps=stored_fps, min_frames=min_frames)
        self.path = Path(path).expanduser().absolute()
        self.channels = channels
        self.resize: Resize = resize
        self.resample: Resample = resample
        self.canvas = as_canvas(canvas)
        self.fitting = Fitting(size, channels, resize, resample, self.canvas)
        self.crops = self.fitting.crops
        self.labels, self.split_file, self.split, self.axes = labels, split_file, split, axes
        self.strict = strict
        self.cache = default_cache(cache)
        self.name = self.path.name

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

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that pixels depend on."""
        keys = ("size", "channels", "resize", "resample", "canvas")
        return {key: getattr(self, key) for key in keys}

    def prepare(self) -> None:
        pack = open_pack(self._folder, self.key)
        if pack is None:
            log.info("%s: decoding %s into %s", self.path, self.describe(), self._folder)
            with Decoders() as decoders:
                size = self.frame_size(decoders)
                jobs = [self.job(entry, size, decoders) for entry in self.layout.entries]
                estimate = self.estimate(size, decoders)
                pack = write_pack(
                    self._folder, self.key, jobs, frame=(*size, self.channels), estimate=estimate
                )
        self._adopt(pack)
        for skipped in self.skipped[:LISTED]:
            log.warning("skipped %s: %s", skipped.path, skipped.reason)
        if len(self.skipped) > LISTED:
            log.warning("skipped %d more videos of %s", len(self.skipped) - LISTED, self.path)
        self._warn_of_rates()

    def _warn_of_rates(self) -> None:
        if self.uneven and self.wanted_fps is None:
            log.warning(
                "%d videos have frames that stay longer than others, such as %s: fps (clip.fps) goes by the clock",
                *(len(self.uneven), self.uneven[0]),
            )
        if self.slower:
            log.warning(
                "%d videos have less than fps=%g frames per second, such as %s: some of their frames come twice",
                *(len(self.slower), self.wanted_fps, self.slower[0]),
            )

    def setup(self) -> None:
        pack = open_pack(self._folder, self.key)
        if pack is None:
            raise ValueError(
                f"{self.path} has changed or was not prepared: no packed videos in {self._folder}"
            )
        self._adopt(pack)

    def _adopt(self, pack: Pack) -> None:
        self._keep(pack, pack.videos, [*self.layout.refused, *pack.skipped])
        self._check_usable(strict=self.strict)

    def _find_pack(self) -> Pack:
        pack = open_pack(self._folder, self.key)
        if pack is None:
            raise RuntimeError(f"the packed videos in {self._folder} are gone")
        return pack

    @property
    def _folder(self) -> Path:
        return self.cache / f"{self.name}-{self.size or 'native'}-{self.key}"

    @cached_property
    def key(self) -> str:
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

    def job(self, entry: Entry, size: tuple[int, int], decoders: Decoding) -> Job:
        """How a video becomes frames of this size."""
        top = self.layout.top
        return Job(
            name=entry.name,
            label=entry.label,
            probe=lambda: decoders.probe(top, entry),
            frames=lambda: (
                Block(self.fitting(pixels, size), times) for pixels, times in decoders.decode(top, entry)
            ),
        )

    def frame_size(self, decoders: Decoding) -> tuple[int, int]:
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

    def estimate(self, size: tuple[int, int], decoders: Decoding) -> int:
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


def _stamp(path: Path) -> list:
    """What tells that a file has changed."""
    try:
        facts = path.stat()
        return [facts.st_size, facts.st_mtime_ns, os.access(path, os.R_OK)]
    except OSError as error:
        return [error.errno]
