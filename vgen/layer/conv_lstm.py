"""A recurrent unit with a memory cell, whose state is a map."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvLSTM(nn.Module):
    """Inputs (B, C, t, H, W) of the first t steps, 0 afterwards -> states (B, D, T, H, W) of T >= t steps.

        i, f, o = sigmoid(W * [x; h] + b),  c' = f c + i tanh(W_c * [x; h] + b_c),  h' = o tanh(c')

    Source: Shi et al. 2015, arXiv 1506.04214, eq. 3, without its peepholes, as in TGANv2 (pfnet-research/tgan2:
    tgan2/models/conv_lstm.py). State and cell start at 0.

    Args:
        inputs, channels: C and D.
        kernel: height and width of the convolutions, odd.
    """

    def __init__(self, inputs: int, channels: int, *, kernel: int = 3):
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel={kernel} of a ConvLSTM: must be odd")
        self.channels = channels
        self.around = kernel // 2
        self.from_input = nn.Conv2d(inputs, 4 * channels, kernel, padding=self.around)
        self.from_state = nn.Conv2d(channels, 4 * channels, kernel, padding=self.around, bias=False)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """`frames` is T."""
        given = x.shape[2]
        if not 1 <= given <= frames:
            raise ValueError(f"a ConvLSTM of {frames} steps got inputs for {given}")
        said = self.from_input(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (-1, given)).unbind(1)
        silence = said[0].new_zeros(())
        if self.from_input.bias is not None:
            silence = self.from_input.bias.to(said[0].dtype)[:, None, None]
        state = cell = said[0].new_zeros(len(x), self.channels, *said[0].shape[2:])
        states = []
        kernel = self.from_state.weight  # read once: a spectrally normalised one is made anew at each reading
        for step in range(frames):
            recalled = F.conv2d(state, kernel, padding=self.around)
            now = (said[step] if step < given else silence) + recalled
            enter, forget, leave, content = now.chunk(4, 1)
            cell = forget.sigmoid() * cell + enter.sigmoid() * content.tanh()
            state = leave.sigmoid() * cell.tanh()
            states.append(state)
        return torch.stack(states, 2)
