"""Video files, decoded by FFmpeg.

By PyAV, whose wheels bring their FFmpeg along. torchcodec was tried (0.14 to 0.17 from PyPI): these wheels need a CUDA
build of torch to be imported at all. What it is faster at is seeking, and here every file is read once, from its
beginning to its end.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from vgen.data.archive import open_file
from vgen.data.entry import Block, Entry, Probe, Unreadable
from vgen.data.whole import check_whole

# Containers that hold pictures themselves. Left out: playlists and descriptions (hls, concat, sdp, ...),
# which a text file can pretend to be and which make FFmpeg open other files or the network.
DEMUXERS = (
    "mov,matroska,webm,avi,gif,mpegts,mpeg,mpegvideo,m4v,flv,live_flv,asf,ogg,h264,hevc,ivf,obu,yuv4mpegpipe,"
    "nut,mxf,mjpeg,dv,rm"
)
# Interpolated chroma, and the same RGB on every processor: by default swscale repeats chroma samples (3 dB worse
# on 4:2:0 video) and rounds as its fastest code path does.
TO_RGB = (
    Interpolation.BILINEAR
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
)
SHORTFALL = 0.1  # of the declared length: container headers are honest, not exact
LARGEST = 8192 * 8192  # pixels of a frame; a header that declares more is not believed
BLOCK = 4 << 20  # bytes of the frames that are handed on together
READ = 1 << 18  # bytes of a member of an archive that FFmpeg asks for at a time
# Codecs that keep every bit of a picture, and the pixels that RGB passes through unchanged: YUV rounds, 4:2:0 blurs.
LOSSLESS = (
    *(
        "apng",
        "bmp",
        "ffv1",
        "ffvhuff",
        "huffyuv",
        "lagarith",
        "magicyuv",
        "png",
        "qtrle",
        "rawvideo",
        "tiff",
    ),
    *("utvideo", "zlib"),
)
EXACT = ("rgb", "bgr", "gbr", "0rgb", "0bgr", "argb", "abgr", "gray", "mono")
CAN_BE_LOSSLESS = ("av1", "h264", "hevc", "vp9", "webp", "jpeg2000", "jpegls")  # no header says whether it is


def decode(root: Path, entry: Entry) -> Generator[Block, None, None]:
    """The frames of a video file. See `vgen.data.decode.decode`."""
    waiting: list[np.ndarray] = []
    times: list[float] = []
    count, end, to_rgb = 0, 0.0, VideoReformatter()
    with _opened(root, entry) as container:
        stream = _video_stream(container)
        period = float(1 / (stream.average_rate or stream.guessed_rate or Fraction(25)))
        try:
            for frame in _frames(container, stream):
                if frame.is_corrupt:
                    raise Unreadable(f"frame {count} is damaged")
                rgb = _upright_rgb(frame, to_rgb)
                if waiting and (rgb.shape != waiting[0].shape or len(waiting) * rgb.size >= BLOCK):
                    yield Block(np.stack(waiting), np.array(times))
                    waiting, times = [], []
                waiting.append(rgb)
                times.append(float("nan") if frame.time is None else frame.time)
                if frame.time is not None:
                    lasts = _seconds(frame.duration, frame.time_base) or period
                    end = max(end, frame.time + lasts)
                count += 1
        except FFmpegError as error:
            raise Unreadable(f"decoding stops after {count} frames: {error.strerror}") from error
        if waiting:
            yield Block(np.stack(waiting), np.array(times))
        check_complete(container, stream, count, end)


def probe(root: Path, entry: Entry) -> Probe:
    """What the headers of a video file say."""
    with _opened(root, entry) as container:
        stream = _video_stream(container)
        rate = stream.average_rate or stream.guessed_rate
        seconds = _declared_seconds(container, stream)
        frames = stream.frames or (round(seconds * rate) if seconds and rate else None)
        size = stream.codec_context.width, stream.codec_context.height
        return Probe(frames, float(rate) if rate else None, size, _lossy(stream))


class _Source:
    """What FFmpeg reads a member of an archive by."""

    def __init__(self, file: BinaryIO):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


@contextmanager
def _opened(root: Path, entry: Entry) -> Iterator[InputContainer]:
    name = entry.files[0]
    only = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    with open_file(root, entry.archive, name) as file:
        check_whole(file)
        # "file:" keeps FFmpeg from reading a protocol into the name; titles need not be UTF-8.
        source = _Source(file) if entry.archive else f"file:{root / name}"
        try:
            container = av.open(source, "r", options=only, metadata_errors="replace", buffer_size=READ)
        except ArgumentError as error:
            raise Unreadable("no container of videos") from error
        with container:
            yield container


def _video_stream(container: InputContainer) -> VideoStream:
    cover = Disposition.attached_pic  # such as that of a song
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        raise Unreadable("it holds no video stream")
    stream = streams[0]
    if stream.codec_context is None:
        raise Unreadable("there is no decoder for it")
    _check_size(stream.codec_context.width, stream.codec_context.height)
    return stream


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    context = stream.codec_context
    context.thread_count = 1  # videos are decoded side by side, and errors stay in place
    context.options = {"max_pixels": str(LARGEST)}
    return container.decode(stream)


def _check_size(width: int, height: int) -> None:
    if width * height > LARGEST:
        raise Unreadable(f"it declares frames of {width}x{height} pixels, more than {LARGEST:,}")


def _upright_rgb(frame: VideoFrame, to_rgb: VideoReformatter) -> np.ndarray:
    """(H, W, 3) uint8."""
    _check_size(frame.width, frame.height)
    rgb = to_rgb.reformat(frame, format="rgb24", interpolation=TO_RGB, threads=1).to_ndarray()
    return np.rot90(rgb, round(frame.rotation / 90))


def _lossy(stream: VideoStream) -> bool | None:
    codec, pixels = stream.codec_context.codec.canonical_name, stream.codec_context.pix_fmt or ""
    if codec in CAN_BE_LOSSLESS and pixels.startswith((*EXACT, "yuv444", "yuvj444")):
        return None
    return not (codec in LOSSLESS and pixels.startswith(EXACT))


def check_complete(container: InputContainer, stream: VideoStream, count: int, end: float) -> None:
    """Raise Unreadable if `count` frames that end at `end` seconds are not what the headers declare."""
    if count == 0:
        raise Unreadable("it holds no frame")
    # Edit lists of mp4 hide frames that its header counts, and a header's duration may be that of another
    # stream: so where both are declared, both must be missed.
    least = 1 - SHORTFALL
    few = count < least * stream.frames if stream.frames else None
    seconds = _declared_seconds(container, stream)
    early = None
    if seconds:
        # A stream's own duration counts from its first frame, the others from zero.
        start = _seconds(stream.start_time, stream.time_base) if stream.duration is not None else 0.0
        early = end - start < least * seconds
    verdicts = [verdict for verdict in (few, early) if verdict is not None]
    if verdicts and all(verdicts):
        declared = f"{stream.frames} frames" if stream.frames else f"{seconds:.2f} s"
        raise Unreadable(f"it ends after {count} frames ({end:.2f} s), but declares {declared}: truncated")


def _seconds(ticks: int | None, base: Fraction | None) -> float:
    return float(ticks * base) if ticks is not None and base is not None else 0.0


def _declared_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """Length of the video stream as its headers declare it; None if they do not say."""
    if stream.duration is not None:
        return _seconds(stream.duration, stream.time_base)
    tag = stream.metadata.get("DURATION")  # Matroska: hours:minutes:seconds
    if tag is not None:
        try:
            hours, minutes, seconds = (float(part) for part in tag.split(":"))
            return 3600 * hours + 60 * minutes + seconds
        except ValueError:
            return None
    alone = len(container.streams) == 1  # else the container's length may be that of the sound
    return container.duration / av.time_base if alone and container.duration else None
