"""Clips -> files people look at: mp4, gif, a png strip, npy; and many clips -> one tiled clip.

Every writer takes pixels (T, H, W, C) uint8, a numpy array or a tensor, C 1 (grey) or 3 (RGB), makes missing
folders, and leaves either the whole file or none.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from os import PathLike
from pathlib import Path

import av
import numpy as np
import torch
from av.filter import Graph
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from vgen.files import replacing

Pixels = np.ndarray | torch.Tensor
Target = str | PathLike[str]
Writer = Callable[[Pixels], None]

GIF_FPS = 50  # browsers slow down gifs that ask for more
BETWEEN = 255  # grey level of the lines between tiles


def write_video(path: Target, pixels: Pixels, fps: float) -> None:
    """Write in the format that the suffix names: .mp4, .gif, .png (a strip) or .npy.

    Raises:
        ValueError: another suffix; pixels of another shape or type.
    """
    writers: dict[str, Callable[[], None]] = {
        ".mp4": lambda: write_mp4(path, pixels, fps),
        ".gif": lambda: write_gif(path, pixels, fps),
        ".png": lambda: write_png(path, pixels),
        ".npy": lambda: write_npy(path, pixels),
    }
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        raise ValueError(
            f"{path}: cannot write {suffix or 'a file without suffix'}; choose {', '.join(writers)}"
        )
    writers[suffix]()


def write_mp4(path: Target, pixels: Pixels, fps: float) -> None:
    """H.264 that plays everywhere: yuv420p, BT.709, near-lossless (crf 15), index at the front.

    4:2:0 video has even sides: an odd one gets its last row or column twice.
    """
    frames = _rgb(pixels)  # what is no clip is refused before there is a file
    with mp4_writer(path, fps) as write:
        write(frames)


@contextmanager
def mp4_writer(path: Target, fps: float) -> Iterator[Writer]:
    """A function that takes the frames (T, H, W, C) of an mp4 (`write_mp4`) bit by bit."""
    rate, number = _rate(fps), 0
    with (
        replacing(path) as partial,
        av.open(partial, "w", format="mp4", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream("libx264", rate=rate, options={"crf": "15", "preset": "medium"})
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        # 1 is BT.709 in all three; a player that has to guess gets the colours of small videos wrong.
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = ColorRange.MPEG

        def write(pixels: Pixels) -> None:
            nonlocal number
            frames = _rgb(pixels)
            height, width = frames.shape[1:3]
            frames = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if number == 0:
                stream.height, stream.width = frames.shape[1:3]
            for frame in _video_frames(frames, rate, first=number):
                yuv = frame.reformat(
                    format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
                )
                out.mux(stream.encode(yuv))
            number += len(frames)

        yield write
        out.mux(stream.encode(None))


@contextmanager
def npy_writer(path: Target, frames: int) -> Iterator[Writer]:
    """A function that takes the pixels (t, H, W, C) of a clip of `frames` frames bit by bit, onto the disk."""
    with replacing(path) as partial:
        memory: np.memmap | None = None
        number = 0

        def write(pixels: Pixels) -> None:
            nonlocal memory, number
            checked = _checked(pixels)
            if memory is None:
                shape = (frames, *checked.shape[1:])
                memory = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
            memory[number : number + len(checked)] = checked
            number += len(checked)

        yield write
        if number != frames:
            raise ValueError(f"{path}: {number} of {frames} frames were written")
        del memory


def write_gif(path: Target, pixels: Pixels, fps: float) -> None:
    """A gif that loops, with one palette for the whole clip. More than 50 frames per second become 50."""
    frames, rate = _rgb(pixels), min(_rate(fps), Fraction(GIF_FPS))
    height, width = frames.shape[1:3]
    with replacing(path) as partial, av.open(partial, "w", format="gif", options={"loop": "0"}) as out:
        stream = out.add_stream("gif", rate=rate)
        stream.height, stream.width, stream.pix_fmt = height, width, "pal8"
        graph = Graph()
        source = graph.add_buffer(
            width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / rate
        )
        split, palette = graph.add("split"), graph.add("palettegen")
        apply, sink = graph.add("paletteuse", "dither=sierra2_4a"), graph.add("buffersink")
        source.link_to(split)
        split.link_to(palette, 0, 0)
        split.link_to(apply, 1, 0)
        palette.link_to(apply, 0, 1)
        apply.link_to(sink)
        graph.configure()
        for frame in _video_frames(frames, rate):
            graph.vpush(frame)
        graph.vpush(None)
        for _ in frames:
            out.mux(stream.encode(graph.vpull()))
        out.mux(stream.encode(None))


def write_png(path: Target, pixels: Pixels) -> None:
    """One image with the frames side by side: what `data=videos` reads back as a strip."""
    frames = _rgb(pixels)
    with replacing(path) as partial:
        Image.fromarray(np.concatenate(list(frames), axis=1)).save(partial, format="png")


def write_npy(path: Target, pixels: Pixels) -> None:
    """The pixels themselves."""
    frames = _checked(pixels)
    with replacing(path) as partial, open(partial, "wb") as file:
        np.save(file, frames)


def tile(pixels: Pixels, columns: int | None = None, pad: int = 2) -> np.ndarray:
    """Clips (B, T, H, W, C) side by side in rows -> (T, H', W', C) uint8.

    Args:
        columns: clips per row; default: as square as possible.
        pad: white pixels between neighbours; places without a clip stay white.
    """
    clips = _array(pixels)
    if clips.ndim != 5 or clips.shape[0] == 0:
        raise ValueError(f"tile takes clips (B, T, H, W, C), not {clips.shape}")
    batch, frames, height, width, channels = clips.shape
    across = min(batch, columns or math.ceil(math.sqrt(batch)))
    rows = -(-batch // across)
    whole = rows * (height + pad) - pad, across * (width + pad) - pad
    canvas = np.full((frames, *whole, channels), BETWEEN, dtype=np.uint8)
    for i, clip in enumerate(clips):
        top, left = i // across * (height + pad), i % across * (width + pad)
        canvas[:, top : top + height, left : left + width] = clip
    return canvas


def _array(pixels: Pixels) -> np.ndarray:
    array = np.asarray(pixels if isinstance(pixels, np.ndarray) else pixels.cpu())
    if array.dtype != np.uint8:
        raise ValueError(f"pixels are uint8, not {array.dtype}: see vgen.clip.to_pixels")
    return array


def _checked(pixels: Pixels) -> np.ndarray:
    array = _array(pixels)
    if array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape:
        raise ValueError(
            f"a clip is (T, H, W, C) with 1 or 3 channels and at least one frame, not {array.shape}"
        )
    return array


def _rgb(pixels: Pixels) -> np.ndarray:
    """(T, H, W, 3)."""
    array = _checked(pixels)
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:3], 3)))


def _rate(fps: float) -> Fraction:
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps is {fps}: it must be above 0")
    return Fraction(fps).limit_denominator(1001)  # 29.97 -> 30000/1001 and the like


def _video_frames(frames: np.ndarray, rate: Fraction, first: int = 0) -> Iterator[av.VideoFrame]:
    for i, pixels in enumerate(frames, first):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = i, 1 / rate
        yield frame
