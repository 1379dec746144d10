"""One video on disk -> RGB frames, or the reason why not."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePath

import av
import numpy as np
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from vgen.data.layout import Entry, require_file, strip_frames

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
LOSSY_IMAGES, EXACT_IMAGES = (".jpg", ".jpeg", ".gif"), (".png", ".bmp", ".ppm", ".pgm")


class Unreadable(Exception):
    """This video cannot be used; the message says why."""


@dataclass(frozen=True)
class Probe:
    """What the headers declare: number of frames and frame rate, None where they do not say; the size (W, H).

    `lossy` says whether storing the pictures has changed them; None where the format can do either.
    """

    frames: int | None
    fps: float | None
    size: tuple[int, int]
    lossy: bool | None


def decode(root: Path, entry: Entry) -> Generator[np.ndarray, None, None]:
    """The frames of a video in order, in blocks (n, H, W, 3) uint8; H and W may change between blocks.

    Colours follow the matrix and range that the file declares (BT.601, limited, where it declares none);
    rotation is applied; pixels are taken to be square. A video file is refused whole if the decoder reports
    an error or marks a frame as corrupt, or if it ends more than a tenth short of both the frames and the
    duration that its container declares (of the one it declares, if only one).

    Raises:
        Unreadable: the video is damaged or empty.
        OSError: it cannot be opened, or is nothing that FFmpeg or Pillow knows.
    """
    paths = [root / file for file in entry.files]
    for path in paths:
        require_file(path)
    match entry.kind:
        case "video file":
            yield from _video_file(paths[0])
        case "frame folder":
            yield from (_image(path)[None] for path in paths)
        case "strip image":
            yield _strip(paths[0])


def probe(root: Path, entry: Entry) -> Probe:
    """Read the headers only. Raises what `decode` raises."""
    path = root / entry.files[0]
    require_file(path)
    match entry.kind:
        case "video file":
            with _open(path) as container:
                stream = _video_stream(container)
                rate = stream.average_rate or stream.guessed_rate
                seconds = _declared_seconds(container, stream)
                frames = stream.frames or (round(seconds * rate) if seconds and rate else None)
                size = stream.codec_context.width, stream.codec_context.height
                return Probe(frames, float(rate) if rate else None, size, _lossy_stream(stream))
        case "frame folder":
            with Image.open(path) as image:
                lossy = _lossy_image(entry.files[0])
                return Probe(len(entry.files), None, image.size, lossy)
        case "strip image":
            with Image.open(path) as image:
                side = min(image.size)
                return Probe(strip_frames(*image.size), None, (side, side), _lossy_image(entry.files[0]))


def first_size(root: Path, entry: Entry) -> tuple[int, int]:
    """Height and width of the first frame, as `decode` gives it. Raises what `decode` raises."""
    with closing(decode(root, entry)) as blocks:
        return next(blocks).shape[1:3]


def _lossy_stream(stream: VideoStream) -> bool | None:
    codec, pixels = stream.codec_context.codec.canonical_name, stream.codec_context.pix_fmt or ""
    if codec in CAN_BE_LOSSLESS and pixels.startswith((*EXACT, "yuv444", "yuvj444")):
        return None
    return not (codec in LOSSLESS and pixels.startswith(EXACT))


def _lossy_image(name: str) -> bool | None:
    suffix = PurePath(name).suffix.lower()
    return {**dict.fromkeys(LOSSY_IMAGES, True), **dict.fromkeys(EXACT_IMAGES, False)}.get(suffix)


def _open(path: Path) -> InputContainer:
    only = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    try:
        # "file:" keeps FFmpeg from reading a protocol into the name; titles need not be UTF-8.
        return av.open(f"file:{path}", options=only, metadata_errors="replace")
    except ArgumentError as error:
        raise Unreadable("no container of videos") from error


def _video_stream(container: InputContainer) -> VideoStream:
    cover = Disposition.attached_pic  # such as that of a song
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        raise Unreadable("it holds no video stream")
    return streams[0]


def _video_file(path: Path) -> Generator[np.ndarray, None, None]:
    to_rgb, count, end = VideoReformatter(), 0, 0.0
    with _open(path) as container:
        stream = _video_stream(container)
        if stream.codec_context is None:
            raise Unreadable("there is no decoder for it")
        stream.codec_context.thread_count = 1  # videos are decoded side by side, and errors stay in place
        period = float(1 / (stream.average_rate or stream.guessed_rate or Fraction(25)))
        try:
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise Unreadable(f"frame {count} is damaged")
                rgb = to_rgb.reformat(frame, format="rgb24", interpolation=TO_RGB, threads=1).to_ndarray()
                if frame.time is not None:
                    lasts = _seconds(frame.duration, frame.time_base) or period
                    end = max(end, frame.time + lasts)
                count += 1
                yield np.rot90(rgb, round(frame.rotation / 90))[None]
        except FFmpegError as error:
            raise Unreadable(f"decoding stops after {count} frames: {error.strerror}") from error
        _check_complete(container, stream, count, end)


def _check_complete(container: InputContainer, stream: VideoStream, count: int, end: float) -> None:
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


def _image(path: Path) -> np.ndarray:
    """(H, W, 3) uint8."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I"):  # 16 bits; Pillow would clip at 255
                grey = (np.asarray(image, dtype=np.int64).clip(0, 65535) // 257).astype(np.uint8)
                return np.repeat(grey[:, :, None], 3, axis=2)
            return np.array(image.convert("RGB"))
    except Exception as error:  # Pillow's plugins raise OSError, SyntaxError, struct.error, ...
        reason = getattr(error, "strerror", None) or str(error).split(" '")[0] or type(error).__name__
        raise Unreadable(f"{path.name}: {reason}") from error


def _strip(path: Path) -> np.ndarray:
    """(n, side, side, 3) uint8."""
    pixels = _image(path)
    height, width, channels = pixels.shape
    count = strip_frames(width, height)
    if count is None:
        raise Unreadable(f"{width}x{height} pixels are no strip of at least 4 square frames")
    if height > width:
        return pixels.reshape(count, width, width, channels)
    return np.ascontiguousarray(pixels.reshape(height, count, height, channels).swapaxes(0, 1))
