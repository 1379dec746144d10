"""Free codes: what unlabelled clips may differ in, drawn for each clip and to be read off it again."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.clip import Latent

_SHOWN = 5  # values of a continuous code in a grid


class FreeCodes(nn.Module):
    """Categorical and continuous codes that join a generator's noise: a condition (`vgen.condition.conditioned`).

    A categorical code is uniform over its values, a continuous one U(-1, 1). A generator has no reason to use them
    before a discriminator reads them off its clips: regularizer=free_codes. The defaults are those for MNIST of InfoGAN
    (Chen et al. 2016, arXiv 1606.03657; openai/InfoGAN: launchers/run_mnist_exp.py). There the codes stand beside the
    noise; here they are added to it by a linear map, which any generator can take.

    Parts of the latent: "code_categories" (B, n) int64 and "code_continuous" (B, c). Parts that it tells:
    "code_category_0" (B, K), ... of zeros and a one, and "code_continuous".

    Args:
        categories: number of values of each categorical code.
        continuous: number of continuous codes.

    Raises:
        ValueError: no code at all, or a categorical one with one value.
    """

    given_frames = 0
    keeps_noise = True

    def __init__(self, *, categories: Sequence[int] = (10,), continuous: int = 2):
        super().__init__()
        if any(values < 2 for values in categories) or continuous < 0:
            raise ValueError(
                f"condition.codes.categories={list(categories)} must be numbers of at least 2, and "
                f"continuous={continuous} at least 0"
            )
        if not categories and not continuous:
            raise ValueError("condition.codes has no code: give categories or continuous")
        self.categories = tuple(categories)
        self.continuous = continuous
        self.shape = (sum(categories) + continuous, 1, 1)

    def sample(self, batch: int, rng: torch.Generator) -> Latent:
        """The codes of `batch` clips."""
        drawn = {}
        if self.categories:
            values = [torch.randint(count, (batch,), generator=rng) for count in self.categories]
            drawn["code_categories"] = torch.stack(values, 1)
        if self.continuous:
            drawn["code_continuous"] = 2 * torch.rand(batch, self.continuous, generator=rng) - 1
        return drawn

    def forward(self, latent: Latent, times: Tensor) -> Tensor:
        """All codes side by side, (B, D, 1, 1)."""
        return torch.cat(list(self._codes(latent).values()), 1)[:, :, None, None]

    def finish(self, made: dict[str, Tensor], latent: Latent) -> dict[str, Tensor]:
        """`made` with the codes."""
        return made | self._codes(latent)

    def values(self, latent: Latent) -> list[Latent]:
        """`latent` with one code set to one value in all clips: each categorical code's values, then five of each
        continuous one's.
        """
        changed = []
        for number, count in enumerate(self.categories):
            for value in range(count):
                codes = latent["code_categories"].clone()
                codes[:, number] = value
                changed.append(latent | {"code_categories": codes})
        for number in range(self.continuous):
            for value in torch.linspace(-1, 1, _SHOWN):
                codes = latent["code_continuous"].clone()
                codes[:, number] = value
                changed.append(latent | {"code_continuous": codes})
        return changed

    def _codes(self, latent: Latent) -> dict[str, Tensor]:
        dtype = next(part.dtype for part in latent.values() if part.is_floating_point())
        codes = {
            f"code_category_{number}": F.one_hot(latent["code_categories"][:, number], count).to(dtype)
            for number, count in enumerate(self.categories)
        }
        return codes | ({"code_continuous": latent["code_continuous"]} if self.continuous else {})
