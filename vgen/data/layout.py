"""How the videos of a folder are laid out: found by looking, not asked of the user."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from vgen.data.archive import ARCHIVE_SUFFIXES, open_file
from vgen.data.arrays import ARRAY_SUFFIXES, Stored, videos_of
from vgen.data.arrays import list_arrays as list_here
from vgen.data.entry import Entry, Kind, Unreadable, natural, reason, strip_frames
from vgen.data.labels import Found, assign
from vgen.data.listing import File, list_files
from vgen.data.source import Skipped

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".gif", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".flv", ".wmv", ".asf", ".ogv", ".3gp", ".vob", ".y4m"),
)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SAMPLE = 64  # images whose headers decide between strips and frames
LARGEST_LABEL = 1 << 16  # bytes of a WebDataset's label file


@dataclass(frozen=True)
class Layout:
    """The videos at a path, in natural order of their names.

    Attributes:
        top: the folder that the entries' paths are relative to.
        entries: the videos.
        classes: names of the classes; empty if unlabelled.
        refused: what cannot be looked into, and videos that a list names and that are not there.
        origin: what named the classes or chose the videos, where that is not the folders.
    """

    top: Path
    entries: list[Entry]
    classes: list[str]
    refused: list[Skipped]
    origin: str = ""

    def describe(self) -> str:
        """One line: "56 strip images in 4 classes"."""
        counts = Counter(entry.kind for entry in self.entries)
        what = " and ".join(f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in sorted(counts.items()))
        archives = {entry.archive for entry in self.entries if entry.archive}
        if archives:
            what += f" in {len(archives):,} archive{'s' * (len(archives) != 1)}"
        if self.classes:
            what += f" in {len(self.classes)} classes"
        axes = sorted({entry.part.axes for entry in self.entries if entry.part})
        notes = [f"axes {', '.join(axes)}"] * bool(axes) + [self.origin] * bool(self.origin)
        return f"{what} ({'; '.join(notes)})" if notes else what


@dataclass
class _Folder:
    parents: tuple[str, ...]
    archive: str
    videos: list[File] = field(default_factory=list)
    images: list[File] = field(default_factory=list)
    arrays: list[File] = field(default_factory=list)

    @property
    def has_arrays(self) -> bool:
        """Whether its arrays are its videos."""
        return not (self.videos or self.images or self.archive)


def scan(
    root: Path,
    *,
    labels: str = "auto",
    split_file: str | None = None,
    split: str | None = None,
    axes: str = "auto",
    list_arrays: Callable[[Path], list[Stored]] = list_here,
) -> Layout:
    """Find the videos at `root`: a folder, a zip or tar archive, or an array file.

    A video is a video file, a folder of frame images, one strip image, or a part of an array file (`vgen.data.arrays`;
    on disk only). Folders may lie inside each other, and archives anywhere among them: their content counts as
    lying where the archive does. Files of other types and names that begin with a dot are passed over.

    Images are strips if the longer side of most of them is a whole multiple, at least 4, of the shorter one
    (frames side by side, or one below the other); else a folder of images is one video, its frames in natural
    order. The headers of up to 64 images spread over the whole set decide, once for all of it. In a folder
    that holds video files, images are taken for thumbnails and passed over; so are arrays beside either. An archive
    that lies unpacked beside itself is passed over too. In a tar, a name up to its first dot is the key of a
    WebDataset sample: "key.mp4" with "key.cls" beside it, or the frames "key.000.jpg", "key.001.jpg".

    Args:
        labels, split_file, split: `vgen.data.labels.assign`.
        axes: of arrays: "auto", or letters such as "TNHW".
        list_arrays: reads what an array file holds.

    Raises:
        FileNotFoundError: `root`, or a file of labels, does not exist.
        ValueError: `root` holds no video, or it cannot be told what is a class or a split; a file of labels is wrong.
    """
    if not root.exists():
        raise FileNotFoundError(f"data.path: there is no folder {root}")
    top, only = (root, "") if root.is_dir() else (root.parent, root.name)
    if only and not only.lower().endswith((*ARCHIVE_SUFFIXES, *ARRAY_SUFFIXES)):
        raise ValueError(
            f"data.path is a file: {root}. Give the folder that holds the videos, a zip or tar of them, or a file of "
            "arrays (npy, h5)."
        )
    files, refused = list_files(top, only)
    folders = _folders(files)
    _tell_what_is_passed_over(folders)
    strips = _are_strips(top, folders)
    found: list[Found] = []
    for folder in folders:
        if folder.videos:
            found += [_single(file, "video file", only) for file in folder.videos]
        elif folder.images and strips:
            found += [_single(file, "strip image", only) for file in folder.images]
        elif folder.images and not folder.parents:
            loose = "images that are no strips: put the frames of each video into a folder of its own"
            refused.append(Skipped(folder.archive or root.name, f"{len(folder.images)} {loose}"))
        elif folder.images:
            files_of = tuple(file.member for file in folder.images)
            name = _named(folder.archive, folder.parents, only)
            found.append(
                Found(folder.parents[:-1], name, "frame folder", files_of, folder.archive, folder.parents[-1])
            )
        for file in folder.arrays if folder.has_arrays else []:
            found += _parts(top, file, axes, list_arrays, refused)
    if not found:
        raise ValueError(
            f"data.path: no video in {root}. Understood are video files (mp4, avi, mkv, webm, gif, ...), "
            "folders of frame images, strip images, zip and tar archives of them, and arrays (npy, h5)."
            + (f" {refused[0].path}: {refused[0].reason}" if refused else "")
        )
    found.sort(key=lambda video: natural(video.name))
    hints = _sidecars(top, files)
    if hints:
        found = [replace(v, hint=hints.get((v.archive, v.parents, v.stem), v.hint)) for v in found]
    tables = [file for file in files if file.name == "dataset.json"]
    labelling = assign(found, root, tables, labels=labels, split_file=split_file, split=split)
    return Layout(
        top=top,
        entries=[
            Entry(video.name, video.kind, label, video.files, video.archive, video.part)
            for video, label in labelling.videos
        ],
        classes=labelling.classes,
        refused=[*refused, *labelling.missing],
        origin=labelling.origin,
    )


def _named(archive: str, path: tuple[str, ...], only: str) -> str:
    """An archive that is looked at alone is no part of the names in it, so that unpacking it changes none."""
    inside = "/".join(path[archive.count("/") :])
    return inside if not archive or archive == only else f"{archive}/{inside}"


def _single(file: File, kind: Kind, only: str) -> Found:
    name = _named(file.archive, (*file.parents, file.name), only)
    return Found(file.parents, name, kind, (file.member,), file.archive, _stem(file))


def _stem(file: File) -> str:
    """Its name up to the suffix; in a tar, up to the first dot."""
    in_tar = file.archive.lower().endswith(".tar")
    return file.name.split(".", 1)[0] if in_tar else file.name.rsplit(".", 1)[0]


def _folders(files: list[File]) -> list[_Folder]:
    folders: dict[tuple[str, tuple[str, ...]], _Folder] = {}
    for file in files:
        parents = file.parents
        if file.suffix in IMAGE_SUFFIXES and file.archive.lower().endswith(".tar"):
            key, *rest = file.name.split(".")
            parents = (*parents, key) if len(rest) > 1 else parents  # key.000.jpg: a frame of the sample
        folder = folders.setdefault((file.archive, parents), _Folder(parents, file.archive))
        if file.suffix in VIDEO_SUFFIXES:
            folder.videos.append(file)
        elif file.suffix in IMAGE_SUFFIXES:
            folder.images.append(file)
        elif file.suffix in ARRAY_SUFFIXES:
            folder.arrays.append(file)
    return list(folders.values())


def _tell_what_is_passed_over(folders: list[_Folder]) -> None:
    for what, over in (
        (
            "images beside video files",
            [file for folder in folders if folder.videos for file in folder.images],
        ),
        (
            "arrays in archives, or beside videos or images",
            [file for folder in folders if not folder.has_arrays for file in folder.arrays],
        ),
    ):
        if over:
            first = f"{over[0].archive}/{over[0].member}".lstrip("/")
            log.warning("%d %s are passed over, such as %s", len(over), what, first)


def _parts(
    top: Path, file: File, axes: str, list_arrays: Callable[[Path], list[Stored]], refused: list[Skipped]
) -> list[Found]:
    """The videos of an array file, or why there are none."""
    try:
        stored = list_arrays(top / file.member)
        arrays = [
            array for array in stored if len(array.shape) >= 3
        ] or stored  # labels may lie beside the videos
        videos = [video for array in arrays for video in videos_of(top / file.member, array, axes)]
    except (OSError, Unreadable) as error:
        refused.append(Skipped(file.member, reason(error)))
        return []
    return [
        Found(file.parents, file.member + name, "array video", (file.member,), part=part, hint=hint)
        for name, part, hint in videos
    ]


def _sidecars(top: Path, files: list[File]) -> dict[tuple[str, tuple[str, ...], str], str]:
    """Labels of WebDataset samples: the content of "key.cls" by archive, folder and key."""
    labels = {}
    for file in files:
        if file.suffix != ".cls" or not file.archive:
            continue
        try:
            with open_file(top, file.archive, file.member) as opened:
                text = opened.read(LARGEST_LABEL).decode().strip()
        except (OSError, Unreadable, UnicodeDecodeError):
            continue  # the sample then has no label, and the labelling says so
        labels[file.archive, file.parents, _stem(file)] = text
    return labels


def _are_strips(top: Path, folders: list[_Folder]) -> bool:
    images = [file for folder in folders if not folder.videos for file in folder.images]
    readable = strips = 0
    for file in images[:: max(1, -(-len(images) // SAMPLE))]:
        try:
            with open_file(top, file.archive, file.member) as opened, Image.open(opened) as image:
                strips += strip_frames(*image.size) is not None
                readable += 1
        except Exception:  # reading it whole will say what is wrong with it
            continue
    return 2 * strips > readable or readable == 0
