"""Motion codes as the states of a recurrent network driven by noise."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.times import check_equally_spaced


class GRUMotion(nn.Module):
    """h(t) = GRU(h(t-1), [e(t), label]) with h(0), e(t) ~ N(0, I); the code of frame t is h(t).

    Makes any number of equally spaced frames, and the first frames of a longer clip are those of a shorter
    one.

    Source: MoCoGAN, Tulyakov et al. 2018, arXiv 1707.04993, §3; the initial state is noise as in its code.

    Args:
        motion_dim: width of codes and of the noise.
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that joins the noise at every frame; 0 for none.
    """

    frames: int | None = None
    reads_times = False
    moves_content = False

    def __init__(self, *, motion_dim: int = 10, content_dim: int = 0, label_dim: int = 0):
        super().__init__()
        self.dim = motion_dim
        self.label_dim = label_dim
        self.cell = nn.GRUCell(motion_dim + label_dim, motion_dim)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The parts "motion_start" (B, dim) and "motion_noise" (B, T, dim), drawn frame by frame."""
        start, *noise = (torch.randn(batch, self.dim, generator=rng) for _ in range(1 + times.shape[1]))
        return {"motion_start": start, "motion_noise": torch.stack(noise, 1)}

    def check_times(self, times: Tensor) -> None:
        check_equally_spaced(times, who="generator/motion=gru")

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        noise = latent["motion_noise"]
        if noise.shape[1] != times.shape[1]:
            raise ValueError(f"motion noise for {noise.shape[1]} frames cannot make {times.shape[1]} frames")
        # A loop over the cell: the fused recurrence of accelerators cannot be differentiated twice.
        state, codes = latent["motion_start"], []
        for step in noise.unbind(1):
            state = self.cell(step if label_code is None else torch.cat([step, label_code], 1), state)
            codes.append(state)
        return torch.stack(codes, 1)  # (B, T, dim)
