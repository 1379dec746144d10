"""Small videos for the tests, written with PyAV and Pillow."""

from pathlib import Path

import av
import numpy as np
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


def write_strip(path: Path, pixels: np.ndarray, *, vertical: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(pixels), axis=0 if vertical else 1)).save(path)
    return path


def write_frames(folder: Path, pixels: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for t, frame in enumerate(pixels):  # names that sort wrongly as text
        Image.fromarray(frame).save(folder / f"frame{t}.png")
    return folder
