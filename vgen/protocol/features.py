"""Clips -> features: each clip is read once and passes each extractor once, and what was done is kept."""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from vgen.clip import Extractor
from vgen.protocol.ahead import read_ahead
from vgen.protocol.contract import ClipSet

if TYPE_CHECKING:
    from vgen.protocol.store import FeatureStore


@dataclass(frozen=True)
class Features:
    """What one extractor makes of the clips of one side.

    Attributes:
        values: role -> (N, ...) float32 on the CPU.
        shape: (T, H, W, C) of every clip.
        hashes: one per clip, of its pixels.
        cached: how many of the clips were found in the store.
    """

    values: Mapping[str, Tensor]
    shape: tuple[int, ...]
    hashes: tuple[bytes, ...]
    cached: int = 0

    @property
    def content(self) -> str:
        """16 hex digits: hash of the clips themselves, in order."""
        return hashlib.blake2b(b"".join(self.hashes), digest_size=8).hexdigest()

    @property
    def repeated(self) -> int:
        """Clips that are equal, pixel for pixel, to an earlier one."""
        return len(self.hashes) - len(set(self.hashes))

    def rows(self, start: int, stop: int) -> "Features":
        """Those of the clips `start` to `stop`."""
        values = {role: value[start:stop] for role, value in self.values.items()}
        return replace(self, values=values, hashes=self.hashes[start:stop])

    @classmethod
    def join(cls, parts: Sequence["Features"]) -> "Features":
        """Parts in order, as one."""
        values = {role: torch.cat([part.values[role] for part in parts]) for role in parts[0].values}
        return cls(values, parts[0].shape, tuple(h for part in parts for h in part.hashes))


def extract(
    clips: ClipSet,
    extractors: Iterable[Extractor],
    *,
    store: "FeatureStore | None" = None,
    batch: int = 16,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
    progress: bool = False,
    side: str = "real",
) -> dict[str, Features]:
    """Name of an extractor -> features of all clips, the same for any number of processes.

    Chunk k is the clips [k batch, (k + 1) batch) whoever works on it, and process r works on every world-th from
    r on. Clips are read ahead in a thread; one chunk passes the extractors while two wait. Networks run in full
    float32, TF32 and autocast off: they would move the numbers.

    Args:
        store: where features are looked up and kept, in parts, so that an evaluation that was killed goes on
            where it was; None to do without.
        batch: clips per chunk.
        device: where the extractors run.
        rank, world: of this process in torch.distributed's default group; every one of them has to call.
        progress: show a bar.
        side: "real" or "fake", for messages.

    Raises:
        ValueError: no clips, clips of different shapes, too few frames, pixels that are not uint8, or features
            that are not finite; on every process alike.
    """
    extractors = list(extractors)
    if not len(clips):
        raise ValueError(f"there are no {side} clips to evaluate")
    if batch < 1:
        raise ValueError(f"batch={batch}: must be at least 1")
    shelves = {e.name: store.shelf(clips, e) for e in extractors} if store else {}
    own = [range(s, min(s + batch, len(clips))) for s in range(rank * batch, len(clips), world * batch)]
    found: dict[str, dict[int, Features]] = {}
    for extractor in extractors:
        held = shelves[extractor.name].held() if store else {}
        slices = ((chunk.start, _slice(held, chunk)) for chunk in own)
        found[extractor.name] = {start: rows for start, rows in slices if rows is not None}
    cached = {name: sum(len(rows.hashes) for rows in parts.values()) for name, parts in found.items()}
    failure: Exception | None = None
    try:
        _extract_missing(clips, extractors, own, found, shelves, torch.device(device), progress, side)
    except Exception as error:
        if world == 1:
            raise
        failure = error
    if world > 1:
        found, cached = _gather(found, cached, failure, world)
    features = {}
    for name, parts in found.items():
        ordered = [part for _, part in sorted(parts.items())]
        for part in ordered:
            _check_same_shape(part.shape, ordered[0].shape, side)
        features[name] = replace(Features.join(ordered), cached=cached[name])
        if store and rank == 0 and cached[name] < len(clips):
            shelves[name].finish(features[name])
    return features


def _slice(held: Mapping[int, Features], chunk: range) -> Features | None:
    for first, rows in held.items():
        if first <= chunk.start and chunk.stop <= first + len(rows.hashes):
            return rows.rows(chunk.start - first, chunk.stop - first)
    return None


