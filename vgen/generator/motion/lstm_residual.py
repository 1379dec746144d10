"""Motion as a walk of the content code through the latent space, step by step along its main directions."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.times import check_equally_spaced


class LSTMResidualMotion(nn.Module):
    """w(t) = w(t-1) + step * sum over i of tanh(W h(t) + b)_i * scale_i * direction_i, from w(1) = the content.

    h(t) are the states of an LSTM driven by noise e(t) ~ N(0, I), which starts from what another LSTM cell makes
    of the content. The synthesis network sees w(t) in place of the content, so any image generator will do.
    Directions are orthonormal. Without a file they are learnt with the rest (a matrix, made orthonormal by QR),
    their scales from 1, the spread of a content N(0, I) in every direction. With a file they are fixed: the
    principal directions and standard deviations of a trained image generator's latent space.

    A linear map of the LSTM's states guesses the noise, for `regularizer=mutual_information`.

    Source: MoCoGAN-HD, Tian et al. 2021, arXiv 2104.15069, §3.1, and snap-research/MoCoGAN-HD: models/rnn.py.

    Args:
        content_dim: width of content and walk.
        label_dim: width of the label code that drives both cells; 0 for none. It moves the walk, so the first
            frame knows nothing of it.
        hidden_dim: width of the LSTM's states.
        noise_dim: width of the noise; None is the content's.
        components: number of directions; None is 384, or the content's width if that is less.
        step: length of a step.
        basis: safetensors file with "components" (k, content_dim), orthonormal rows, and "stdev" (k,), of which
            the first `components` are used.

    Raises:
        ValueError: more components than dimensions, or a file that does not fit.
        FileNotFoundError: no such file.
    """

    frames: int | None = None
    reads_times = False
    moves_content = True

    def __init__(
        self,
        *,
        content_dim: int,
        label_dim: int = 0,
        hidden_dim: int = 384,
        noise_dim: int | None = None,
        components: int | None = None,
        step: float = 0.2,
        basis: str | None = None,
    ):
        super().__init__()
        components = min(384, content_dim) if components is None else components
        if not 1 <= components <= content_dim:
            raise ValueError(
                f"generator.motion.components={components}: there are 1 to {content_dim} orthonormal directions "
                "(generator.content_dim)"
            )
        self.dim = content_dim
        self.noise_dim = content_dim if noise_dim is None else noise_dim
        self.step = step
        self.start = nn.LSTMCell(content_dim + label_dim, hidden_dim)
        self.cell = nn.LSTMCell(self.noise_dim + label_dim, hidden_dim)
        self.amount = nn.Linear(hidden_dim, components)
        self.guess = nn.Linear(2 * hidden_dim, self.noise_dim)
        self.learns_directions = basis is None
        if basis is None:
            self.directions = nn.Parameter(torch.randn(content_dim, components))
            self.scales = nn.Parameter(torch.ones(components))
        else:
            directions, scales = _load_basis(basis, components, content_dim)
            self.register_buffer("directions", directions)
            self.register_buffer("scales", scales)

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The one part "motion_noise" (B, T - 1, noise_dim), drawn frame by frame."""
        steps = [torch.randn(batch, 1, self.noise_dim, generator=rng) for _ in range(times.shape[1] - 1)]
        return {"motion_noise": torch.cat([torch.zeros(batch, 0, self.noise_dim), *steps], 1)}

    def check_times(self, times: Tensor) -> None:
        check_equally_spaced(times, who="generator/motion=lstm_residual")

    def orthonormal_directions(self) -> Tensor:
        """(content_dim, components), columns of length 1 at right angles."""
        return torch.linalg.qr(self.directions).Q if self.learns_directions else self.directions

    def decompose(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> dict[str, Tensor]:
        """The walk and what was made of its noise.

        Returns:
            "code": (B, T, content_dim), the content first.
            "motion_noise", "motion_noise_guess": (B, T - 1, noise_dim), the noise and the guess of it.
        """
        noise = latent["motion_noise"]
        if noise.shape[1] != times.shape[1] - 1:
            raise ValueError(
                f"motion noise for {noise.shape[1] + 1} frames cannot make {times.shape[1]} frames"
            )

        def beside_label(x: Tensor) -> Tensor:
            return x if label_code is None else torch.cat([x, label_code], 1)

        content = latent["content"]
        state, memory = self.start(beside_label(content))
        states = []
        for shock in noise.unbind(1):
            state, memory = self.cell(beside_label(shock), (state, memory))
            states.append(torch.cat([state, memory], 1))
        if not states:
            return {"code": content[:, None], "motion_noise": noise, "motion_noise_guess": noise}
        both = torch.stack(states, 1)  # (B, T - 1, 2 hidden)
        amounts = self.amount(both.chunk(2, 2)[0]).tanh() * self.scales  # (B, T - 1, components)
        path = self.step * (amounts @ self.orthonormal_directions().T).cumsum(1)
        code = content[:, None] + torch.cat([torch.zeros_like(path[:, :1]), path], 1)
        return {"code": code, "motion_noise": noise, "motion_noise_guess": self.guess(both)}

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        """The walk (B, T, content_dim)."""
        return self.decompose(latent, times, label_code)["code"]


def _load_basis(file: str, components: int, content_dim: int) -> tuple[Tensor, Tensor]:
    """Directions (content_dim, components) and scales (components,) from a safetensors file."""
    if not Path(file).is_file():
        raise FileNotFoundError(f"generator.motion.basis={file}: no such file")
    held = load_file(file)
    if not {"components", "stdev"} <= held.keys():
        raise ValueError(f"generator.motion.basis={file}: holds {sorted(held)}, not components and stdev")
    rows, spread = held["components"], held["stdev"]
    if rows.ndim != 2 or rows.shape[1] != content_dim or len(rows) < components or len(spread) != len(rows):
        raise ValueError(
            f"generator.motion.basis={file}: components {tuple(rows.shape)} and stdev {tuple(spread.shape)} do not "
            f"give {components} directions of width {content_dim} (generator.content_dim)"
        )
    rows = rows[:components].float()
    if not torch.allclose(rows @ rows.T, torch.eye(components), atol=1e-3):
        raise ValueError(f"generator.motion.basis={file}: the rows of components are not orthonormal")
    return rows.T.contiguous(), spread[:components].float()
