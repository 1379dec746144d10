"""Begin with the weights of another run, as far as layers are the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vgen.training.video_gan import VideoGAN

PLAYERS = ("generator", "discriminator")
_TOLD = {"generator", "entries"}  # what `vgen.condition.conditioned.Conditioned` always holds
_SHOWN = 4  # modules of a kind that a line names


@dataclass(frozen=True)
class Transfer:
    """What a network took over. All but `share` are names of tensors of its state.

    Attributes:
        loaded: of the same name and shape in both.
        new: only here.
        other: in both, with another shape.
        left: only there.
        share: how much of the network's numbers was loaded.
    """

    loaded: list[str]
    new: list[str]
    other: list[str]
    left: list[str]
    share: float

    def __str__(self) -> str:
        whole = len(self.loaded) + len(self.new) + len(self.other)
        share = 100.0 if len(self.loaded) == whole else min(100 * self.share, 99.9)  # 99.97 is not all
        text = f"{len(self.loaded)} of {whole} tensors loaded ({share:.1f} % of the numbers)"
        for kind, names in (
            ("new", self.new),
            ("of another shape there", self.other),
            ("not wanted here", self.left),
        ):
            if names:
                text += f"; {kind}: {_shown(names)}"
        return text

    def record(self) -> dict[str, Any]:
        """For provenance.json."""
        return {"loaded": len(self.loaded), "new": self.new, "other_shape": self.other, "left": self.left}


def transfer_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> Transfer:
    """Copy into `network` each of `weights` whose name and shape it has; the others stay as they are.

    A generator with conditions (`condition=`) and one without have the same names inside.
    """
    own = network.state_dict()
    weights = _inside(weights, own)
    loaded = [name for name, value in own.items() if name in weights and weights[name].shape == value.shape]
    with torch.no_grad():
        for name in loaded:
            own[name].copy_(weights[name])
    numbers = sum(value.numel() for value in own.values())
    return Transfer(
        loaded=loaded,
        new=[name for name in own if name not in weights],
        other=[name for name in own if name in weights and weights[name].shape != own[name].shape],
        left=[name for name in weights if name not in own],
        share=sum(own[name].numel() for name in loaded) / max(numbers, 1),
    )


def start_from_weights(model: VideoGAN, weights: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Transfer]:
    """Begin `model` with the weights of "generator", "average" and "discriminator", those of them that there are.

    A generator without weights of its own takes those of the average. Where the average takes anything over it goes on
    from there, and otherwise begins with the generator's first step, as usual.
    """
    average = weights.get("average", {})
    taken = {"generator": transfer_weights(model.generator, weights.get("generator", average))}
    if "discriminator" in weights:
        taken["discriminator"] = transfer_weights(model.discriminator, weights["discriminator"])
    # What is new starts alike in the generator and its average.
    transfer_weights(model.generator_average.module, model.generator.state_dict())
    if transfer_weights(model.generator_average.module, average).loaded:
        model.generator_average.n_averaged.fill_(1)
    return taken


def _inside(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """`weights` under the names that they have here, where a generator stands inside its conditions in one of both."""
    here, there = ({name.split(".")[0] for name in names} >= _TOLD for names in (own, weights))
    if here and not there:
        return {f"generator.{name}": value for name, value in weights.items()}
    if there and not here:
        return {name.removeprefix("generator."): value for name, value in weights.items()}
    return weights


def _shown(names: Iterable[str]) -> str:
    """The modules that tensors lie in, the first few by name."""
    modules = list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
    rest = len(modules) - _SHOWN
    return ", ".join(modules[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
