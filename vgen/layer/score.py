"""One number per clip from all that a discriminator says of it."""

from torch import Tensor

from vgen.clip import Judgement


def clip_score(judgement: Judgement) -> Tensor:
    """(B,): each head's logits averaged over its patch positions, summed over heads.

    What a gradient penalty differentiates: the mean over positions keeps its strength independent of the
    number of patches, the sum over heads is the critic that the losses of all heads train.
    """
    scores = [logits.reshape(logits.shape[0], -1).mean(1) for logits in judgement.logits.values()]
    return sum(scores[1:], scores[0])
