"""Features that need no weights file: fixed filters, temporal differences and a random second stage.

They see what image-model features see worst: texture (noise, blur), motion (freezing, shuffling, stutter, jitter)
and layout (collapse). They know nothing of content, so a distance between them is `fvd/random`, never FVD.
"""

import hashlib
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.extractor.frames import check_pixels, small_frames

_VERSION = "random 1"  # part of the fingerprint: change it with anything that changes a feature
_SIZE = 64
_LEVELS = 3
_FILTERS = 6  # per level, first stage
_MIXTURES = 8  # per level, second stage
_LAYOUT = 16
_SLOW = 8
_LEAST = 4  # frames of a clip that has second differences
_FLOOR = 0.02  # amplitude of about one grey level, below which differences do not count
# amplitudes in an ordinary frame, of a band and of a mixture of normalised bands: what a frame is measured against
_CONTRAST, _MIXED = 0.1, 0.58


class Random(nn.Module):
    """Clip -> "clip" (B, 160) and "frames" (B, T, 58), the same on every machine up to float32 rounding.

    Frames are brought to 64x64 and seen at three scales. Each scale is filtered by band-pass filters; the
    responses y and their differences over time, y_t - y_(t-1), y_t - y_(t-2) and y_t - 2 y_(t-1) + y_(t-2), give
    log2 energies (a unit is a factor of two). The rectified responses, normalised by their energy, pass a random
    space-time convolution whose mean and root mean square say how they are arranged. A 4x4 thumbnail gives layout
    and its change over time. Fewer than about 200 clips a side are too few for a distance.

    A frame alone is described likewise: the energies of its bands and those of random convolutions of its normalised
    bands, in octaves about the usual, and its layout. Angles between frames thus mean something.

    Takes (B, T, H, W, C) uint8 with C 1 or 3; "clip" of fewer than 4 frames is that of a clip whose last frame stands
    still until there are 4. About 12 ms per 64x64x16 clip and core. Source: ours; in
    the spirit of wavelet scattering (Bruna & Mallat, arXiv 1203.1513).

    Args:
        seed: of the filters; another seed is another extractor, with another fingerprint.
    """

    name = "random"
    roles = ("clip", "frames")
    min_frames = 1
    dim = _LEVELS * 4 * _FILTERS + _LEVELS * 2 * _MIXTURES + _LAYOUT + 3 * _SLOW
    frame_dim = _LEVELS * (_FILTERS + _MIXTURES) + _LAYOUT

    bands: Tensor
    mixing: Tensor
    layout: Tensor
    slow: Tensor
    arranging: Tensor

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        # the legacy generator: NumPy promises that its stream never changes
        rng = np.random.RandomState(seed)
        maps = 4 * _FILTERS
        weights = {
            "bands": _band_pass(rng, _FILTERS, 4),
            # scaled so that a mixture of unit-energy maps is of unit size
            "mixing": _orthogonal(rng, _MIXTURES, maps * 18).reshape(_MIXTURES, maps, 2, 3, 3)
            * math.sqrt(maps),
            "layout": _orthogonal(rng, _LAYOUT, 48),
            "slow": _orthogonal(rng, _SLOW, 48),
            "arranging": _contrasting(rng, _MIXTURES, _FILTERS * 9).reshape(_MIXTURES, _FILTERS, 3, 3),
        }
        digest = hashlib.sha256(_VERSION.encode())
        for name, weight in weights.items():
            # coarse enough that the linear algebra of any machine gives the same bits
            weight = np.round(weight * 4096) / 4096
            digest.update(weight.astype("<f4").tobytes())
            self.register_buffer(name, torch.from_numpy(weight).float())
        self.fingerprint = digest.hexdigest()

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(B, T, H, W, C) uint8 -> "clip" (B, 160), "frames" (B, T, 58), float32."""
        check_pixels(pixels, self.name, frames=self.min_frames)
        # few clips at a time stay in the processor's cache
        part = 8 if self.bands.device.type == "cpu" else 128
        made = []
        for clips in pixels.split(part):
            responses, thumbnail = self._responses(small_frames(clips.to(self.bands.device), _SIZE))
            of_frames = self._of_frames(responses, thumbnail)
            made.append((self._of_clips([_held(bands) for bands in responses], _held(thumbnail)), of_frames))
        of_clips, of_frames = (torch.cat(role) for role in zip(*made, strict=True))
        return {"clip": of_clips, "frames": of_frames}

    def clip_features(self, frames: Tensor) -> Tensor:
        """(B, T, 3, 64, 64) in [-1, 1] -> what `forward` calls "clip", for callers that have such frames."""
        return self._of_clips(*self._responses(frames))

    def _responses(self, frames: Tensor) -> tuple[list[Tensor], Tensor]:
        """The bands (B, T, K, h, w) of each level, and thumbnails (B, T, 48)."""
        clips, video = len(frames), frames.flatten(0, 1)  # (B T, 3, H, W)
        responses = []
        for _ in range(_LEVELS):
            responses.append(F.conv2d(video, self.bands, stride=2, padding=1).unflatten(0, (clips, -1)))
            video = F.avg_pool2d(video, 2)
        return responses, F.avg_pool2d(video, 2).reshape(clips, -1, 48)  # 3 channels of 4x4

    def _of_clips(self, responses: list[Tensor], thumbnail: Tensor) -> Tensor:
        described = [part for bands in responses for part in self._texture(bands.transpose(1, 2))]
        described.append(thumbnail.mean(dim=1) @ self.layout.T)
        slow = _with_differences((thumbnail @ self.slow.T).transpose(1, 2))  # (B, 4, K, T - 2)
        described.append(_octaves(_rms(slow[:, 1:], dims=(3,))).flatten(1))
        return torch.cat(described, dim=1)

    def _of_frames(self, responses: list[Tensor], thumbnail: Tensor) -> Tensor:
        described = [part for bands in responses for part in self._still_texture(bands.flatten(0, 1))]
        described.append((thumbnail @ self.layout.T).flatten(0, 1))
        return torch.cat(described, dim=1).unflatten(0, thumbnail.shape[:2])

    def _still_texture(self, bands: Tensor) -> list[Tensor]:
        """Energies of the bands (B T, K, h, w) of single frames, and the statistics of their mixtures."""
        energy = _rms(bands, dims=(2, 3))  # (B T, K)
        overall = energy.square().mean(dim=1).sqrt() + _FLOOR
        maps = bands.abs() / overall[:, None, None, None]
        mixed = F.conv2d(maps, self.arranging, padding=1)
        return [_octaves(energy / _CONTRAST), _octaves(_rms(mixed, dims=(2, 3)) / _MIXED)]

    def _texture(self, bands: Tensor) -> list[Tensor]:
        """Energies of the bands (B, K, T, h, w) and of their differences, and the statistics of the mixtures."""
        maps = _with_differences(bands)  # (B, 4, K, T - 2, h, w)
        energy = _rms(maps, dims=(3, 4, 5))  # (B, 4, K)
        overall = energy.square().mean(dim=2).sqrt() + _FLOOR
        maps = maps.abs_().div_(overall[:, :, None, None, None, None]).flatten(1, 2)
        mixed = F.conv3d(maps, self.mixing, stride=(1, 2, 2), padding=(0, 1, 1)).relu_()
        return [_octaves(energy).flatten(1), mixed.mean(dim=(2, 3, 4)), _rms(mixed, dims=(2, 3, 4))]


def _held(x: Tensor) -> Tensor:
    """(B, T, ...) with at least 4 frames, the last one of which may stand still."""
    missing = _LEAST - x.shape[1]
    return x if missing <= 0 else torch.cat([x, x[:, -1:].expand(-1, missing, *x.shape[2:])], dim=1)


def _with_differences(x: Tensor) -> Tensor:
    """(B, K, T, ...) -> (B, 4, K, T - 2, ...): itself, its differences over 1 and 2 frames, its second difference."""
    now, before, earlier = x[:, :, 2:], x[:, :, 1:-1], x[:, :, :-2]
    return torch.stack([now, now - before, now - earlier, now - 2 * before + earlier], dim=1)


def _rms(x: Tensor, *, dims: tuple[int, ...]) -> Tensor:
    count = math.prod(x.shape[dim] for dim in dims)
    return torch.linalg.vector_norm(x, dim=dims) / math.sqrt(count)


def _octaves(amplitude: Tensor) -> Tensor:
    return torch.log2(amplitude + _FLOOR)


def _orthogonal(rng: np.random.RandomState, rows: int, columns: int) -> np.ndarray:
    """(rows, columns) with orthonormal rows."""
    return orthonormal_rows(rng.standard_normal((rows, columns)))


def _contrasting(rng: np.random.RandomState, rows: int, columns: int) -> np.ndarray:
    """(rows, columns) with orthonormal rows, each of sum 0."""
    drawn = rng.standard_normal((rows, columns))
    return orthonormal_rows(drawn - drawn.mean(axis=1, keepdims=True))


def _band_pass(rng: np.random.RandomState, filters: int, width: int) -> np.ndarray:
    """(filters, 3, width, width), orthonormal, blind to constants and to linear ramps in each channel."""
    across = np.arange(width) - (width - 1) / 2
    smooth = np.stack([np.ones((width, width)), *np.meshgrid(across, across)]).reshape(3, -1)
    smooth = smooth / np.linalg.norm(smooth, axis=1, keepdims=True)
    kept = np.eye(width * width) - smooth.T @ smooth
    drawn = rng.standard_normal((filters, 3, width * width)) @ kept
    return orthonormal_rows(drawn.reshape(filters, -1)).reshape(filters, 3, width, width)


def orthonormal_rows(drawn: np.ndarray) -> np.ndarray:
    """(rows, columns), not more rows than columns -> the same span with orthonormal rows."""
    q, r = np.linalg.qr(drawn.T)
    return (q * np.sign(np.diag(r))).T  # the sign of a QR factor is the library's choice
