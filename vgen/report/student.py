"""Student's t distribution for whole degrees of freedom, where it has a finite closed form."""

import math


def central(t: float, freedom: int) -> float:
    """P(|T| <= t) for t >= 0.

    Abramowitz and Stegun (1964), 26.7.3 (odd degrees of freedom) and 26.7.4 (even ones).

    Raises:
        ValueError: t is negative or NaN, or there is less than one degree of freedom.
    """
    if freedom < 1 or not t >= 0:
        raise ValueError(f"t={t} with {freedom} degrees of freedom: needs t >= 0 and freedom >= 1")
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = total = cosine if odd else 1.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    if not odd:
        return sine * total
    return 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))


def two_sided(t: float, freedom: int) -> float:
    """P(|T| > |t|), to an absolute accuracy of 1e-15."""
    return max(0.0, 1.0 - central(abs(t), freedom))


def quantile(confidence: float, freedom: int) -> float:
    """The t with P(|T| <= t) = confidence: half the width of an interval, in standard errors.

    Raises:
        ValueError: confidence is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}: must be between 0 and 1")
    low, high = 0.0, 1.0
    while central(high, freedom) < confidence:
        low, high = high, 2 * high
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if central(middle, freedom) < confidence else (low, middle)
    return high
