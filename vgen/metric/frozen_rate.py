"""How many clips stand still, and how many steps do."""

from torch import Tensor

from vgen.metric.per_clip import PerClip


def frozen(change: Tensor, *, eps: float) -> Tensor:
    """1 for every clip of which no frame differs from the first by more than `eps` grey levels, else 0; (N,).

    `change` (N, T - 1, 3) is what `vgen.extractor.change` makes: differences of the mean colour of the cell that
    changes most. A mean over all pixels would call a clip frozen in which something small moves.
    """
    return (change[:, :, 2].amax(dim=1) <= eps).to(change.dtype)


def frozen_steps(change: Tensor, *, eps: float) -> Tensor:
    """Share (N,) of the T - 1 steps from frame to frame of every clip that change no cell by more than `eps`."""
    return (change[:, :, 1] <= eps).to(change.dtype).mean(dim=1)


class FrozenRate(PerClip):
    """`frozen_rate/change`, the share of frozen clips, and `frozen_steps/change`, of frozen steps: both in [0, 1].

    Lower is better for the first. Steps stand still in real videos too (a duplicated frame, a pause), so compare
    the second with the real clips' value; many more are stutter.

    Args:
        eps: grey levels, 0 to 255, that still count as no change. Codecs change still pictures by up to 3 from frame to
            frame.
    """

    names = ("frozen_rate", "frozen_steps")
    reads = "change"
    axes = "clips, pairs of frames, differences"

    def __init__(self, *, eps: float = 4.0) -> None:
        super().__init__()
        if eps < 0:
            raise ValueError(f"eps={eps:g} of the frozen rate; expected 0 grey levels or more")
        self.eps = eps

    @property
    def stamp(self) -> str:
        return f"eps{self.eps:g}"

    def per_clip(self, features: Tensor) -> dict[str, Tensor]:
        return {
            "frozen_rate": frozen(features, eps=self.eps),
            "frozen_steps": frozen_steps(features, eps=self.eps),
        }
