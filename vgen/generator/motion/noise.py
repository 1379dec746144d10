"""Motion without order: an independent code for every frame."""

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.keyed_noise import clip_seeds, keyed_normal
from vgen.layer.label import append_label


class NoiseMotion(nn.Module):
    """A code N(0, I) per frame, independent of all others: frames that share nothing but the content.

    The code belongs to clip and time: it is the same in a longer clip, in a part of it, or drawn again.

    Args:
        motion_dim: width of the code.
        content_dim: width of the content code, which this source does not read.
        label_dim: width of the label code that is appended to each code; 0 for none.
    """

    frames: int | None = None
    reads_times = True
    moves_content = False

    def __init__(self, *, motion_dim: int = 10, content_dim: int = 0, label_dim: int = 0):
        super().__init__()
        self.motion_dim = motion_dim
        self.dim = motion_dim + label_dim

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "motion_noise" (B, T, motion_dim)."""
        seeds = clip_seeds(batch, rng)
        # Adding zero makes -0.0 the time 0.0.
        keys = [[(time + 0.0).hex() for time in row] for row in times.expand(batch, -1).tolist()]
        return {"motion_noise": keyed_normal(seeds, keys, self.motion_dim)}

    def latent_at(self, latent: Latent, known: Tensor, times: Tensor, rng: torch.Generator) -> Latent:
        """`latent` of times `known` (T,) for `times` (B, T'): the codes of times that it has, drawn ones of others."""
        moved = self.sample_latent(len(times), times, rng)["motion_noise"]
        place = {time: number for number, time in enumerate(known.tolist())}
        for row, at in enumerate(times.tolist()):
            for number, time in enumerate(at):
                if time in place:
                    moved[row, number] = latent["motion_noise"][row, place[time]]
        return {"motion_noise": moved}

    def check_times(self, times: Tensor) -> None:
        """Any."""

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        noise = latent["motion_noise"]
        if noise.shape[1] != times.shape[1]:
            raise ValueError(f"motion noise for {noise.shape[1]} frames cannot make {times.shape[1]} frames")
        return append_label(noise, label_code)
