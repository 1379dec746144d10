from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn

from vgen.clip import Clip, Judgement, Step, regular_times


@pytest.fixture
def make_step() -> Callable[..., Step]:
    """A step of float64 clips (B, 2, 3, 4, 4) judged by `judge`, real pixels requiring grad."""

    def make(
        judge: Callable[[Clip], Judgement],
        *,
        label: Tensor | None = None,
        parts: Mapping[str, Tensor] | None = None,
        batch: int = 3,
    ) -> Step:
        rng = torch.Generator().manual_seed(0)
        real, fake = (torch.rand(batch, 2, 3, 4, 4, generator=rng, dtype=torch.float64) for _ in range(2))
        on = [Clip(video, regular_times(batch, 3), label) for video in (real.requires_grad_(), fake)]
        return Step(nn.Identity(), nn.Identity(), judge, *on, judge(on[0]), judge(on[1]), {}, parts or {})

    return make
