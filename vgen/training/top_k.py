"""Top-k training: only the generated clips that the discriminator takes most for real train the generator."""

from dataclasses import replace

from torch import Tensor

from vgen.clip import Judgement
from vgen.layer.score import clip_score


def best_rows(on_real: Judgement, on_fake: Judgement, share: float) -> tuple[Judgement, Judgement]:
    """The judgements of the generated clips with the highest scores, a `share` in (0, 1] of all, and of their partners.

    At least one clip stays. A score is the sum over heads of the mean of a head's logits. The best are sought among
    the clips that are judged together: each process's, and each accumulated part's, own.

    Source: Sinha et al. 2020, arXiv 2002.06224; there k falls from the whole batch to a given share of it
    (here by training.schedules.top_k).
    """
    if share >= 1:
        return on_real, on_fake
    score = clip_score(on_fake).detach()
    rows = score.topk(max(1, round(share * len(score)))).indices
    return _rows(on_real, rows), _rows(on_fake, rows)


def _rows(judgement: Judgement, rows: Tensor) -> Judgement:
    return replace(judgement, logits={head: logits[rows] for head, logits in judgement.logits.items()})
