"""Channels-last memory: the layout in which convolutions of small videos run fastest, on CPUs and GPUs alike."""

import torch
from torch import Tensor, nn


def to_channels_last(module: nn.Module) -> None:
    """Lay out 4-D and 5-D weights channels-last, in place; convolutions then hand that layout on."""
    for parameter in module.parameters():
        parameter.data = channels_last(parameter.data)


def channels_last(weight: Tensor) -> Tensor:
    """A weight, or what an optimizer knows of it, channels-last if it is 4-D or 5-D."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return weight.contiguous(memory_format=formats[weight.ndim]) if weight.ndim in formats else weight


def video_layout(video: Tensor, channels_last: bool) -> Tensor:
    """(B, C, T, H, W) in the wanted layout; the uint8 wire format is channels-last already."""
    return video.contiguous(
        memory_format=torch.channels_last_3d if channels_last else torch.contiguous_format
    )
