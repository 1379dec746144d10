"""One short video in every form that keeps it as it is."""

from pathlib import Path

import numpy as np

from vgen.media import write_npy, write_png

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 8, 8, 3), dtype=np.uint8)
EXACT = ["strip.png", "frames", "array.npy"]  # names in the folder of `write_exact`


def write_exact(folder: Path) -> None:
    write_png(folder / "strip.png", PIXELS)
    write_npy(folder / "array.npy", PIXELS)
    for number, frame in enumerate(PIXELS):
        write_png(folder / "frames" / f"{number}.png", frame[None])
