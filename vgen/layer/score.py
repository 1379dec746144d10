"""One number per clip from all that a discriminator says of it."""

import torch
from torch import Tensor

from vgen.clip import Judgement


def clip_score(judgement: Judgement) -> Tensor:
    """(B,): each head's logits averaged over its patch positions, summed over heads.

    What a gradient penalty differentiates: the mean over positions keeps its strength independent of the
    number of patches, the sum over heads is the critic that the losses of all heads train.
    """
    scores = [logits.reshape(logits.shape[0], -1).mean(1) for logits in judgement.logits.values()]
    return sum(scores[1:], scores[0])


def score_gradient(judgement: Judgement, video: Tensor) -> Tensor:
    """d score / d video of each clip, shaped like `video`; itself differentiable. `video` must require grad."""
    (gradient,) = torch.autograd.grad(clip_score(judgement).sum(), video, create_graph=True)
    return gradient
