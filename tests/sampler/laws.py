"""How far drawn counts lie from a law."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping

import torch


def surprise(drawn: Iterable[Hashable], law: Mapping[Hashable, float]) -> float:
    """The p-value of Pearson's chi^2 for the outcomes `drawn`; 0 for one that the law does not have."""
    counts = Counter(drawn)
    if counts.keys() - law.keys() or abs(sum(law.values()) - 1) > 1e-9:
        return 0.0
    total = sum(counts.values())
    expected = [total * chance for chance in law.values()]
    assert min(expected) > 5, "too few draws for the test"
    chi2 = sum((counts[o] - e) ** 2 / e for o, e in zip(law, expected, strict=True))
    freedom, half = torch.tensor([len(law) - 1, chi2], dtype=torch.float64) / 2
    return float(torch.special.gammaincc(freedom, half))
