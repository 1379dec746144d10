"""Videos on disk, whatever they are stored in."""

from pathlib import Path

from vgen.data.arrays import axes_of, list_arrays
from vgen.data.entry import Unreadable
from vgen.data.packed import PackedVideos, is_packed
from vgen.data.resize import Resample, Resize
from vgen.data.source import VideoSource
from vgen.data.stacks import Stacks
from vgen.data.storage import is_remote
from vgen.data.videos import Videos


def open_videos(
    path: str | Path,
    *,
    size: int | None,
    channels: int = 3,
    resize: Resize = "crop",
    resample: Resample = "bicubic",
    cache: str | None = None,
    split: str | None = None,
    fps: float | None = None,
    stored_fps: float | None = None,
) -> VideoSource:
    """The videos at `path`, or those of its `split`; nothing is read yet.

    A .npy file, and a folder with .npy files in it, are arrays (`Stacks`); a folder that `vgen prepare` has made is
    `PackedVideos`, and so is what lies at an address (s3://...); all else is `Videos`, also a
    single .npy file of other axes, such as Moving MNIST's.

    Args:
        fps, stored_fps: as of `vgen.data.videos.Videos`; arrays of `Stacks` are read as they are.

    Raises:
        FileNotFoundError, ValueError: no such split; `fps` of `Stacks`; a packed dataset whose frames were resized in
            another way.
    """
    if is_remote(str(path)) or is_packed(Path(path).expanduser()):
        source = PackedVideos(
            path=str(path), size=size, channels=channels, split=split, fps=fps, stored_fps=stored_fps
        )
        for key, wanted in (("resize", resize), ("resample", resample)):
            if source.settings.get(key) != wanted:
                own = source.settings.get(key)
                raise ValueError(
                    f"{path} was packed with {key}={own}, and {wanted} is asked for: give the raw videos"
                )
        return source
    path = split_folder(path, split)
    stacks = (path.is_dir() and any(path.glob("*.npy"))) or (
        path.suffix.lower() == ".npy" and not _other_axes(path)
    )
    if stacks and fps is not None:
        raise ValueError(
            f"{path}: arrays say no frame rate, and clips at {fps:g} frames per second are asked for"
        )
    if stacks:
        return Stacks(path=str(path), size=size, channels=channels, resize=resize, resample=resample)
    return Videos(
        path=str(path),
        size=size,
        channels=channels,
        resize=resize,
        resample=resample,
        cache=cache,
        fps=fps,
        stored_fps=stored_fps,
    )


def _other_axes(file: Path) -> bool:
    """Whether an array is videos, but not (..., T, H, W, C)."""
    try:
        return not axes_of(list_arrays(file)[0]).endswith("THWC")
    except (OSError, Unreadable):
        return False


def split_folder(path: str | Path, split: str | None) -> Path:
    """The folder `split` in `path`; `path` itself without a split.

    Raises:
        FileNotFoundError: no folder `path`.
        ValueError: no folder of that name in it; says which there are.
    """
    folder = Path(path).expanduser()
    if split is None:
        return folder
    if not folder.is_dir():
        raise FileNotFoundError(f"protocol.split={split}: there is no folder {folder}")
    if split in ("", "..") or Path(split).name != split or not (folder / split).is_dir():
        names = sorted(item.name for item in folder.iterdir() if item.is_dir())
        there = f"it has {', '.join(names[:10])}{', ...' * (len(names) > 10)}" if names else "it has none"
        raise ValueError(f"protocol.split={split}: no such folder in {folder}; {there}")
    return folder / split
