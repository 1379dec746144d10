"""A recurrent unit whose state is a map."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvGRU(nn.Module):
    """Inputs (B, C, T, H, W), or one (B, C, 1, H, W) for every step -> states (B, D, T, H, W).

        r = sigmoid(W_r * [h; x] + b_r),  u = sigmoid(W_u * [h; x] + b_u)
        c = rho(W_c * [x; r h] + b_c),    h' = u h + (1 - u) c

    Source: Ballas et al. 2016, arXiv 1511.06432; with rho = ReLU in DVD-GAN, Clark et al. 2019, arXiv 1907.06571.
    Each kernel is held as one of inputs and one of states, so that the inputs of all steps are convolved at once.

    Args:
        inputs, channels: C and D.
        kernel: height and width of each convolution, odd.
        activation: rho.
    """

    def __init__(
        self, inputs: int, channels: int, *, kernel: int = 3, activation: Literal["relu", "tanh"] = "relu"
    ):
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel={kernel} of a ConvGRU: must be odd")
        if activation not in ("relu", "tanh"):
            raise ValueError(f"activation of a ConvGRU must be relu or tanh, not {activation!r}")
        self.channels = channels
        self.activation = torch.relu if activation == "relu" else torch.tanh
        self.around = around = kernel // 2
        self.from_input = nn.Conv3d(inputs, 3 * channels, (1, kernel, kernel), padding=(0, around, around))
        self.gates = nn.Conv2d(channels, 2 * channels, kernel, padding=around, bias=False)
        self.candidate = nn.Conv2d(channels, channels, kernel, padding=around, bias=False)

    def forward(self, x: Tensor, frames: int, state: Tensor | None = None) -> Tensor:
        """`frames` is T; `state` (B, D, H, W) the one before the first step, 0 if None."""
        said = self.from_input(x).expand(-1, -1, frames, -1, -1)
        held = said.new_zeros(len(said), self.channels, *said.shape[3:]) if state is None else state
        # Read once: a spectrally normalised kernel is made anew, by a power iteration, each time that it is read.
        to_gates, to_candidate = self.gates.weight, self.candidate.weight
        states = []
        for now in said.unbind(2):
            gates, content = now.split([2 * self.channels, self.channels], 1)
            reset, keep = (gates + F.conv2d(held, to_gates, padding=self.around)).sigmoid().chunk(2, 1)
            candidate = self.activation(content + F.conv2d(reset * held, to_candidate, padding=self.around))
            held = keep * held + (1 - keep) * candidate
            states.append(held)
        return torch.stack(states, 2)
