"""ADA's colour: one affine map of the channels for each clip."""

import math

import torch
from torch import Tensor

from vgen.augment.chance import Chance, change_where

COLOR = ("brightness", "contrast", "luma_flip", "hue", "saturation")


def change_color(
    video: Tensor,
    chance: Chance,
    *,
    brightness: float,
    contrast: float,
    luma_flip: float,
    hue: float,
    saturation: float,
) -> Tensor:
    """Brightness, contrast, inverted luma, turned hue, saturation, in this order.

    Values may leave [-1, 1]; they are not clamped, so that gradients pass. Of a single channel only what is left of the
    map of a grey picture remains: brightness, contrast and inversion.
    """
    happens = [
        chance.happens(name, rate)
        for name, rate in zip(COLOR, (brightness, contrast, luma_flip, hue, saturation), strict=True)
    ]
    bright, strong, inverted, turned, full = happens
    zero, one = torch.zeros((), device=video.device), torch.ones((), device=video.device)
    offset = torch.where(bright, chance.normal("brightness") * 0.2, zero)[:, None].expand(-1, 3)
    factor = torch.where(strong, (chance.normal("contrast") * 0.5).exp2(), one)
    inversion = inverted & (chance.uniform("luma_flip") < 0.5)
    angle = torch.where(turned, (chance.uniform("hue") * 2 - 1) * math.pi, zero)
    vividness = torch.where(full, chance.normal("saturation").exp2(), one)
    linear = _saturate(vividness) @ _turn_hue(angle) @ _invert_luma(inversion) * factor[:, None, None]
    shift = (linear @ offset[:, :, None])[:, :, 0]  # brightness comes first
    return change_where(torch.stack(happens).any(0), video, _apply, linear, shift)


def _apply(video: Tensor, linear: Tensor, shift: Tensor) -> Tensor:
    """video (B, C, T, H, W), linear (B, 3, 3), shift (B, 3)."""
    linear, shift = linear.to(video.dtype), shift.to(video.dtype)
    channels = video.shape[1]
    if channels == 1:
        linear, shift = linear.sum((1, 2), keepdim=True) / 3, shift.mean(1, keepdim=True)
    return (linear @ video.flatten(2)).view_as(video) + shift.view(-1, channels, 1, 1, 1)


def _grey() -> Tensor:
    """(3, 3): projection onto the grey axis, along which luma is measured."""
    return torch.full((3, 3), 1 / 3)


def _invert_luma(inverted: Tensor) -> Tensor:
    grey = _grey().to(inverted.device)
    return torch.eye(3, device=inverted.device) - 2 * grey * inverted[:, None, None]


def _turn_hue(angle: Tensor) -> Tensor:
    """Rotation about the grey axis (Rodrigues): by 120 degrees, red becomes green, green blue, blue red."""
    grey, eye = _grey().to(angle.device), torch.eye(3, device=angle.device)
    across = torch.tensor(
        [[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=angle.device
    ) / math.sqrt(3)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return grey + (eye - grey) * cos + across * sin


def _saturate(factor: Tensor) -> Tensor:
    grey, eye = _grey().to(factor.device), torch.eye(3, device=factor.device)
    return grey + (eye - grey) * factor[:, None, None]
