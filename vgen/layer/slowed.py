"""Part of a network that learns at another rate than the rest, under one optimizer."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Slowed(nn.Module):
    """What `module` computes, its parameters being kept divided by `rate` and multiplied by it when they are used.

    A step of a given length, as Adam's are whatever the scale of gradients, then changes them `rate` times as much.
    Built from a module that is initialised already.
    """

    def __init__(self, module: nn.Module, rate: float):
        super().__init__()
        if rate <= 0:
            raise ValueError(f"the rate of a slowed part must be above 0, not {rate}")
        self.module = module
        self.rate = rate
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.div_(rate)

    def forward(self, x: Tensor) -> Any:
        used = {name: parameter * self.rate for name, parameter in self.module.named_parameters()}
        return functional_call(self.module, used, (x,))
