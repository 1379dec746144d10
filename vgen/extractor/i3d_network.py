"""The I3D network itself: as trained, and folded for inference."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# channels of an inception block: 1x1 | 1x1 -> 3x3 | 1x1 -> 3x3 | pool -> 1x1  (arXiv 1705.07750, figure 3)
_BLOCKS = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}


class Network(nn.Module):
    """The inflated Inception-v1, with the parameter names of the public PyTorch ports.

    (B, 3, T, 224, 224) in [-1, 1], T >= 9 -> pooled features (B, 1024) and logits (B, 400), averaged over time.
    """

    def __init__(self, *, eps: float) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, stride=2, eps=eps)
        self.Conv3d_2b_1x1 = Unit(64, 64, 1, eps=eps)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3, eps=eps)
        for name, channels in _BLOCKS.items():
            self.add_module(name, Inception(channels, eps=eps))
        self.logits = Unit(1024, 400, 1, eps=None)

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        x = _max_pool(self.Conv3d_1a_7x7(video), (1, 3, 3), (1, 2, 2))
        x = _max_pool(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), (1, 3, 3), (1, 2, 2))
        for name in _BLOCKS:
            if name == "Mixed_4b":
                x = _max_pool(x, (3, 3, 3), (2, 2, 2))
            elif name == "Mixed_5b":
                x = _max_pool(x, (2, 2, 2), (2, 2, 2))
            x = self.get_submodule(name)(x)
        x = F.avg_pool3d(x, (2, 7, 7), stride=1)  # (B, 1024, T', 1, 1)
        return x.mean(dim=(2, 3, 4)), self.logits(x).mean(dim=(2, 3, 4))

    def folded(self) -> "Network":
        """The same function, each batch norm multiplied into the convolution before it."""
        network = copy.deepcopy(self).eval()
        for module in network.modules():
            if isinstance(module, Unit):
                module.fold()
        return network.requires_grad_(False)


class Unit(nn.Module):
    """Convolution with TensorFlow's "SAME" padding; batch norm and ReLU, or (eps None) a bias alone."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, eps: float | None) -> None:
        super().__init__()
        # an odd kernel without stride is padded alike on both sides, which the convolution does by itself
        padding = kernel // 2 if stride == 1 else 0
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=eps is None)
        self.bn = None if eps is None else nn.BatchNorm3d(outputs, eps=eps)
        self.rectifies = eps is not None

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.conv3d.kernel_size[0], self.conv3d.stride[0]
        if kernel == 1 and self.bn is None and _is_channels_last(x):
            # a matrix product over channels, for which some convolutions would leave the layout
            weight = self.conv3d.weight.flatten(1)
            x = F.linear(x.permute(0, 2, 3, 4, 1), weight, self.conv3d.bias).permute(0, 4, 1, 2, 3)
            return F.relu(x) if self.rectifies else x
        if stride > 1:
            padding: list[int] = []
            for size in x.shape[:1:-1]:
                total = _same(size, kernel, stride)
                padding += [total // 2, total - total // 2]  # the odd cell goes behind
            x = F.pad(x, padding)
        x = self.conv3d(x)
        if self.bn is not None:
            x = self.bn(x)
        return F.relu(x) if self.rectifies else x

    @torch.no_grad()
    def fold(self) -> None:
        """Multiply the batch norm into the convolution, in float64."""
        conv, bn = self.conv3d, self.bn
        if bn is None or bn.running_mean is None or bn.running_var is None:
            return
        scale = bn.weight.double() / (bn.running_var.double() + bn.eps).sqrt()
        weight = conv.weight.double() * scale[:, None, None, None, None]
        bias = bn.bias.double() - bn.running_mean.double() * scale
        conv.weight, conv.bias = nn.Parameter(weight.float()), nn.Parameter(bias.float())
        self.bn = None


class Inception(nn.Module):
    """Four branches side by side; `channels` as in `_BLOCKS`, input first."""

    def __init__(self, channels: tuple[int, ...], *, eps: float) -> None:
        super().__init__()
        inputs, plain, narrow, wide, narrow2, wide2, pooled = channels
        self.b0 = Unit(inputs, plain, 1, eps=eps)
        self.b1a = Unit(inputs, narrow, 1, eps=eps)
        self.b1b = Unit(narrow, wide, 3, eps=eps)
        self.b2a = Unit(inputs, narrow2, 1, eps=eps)
        self.b2b = Unit(narrow2, wide2, 3, eps=eps)
        self.b3b = Unit(inputs, pooled, 1, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        pooled = _max_pool(x, (3, 3, 3), (1, 1, 1))
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)]
        return torch.cat(branches, dim=1)


def _max_pool(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Max pooling with "SAME" padding. Its zeros are left out: every input comes out of a ReLU."""
    padding = [_same(size, k, s) // 2 for size, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
    # an odd cell behind is the window that hangs over the edge (ceil_mode)
    if not _is_channels_last(x):
        return F.max_pool3d(x, kernel, stride, padding=padding, ceil_mode=True)
    # first within frames and then over time, in views: several times as fast as max_pool3d on a CPU
    clips = len(x)
    x = x.transpose(1, 2).flatten(0, 1)  # (B T, C, H, W)
    x = F.max_pool2d(x, kernel[1:], stride[1:], padding=padding[1:], ceil_mode=True)
    x = x.unflatten(0, (clips, -1)).transpose(1, 2)  # (B, C, T, H', W')
    if kernel[0] == 1:
        return x
    places = x.shape[3:]
    x = F.max_pool2d(x.flatten(3), (kernel[0], 1), (stride[0], 1), padding=(padding[0], 0), ceil_mode=True)
    return x.unflatten(3, places)


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last_3d)


def _same(size: int, kernel: int, stride: int) -> int:
    """Cells of padding with which TensorFlow's "SAME" gives ceil(size / stride) outputs."""
    return max(0, (math.ceil(size / stride) - 1) * stride + kernel - size)
