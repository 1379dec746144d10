import math

import pytest

from vgen.report.student import central, quantile, two_sided


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 7.5])
def test_the_first_distributions_are_their_textbook_forms(t):
    assert central(t, 1) == pytest.approx(2 / math.pi * math.atan(t), abs=1e-15)
    assert central(t, 2) == pytest.approx(t / math.sqrt(2 + t * t), abs=1e-15)
    three = 2 / math.pi * (math.atan(t / math.sqrt(3)) + math.sqrt(3) * t / (3 + t * t))
    assert central(t, 3) == pytest.approx(three, abs=1e-15)


@pytest.mark.parametrize("freedom", [1, 2, 5, 8, 29])
def test_probabilities_are_the_integral_of_the_density(freedom):
    def density(x):
        logs = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
        return math.exp(logs - (freedom + 1) / 2 * math.log1p(x * x / freedom))

    n, end = 2000, 3.0
    ends = density(0) + density(end)
    inner = sum((4 if i % 2 else 2) * density(i * end / n) for i in range(1, n))
    assert central(end, freedom) == pytest.approx(2 * end / n / 3 * (ends + inner), abs=1e-11)


def test_many_degrees_of_freedom_are_the_normal_distribution():
    assert two_sided(1.96, 100_000) == pytest.approx(math.erfc(1.96 / math.sqrt(2)), abs=1e-5)


@pytest.mark.parametrize(("freedom", "value"), [(1, 12.7062), (2, 4.30265), (3, 3.18245), (30, 2.04227)])
def test_quantiles_are_those_of_the_printed_tables(freedom, value):
    assert quantile(0.95, freedom) == pytest.approx(value, rel=1e-5)
    assert central(quantile(0.95, freedom), freedom) == pytest.approx(0.95, abs=1e-14)


def test_nonsense_is_refused():
    for t, freedom in ((math.nan, 3), (-1.0, 3), (1.0, 0)):
        with pytest.raises(ValueError, match="degrees of freedom"):
            central(t, freedom)
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile(1.0, 3)
