"""Transposed convolutions that grow a clip, time and space together as far as the number of frames allows."""

from torch import nn


def halved_lengths(frames: int, layers: int) -> list[int]:
    """Frames in the first map and after each of `layers` layers: `frames` last, halved inwards while even."""
    lengths = [frames]
    for _ in range(layers):
        odd = lengths[0] % 2
        lengths.insert(0, lengths[0] if odd else lengths[0] // 2)
    return lengths


def grow(channels: int, narrower: int, before: int, after: int) -> nn.ConvTranspose3d:
    """(B, channels, before, H, W) -> (B, narrower, after, 2 H, 2 W); `after` is `before` or twice that."""
    if after == 2 * before:
        return nn.ConvTranspose3d(channels, narrower, 4, stride=2, padding=1)
    kernel = 3 if before > 1 else 1
    return nn.ConvTranspose3d(
        channels, narrower, (kernel, 4, 4), stride=(1, 2, 2), padding=(kernel // 2, 1, 1)
    )