def _extract_missing(
    clips: ClipSet,
    extractors: Sequence[Extractor],
    own: Sequence[range],
    found: dict[str, dict[int, Features]],
    shelves: Mapping[str, Any],
    device: torch.device,
    progress: bool,
    side: str,
) -> None:
    """Complete `found` for the chunks `own` of this process."""
    missing = {chunk: [e for e in extractors if chunk.start not in found[e.name]] for chunk in own}
    wanted = [chunk for chunk in own if missing[chunk]]
    if not wanted:
        return
    for extractor in extractors:
        if isinstance(extractor, nn.Module):
            extractor.to(device).eval()
    total, left = sum(map(len, own)), sum(map(len, wanted))
    shape: tuple[int, ...] | None = None

    def read(chunk: range) -> tuple[Tensor, tuple[bytes, ...]]:
        pixels = clips.read(list(chunk))
        return pixels, tuple(map(_hash, pixels))

    with (
        torch.no_grad(),
        full_float32(device),
        tqdm(
            total=total,
            initial=total - left,
            desc=f"{side} clips",
            unit="clip",
            disable=not progress,
            leave=False,
            mininterval=0.2 if sys.stderr.isatty() else 15,
        ) as bar,
    ):
        for chunk, (pixels, hashes) in zip(wanted, read_ahead(read, wanted), strict=True):
            for extractor in missing[chunk]:
                _check_pixels(pixels, extractor, side)
                _check_same_shape(tuple(pixels.shape[1:]), shape, side)
                shape = tuple(pixels.shape[1:])
                made = {role: value.float().cpu() for role, value in extractor(pixels.to(device)).items()}
                _check_finite(made, extractor, side)
                rows = Features(made, shape, hashes)
                found[extractor.name][chunk.start] = rows
                if extractor.name in shelves:
                    shelves[extractor.name].add(chunk.start, rows)
            bar.update(len(chunk))


def _gather(
    found: dict[str, dict[int, Features]], cached: dict[str, int], failure: Exception | None, world: int
) -> tuple[dict[str, dict[int, Features]], dict[str, int]]:
    """The parts of all processes; what failed on one of them is raised on all."""
    shares: list[Any] = [None] * world
    torch.distributed.all_gather_object(
        shares, (None if failure else found, cached, failure and str(failure))
    )
    if failure:
        raise failure
    broken = [(rank, said) for rank, (_, _, said) in enumerate(shares) if said is not None]
    if broken:
        raise ValueError(f"{broken[0][1]} (on rank {broken[0][0]})")
    merged = {name: {k: v for share, _, _ in shares for k, v in share[name].items()} for name in found}
    return merged, {name: sum(count[name] for _, count, _ in shares) for name in found}


def _check_pixels(pixels: Tensor, extractor: Extractor, side: str) -> None:
    if pixels.ndim != 5 or pixels.dtype != torch.uint8:
        raise ValueError(
            f"{side} clips are {pixels.dtype} of shape {tuple(pixels.shape)}; expected uint8 (B, T, H, W, C)"
        )
    if pixels.shape[1] < extractor.min_frames:
        raise ValueError(
            f"{side} clips have {pixels.shape[1]} frames; extractor {extractor.name} needs at least "
            f"{extractor.min_frames}"
        )


def _check_same_shape(shape: tuple[int, ...], other: tuple[int, ...] | None, side: str) -> None:
    if other is not None and shape != other:
        raise ValueError(
            f"{side} clips differ among themselves: (T, H, W, C) is {other} and {shape}; give all one size"
        )


def _check_finite(values: Mapping[str, Tensor], extractor: Extractor, side: str) -> None:
    for role, value in values.items():
        broken = int((~value.isfinite()).reshape(len(value), -1).any(dim=1).sum())
        if broken:
            raise ValueError(
                f"{broken} of {len(value)} {side} clips have NaN or infinite {extractor.name} features ({role})"
            )


def _hash(clip: Tensor) -> bytes:
    return hashlib.blake2b(clip.cpu().contiguous().numpy().data, digest_size=16).digest()


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """TF32, bfloat16 products and autocast off inside, as before after."""
    backends: list[Any] = [torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv]  # pyright: ignore
    if device.type == "cuda":
        backends = [torch.backends.cuda.matmul, torch.backends.cudnn.conv]  # pyright: ignore
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision
