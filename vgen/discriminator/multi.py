"""Several discriminators as one."""

from collections.abc import Mapping

import torch
from torch import nn

from vgen.clip import Clip, Judgement
from vgen.discriminator.head.view import View


class MultiDiscriminator(nn.Module):
    """Any discriminators side by side, each with its own view of the clip and its own weight.

    The logits and features of head "a" are called "a" where its judge gives one, else "a_" and the judge's own name.
    A head's weight multiplies its adversarial loss; gradient penalties see the plain sum over heads. The class logits
    of heads that classify are averaged.

    Args:
        heads: name -> what it sees and who judges that.
    """

    def __init__(self, *, heads: Mapping[str, View]):
        super().__init__()
        if not heads:
            raise ValueError(
                "discriminator=multi has no heads; add one: +discriminator/head@discriminator.heads.NAME=view"
            )
        self.heads = nn.ModuleDict(heads)

    def forward(self, clip: Clip) -> Judgement:
        logits, features, weights, classes = {}, {}, {}, []
        for name, view in self.heads.items():
            judgement: Judgement = view(clip)
            for inner, value in judgement.logits.items():
                head = _joined(name, inner, alone=len(judgement.logits) == 1)
                if head in logits:
                    raise ValueError(
                        f"two heads are called {head}; name the heads of discriminator=multi otherwise"
                    )
                logits[head] = value
                weights[head] = view.weight * judgement.weights.get(inner, 1.0)  # pyright: ignore[reportOperatorIssue]
            for inner, value in judgement.features.items():
                features[_joined(name, inner, alone=len(judgement.features) == 1)] = value
            if judgement.class_logits is not None:
                classes.append(judgement.class_logits)
        class_logits = torch.stack(classes).mean(0) if classes else None
        return Judgement(logits, class_logits, features, weights)


def _joined(head: str, inner: str, *, alone: bool) -> str:
    return head if alone else f"{head}_{inner}"
