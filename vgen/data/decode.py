"""One video on disk -> RGB frames, or the reason why not."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from vgen.data import arrays, movie, pictures
from vgen.data.entry import Block, Entry, Probe, untimed


def decode(root: Path, entry: Entry) -> Generator[Block, None, None]:
    """The frames of a video in order, in blocks; H and W may change between blocks.

    Colours follow the matrix and range that the file declares (BT.601, limited, where it declares none);
    rotation is applied; pixels are taken to be square. A video file is refused whole if its container declares more
    bytes than there are (`vgen.data.whole`), if the decoder reports an error or marks a frame as corrupt, or if it
    ends more than a tenth short of both the frames and the duration that its headers declare (of the one they
    declare, if only one).

    Raises:
        Unreadable: the video is damaged or empty.
        OSError: it cannot be opened, or is nothing that FFmpeg or Pillow knows.
    """
    match entry.kind:
        case "video file":
            yield from movie.decode(root, entry)
        case "array video":
            yield from arrays.decode(root / entry.files[0], entry)
        case "frame folder":
            for name in entry.files:
                yield untimed(pictures.read_picture(root, entry.archive, name)[None])
        case "strip image":
            yield untimed(pictures.read_strip(root, entry.archive, entry.files[0]))


def probe(root: Path, entry: Entry) -> Probe:
    """Read the headers only. Raises what `decode` raises."""
    match entry.kind:
        case "video file":
            return movie.probe(root, entry)
        case "array video":
            return arrays.probe(root / entry.files[0], entry)
        case _:
            return pictures.probe(root, entry)


def first_size(root: Path, entry: Entry) -> tuple[int, int]:
    """Height and width of the first frame, as `decode` gives it. Raises what `decode` raises."""
    with closing(decode(root, entry)) as blocks:
        height, width = next(blocks).pixels.shape[1:3]
        return height, width
