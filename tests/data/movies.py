"""Small videos for the tests, written with PyAV and Pillow."""

import io
import tarfile
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image


def moving_bar(frames: int = 12, height: int = 32, width: int = 32, step: int = 2) -> np.ndarray:
    """(T, H, W, 3): a red bar on a blue-green gradient, `step` pixels further right in each frame."""
    pixels = np.zeros((frames, height, width, 3), np.uint8)
    pixels[..., 1] = np.linspace(20, 200, height, dtype=np.uint8)[:, None]
    pixels[..., 2] = np.linspace(200, 20, width, dtype=np.uint8)
    for t in range(frames):
        at = step * t % (width - 4)
        pixels[t, :, at : at + 4] = (220, 30, 30)
    return pixels


def patches(frames: int = 6, size: int = 64) -> np.ndarray:
    """(T, H, W, 3): four even quarters, whose colours move on from frame to frame: one image survives any codec."""
    colours = np.array([[200, 50, 120], [30, 160, 60], [90, 90, 220], [240, 230, 40], [20, 20, 30]], np.uint8)
    pixels = np.zeros((frames, size, size, 3), np.uint8)
    half = size // 2
    for t in range(frames):
        for quarter in range(4):
            top, left = half * (quarter // 2), half * (quarter % 2)
            pixels[t, top : top + half, left : left + half] = colours[(t + quarter) % 5]
    return pixels


def write_movie(
    path: Path, pixels: np.ndarray, *, codec: str = "libx264", rate: int = 25, options: dict | None = None
) -> Path:
    """Lossless up to the conversion of colours for libx264; the sound of no movie is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as out:
        exact = codec == "libx264"
        stream = out.add_stream(codec, rate=rate, options={"qp": "0"} if exact else {})
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = {"libx264": "yuv444p", "gif": "rgb8"}.get(codec, "yuv420p")
        for frame in pixels:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def encode(
    path: Path,
    pixels: np.ndarray,
    codec: str,
    pix_fmt: str,
    *,
    options: dict[str, str] | None = None,
    matrix: Colorspace | None = None,
    limits: ColorRange | None = None,
    ticks: Sequence[int] | None = None,
    base: Fraction = Fraction(1, 1000),
) -> Path:
    """A movie in any pixel format, matrix and range, declared as such; `ticks` of `base` are its frames' times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width, stream.pix_fmt = pixels.shape[1], pixels.shape[2], pix_fmt
        if ticks is not None:
            stream.codec_context.time_base = base
        colours = {}
        if matrix is not None:
            stream.codec_context.colorspace = matrix
            colours["dst_colorspace"] = matrix
        if limits is not None:
            stream.codec_context.color_range = limits
            colours["dst_color_range"] = limits
        for t, frame in enumerate(pixels):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pix_fmt, **colours)
            if ticks is not None:
                picture.pts, picture.time_base = ticks[t], base
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def write_strip(path: Path, pixels: np.ndarray, *, vertical: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(pixels), axis=0 if vertical else 1)).save(path)
    return path


def write_frames(folder: Path, pixels: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for t, frame in enumerate(pixels):  # names that sort wrongly as text
        Image.fromarray(frame).save(folder / f"frame{t}.png")
    return folder


def png(frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "PNG")
    return file.getvalue()


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as out:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return path
