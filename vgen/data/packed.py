"""A packed dataset on disk (`vgen.data.pack` says what lies in it) as a source of clips."""

import json
import logging
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any

from vgen.data.cache import default_cache
from vgen.data.fitting import Fitting, as_canvas
from vgen.data.kept import Kept
from vgen.data.pack import FORMAT, Pack
from vgen.data.storage import INDEX, absolute, is_remote, read_index

log = logging.getLogger(__name__)


class PackedVideos(Kept):
    """What `vgen prepare` has packed: the clips, bit for bit, that `data=videos` makes of the same files.

    Args:
        path: its folder, or an address that fsspec knows: s3://bucket/folder, https://..., memory://...; what is
            read of it is kept on this machine's disk, by blocks.
        size, channels: what it must have been packed at; None takes what there is.
        split: use the videos of this split only ("train"); None: all.
        fps, stored_fps: as of `vgen.data.videos.Videos`.
        cache: folder for the blocks; default `$VGEN_CACHE`, else ~/.cache/vgen/clips.
        mixed_shards: None shuffles all videos of a pass together, so that clips come from everywhere at once. A number
            shuffles the shards and then the videos of so many shards at a time. Each video still comes once per pass,
            and the order is still that of any number of processes; but clips of a batch are less independent. Shards
            follow the order of the files, so a few of them may hold few of the classes.
        min_frames: shorter videos are skipped; may be set until `prepare`.

    Raises:
        FileNotFoundError: no packed dataset there (on first use).
        ValueError: packed at another size, no such split, damaged, or no video left (on first use).
    """

    def __init__(
        self,
        *,
        path: str,
        size: int | None = None,
        channels: int | None = None,
        split: str | None = None,
        fps: float | None = None,
        stored_fps: float | None = None,
        cache: str | None = None,
        mixed_shards: int | None = None,
        min_frames: int = 1,
    ) -> None:
        super().__init__(size=size, fps=fps, stored_fps=stored_fps, min_frames=min_frames)
        if mixed_shards is not None and mixed_shards < 1:
            raise ValueError(f"data.mixed_shards is {mixed_shards}: it must be at least 1")
        self.path = absolute(path)
        self.cache, self.mixed_shards = default_cache(cache), mixed_shards
        self.channels = channels
        self.split = split
        self.name = Path(self.path).name

    @cached_property
    def index(self) -> dict[str, Any]:
        """What the dataset's `dataset.json` says."""
        try:
            return read_index(self.path)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"data.path: {self.path} is no packed dataset (no {INDEX} in it): make one with vgen "
                "prepare, or read it with data=videos"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path}/{INDEX} is damaged: {error}") from error

    @property
    def classes(self) -> list[str]:
        return list(self.index["classes"])

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `data=videos` with which it was made."""
        return self.index["settings"]

    @property
    def resize(self) -> str:
        """How the videos were brought to their size."""
        return self.settings["resize"]

    @property
    def resample(self) -> str:
        return self.settings["resample"]

    def describe(self) -> str:
        """What is there, in one line: "56 packed videos in 4 classes"."""
        what = f"{len(self.index['videos']):,} packed videos"
        return f"{what} in {len(self.classes)} classes" if self.classes else what

    def prepare(self) -> None:
        """Nothing to do but to see that it is there."""
        self.setup()

    def setup(self) -> None:
        pack = self._open()
        self._check_frames(pack)
        videos = [video for video in pack.videos if self.split in (None, video.split)]
        if not videos:
            splits = sorted({video.split for video in pack.videos if video.split})
            there = f"it has {', '.join(splits)}" if splits else "it has none"
            raise ValueError(f"data.split={self.split}: no such split in {self.path}; {there}")
        counts = Counter(video.split for video in videos)
        if len(counts) > 1:
            there = ", ".join(
                f"{split or 'none'} {count:,}" for split, count in sorted(counts.items(), key=str)
            )
            log.info("%s: videos of all splits are read (%s); data.split chooses one", self.path, there)
        self._keep(pack, videos, pack.skipped)
        self._check_usable()

    def _check_frames(self, pack: Pack) -> None:
        height, width, channels = pack.frame
        packed = self.settings["size"] or (height if height == width else None)
        if self.size not in (None, packed):
            at = f"{packed}: set clip.size={packed}, or" if packed else f"{width}x{height}:"
            raise ValueError(f"{self.path} is packed at {at} prepare it at {self.size}")
        if self.channels not in (None, channels):
            raise ValueError(
                f"{self.path} is packed with {channels} channels: set clip.channels={channels}, or prepare it again"
            )
        if self.settings.get("canvas") is not None:
            self.size = self.settings["size"]
            self.crops = Fitting(**{**self.settings, "canvas": as_canvas(self.settings["canvas"])}).crops

    def _find_pack(self) -> Pack:
        return Pack(self.path, self.index, self.cache)

    @property
    def remote(self) -> bool:
        """Whether reading waits for a network."""
        return is_remote(self.path)

    @property
    def shards(self) -> list[int]:
        """Which shard every video lies in."""
        return [video.shard for video in self._videos]


def is_packed(folder: Path) -> bool:
    """Whether a packed dataset lies in a folder. Other programs have files of that name too."""
    try:
        index = read_index(str(folder))
    except (OSError, ValueError):
        return False
    return isinstance(index, dict) and index.get("format") == FORMAT
