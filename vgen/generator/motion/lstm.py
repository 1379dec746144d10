"""Motion codes as mapped states of an LSTM driven by noise."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.label import append_label
from vgen.layer.mapping import MappingNetwork
from vgen.layer.times import check_equally_spaced


class LSTMMotion(nn.Module):
    """v(t) = mapping(h(t), label), h(t) the states of an LSTM driven by [e(t), label], e(t) ~ N(0, I).

    It starts from zeros. Makes any number of equally spaced frames, and the first frames of a longer clip are those of
    a shorter one.

    Source: MoCoGAN+SG2 of StyleGAN-V, Skorokhodov et al. 2022, arXiv 2112.14683, §4; universome/stylegan-v:
    src/training/motion.py and configs/model/mocogan.yaml.

    Args:
        motion_dim: width of codes.
        noise_dim: width of the noise and of the states.
        mapping_layers: of the mapping network.
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that joins noise and states; 0 for none.
    """

    frames: int | None = None
    reads_times = False
    moves_content = False

    def __init__(
        self,
        *,
        motion_dim: int = 512,
        noise_dim: int = 512,
        mapping_layers: int = 2,
        content_dim: int = 0,
        label_dim: int = 0,
    ):
        super().__init__()
        self.dim = motion_dim
        self.noise_dim = noise_dim
        self.cell = nn.LSTMCell(noise_dim + label_dim, noise_dim)
        self.mapping = MappingNetwork(
            noise_dim, motion_dim, label_dim=label_dim, layers=mapping_layers, decay=None
        )

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "motion_noise" (B, T, noise_dim), drawn frame by frame."""
        noise = [torch.randn(batch, self.noise_dim, generator=rng) for _ in range(times.shape[1])]
        return {"motion_noise": torch.stack(noise, 1)}

    def check_times(self, times: Tensor) -> None:
        check_equally_spaced(times, who="generator/motion=lstm")

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        noise = latent["motion_noise"]
        if noise.shape[1] != times.shape[1]:
            raise ValueError(f"motion noise for {noise.shape[1]} frames cannot make {times.shape[1]} frames")
        # A loop over the cell: the fused recurrence of accelerators cannot be differentiated twice.
        zeros = noise.new_zeros(len(noise), self.noise_dim)
        state = (zeros, zeros)
        states = []
        for step in append_label(noise, label_code).unbind(1):
            state = self.cell(step, state)
            states.append(state[0])
        heard = torch.stack(states, 1).flatten(0, 1)  # (B*T, noise_dim)
        label = None if label_code is None else label_code.repeat_interleave(times.shape[1], 0)
        return self.mapping(heard, label).unflatten(0, times.shape)
