"""Clips -> features, each clip through the extractor once, and what was seen of the clips on the way."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm import tqdm

from vgen.clip import Extractor


@dataclass(frozen=True)
class Features:
    """Features of one side.

    Attributes:
        values: (N, D) float32 on the CPU.
        shape: (T, H, W, C) of every clip.
        hashes: one per clip, of its pixels.
    """

    values: Tensor
    shape: tuple[int, ...]
    hashes: tuple[bytes, ...]

    @property
    def content(self) -> str:
        """16 hex digits: hash of the clips themselves, in order."""
        return hashlib.blake2b(b"".join(self.hashes), digest_size=8).hexdigest()

    @property
    def repeated(self) -> int:
        """Clips that are equal, pixel for pixel, to an earlier one."""
        return len(self.hashes) - len(set(self.hashes))


def extract(
    clips: Iterable[Tensor],
    extractor: Extractor,
    *,
    count: int,
    device: torch.device | str = "cpu",
    progress: bool = False,
    side: str = "real",
) -> Features:
    """Features of the first `count` clips, or of all if there are fewer; holds one batch of clips at a time.

    The extractor runs in full float32, TF32 and autocast off: they would move the numbers.

    Args:
        clips: batches (B, T, H, W, C) uint8, all of one shape but for B.
        device: where the extractor runs.
        progress: show a bar.
        side: "real" or "fake", for messages.

    Raises:
        ValueError: no clips, clips of different shapes, too few frames, pixels that are not uint8, or features
            that are not finite.
    """
    device = torch.device(device)
    if isinstance(extractor, nn.Module):
        extractor.to(device).eval()
    values: list[Tensor] = []
    hashes: list[bytes] = []
    shape: tuple[int, ...] | None = None
    with (
        torch.no_grad(),
        _full_float32(device),
        tqdm(total=count, desc=f"{side} clips", unit="clip", disable=not progress, leave=False) as bar,
    ):
        for batch in clips:
            pixels = batch[: count - len(hashes)]
            _check_pixels(pixels, shape, extractor, side)
            shape = tuple(pixels.shape[1:])
            hashes += [_hash(clip) for clip in pixels]
            found = extractor(pixels.to(device)).float().cpu()
            broken = int((~found.isfinite()).any(dim=1).sum())
            if broken:
                raise ValueError(f"{broken} {side} clips have NaN or infinite {extractor.name} features")
            values.append(found)
            bar.update(len(pixels))
            if len(hashes) >= count:
                break
    if shape is None:
        raise ValueError(f"there are no {side} clips to evaluate")
    return Features(torch.cat(values), shape, tuple(hashes))


def _check_pixels(pixels: Tensor, shape: tuple[int, ...] | None, extractor: Extractor, side: str) -> None:
    if pixels.ndim != 5 or pixels.dtype != torch.uint8:
        raise ValueError(
            f"{side} clips are {pixels.dtype} of shape {tuple(pixels.shape)}; expected uint8 (B, T, H, W, C)"
        )
    if shape is not None and tuple(pixels.shape[1:]) != shape:
        raise ValueError(
            f"{side} clips differ among themselves: (T, H, W, C) is {shape} and {tuple(pixels.shape[1:])}"
        )
    if pixels.shape[1] < extractor.min_frames:
        raise ValueError(
            f"{side} clips have {pixels.shape[1]} frames; extractor {extractor.name} needs at least "
            f"{extractor.min_frames}"
        )


def _hash(clip: Tensor) -> bytes:
    return hashlib.blake2b(clip.cpu().contiguous().numpy().tobytes(), digest_size=16).digest()


@contextmanager
def _full_float32(device: torch.device) -> Iterator[None]:
    switches = []
    if device.type == "cuda":
        switches = [torch.backends.cuda.matmul, torch.backends.cudnn.conv]  # pyright: ignore[reportAttributeAccessIssue]
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = precision
