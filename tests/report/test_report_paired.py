import itertools
import math

import numpy as np
import pytest

from vgen.report.paired import LARGEST_EXACT, compare_pairs, exact_is_enough, holm


def test_a_worked_example():
    # Differences 1, 2, 3: mean 2, standard error 1/sqrt(3), so t = sqrt(12) with 2 degrees of freedom.
    paired = compare_pairs([11.0, 22.0, 33.0], [10.0, 20.0, 30.0])
    t = math.sqrt(12)
    assert (paired.n, paired.difference) == (3, 2.0)
    assert paired.t_test == pytest.approx(1 - t / math.sqrt(2 + t * t))
    half = 4.302652729749464 / math.sqrt(3)
    assert (paired.low, paired.high) == pytest.approx((2 - half, 2 + half))
    assert paired.sign_flip == 2 / 8


def test_the_interval_excludes_zero_exactly_where_t_is_significant():
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        paired = compare_pairs(rng.normal(0.6, 1, 6), np.zeros(6))
        outcomes.add((paired.t_test < 0.05, paired.low > 0 or paired.high < 0))
    assert outcomes == {(True, True), (False, False)}


def test_sign_flips_are_all_counted():
    differences = np.array([0.4, -0.1, 0.9, 0.3, 0.3, 1.0, -0.2])
    signs = itertools.product((1, -1), repeat=len(differences))
    at_least = [abs(np.dot(s, differences)) >= abs(differences.sum()) - 1e-12 for s in signs]
    assert compare_pairs(differences, np.zeros(7)).sign_flip == pytest.approx(np.mean(at_least))


def test_sign_flips_are_exact_under_the_null():
    # Under symmetric differences P(p <= a) <= a, with equality at multiples of 2/2^n when sums are distinct.
    rng = np.random.default_rng(1)
    ps = [compare_pairs(rng.standard_cauchy(8), np.zeros(8)).sign_flip for _ in range(2000)]
    assert np.mean(np.array(ps) <= 0.0625) == pytest.approx(0.0625, abs=0.018)


def test_pairs_cancel_what_a_seed_adds_to_both():
    noise = np.random.default_rng(2).normal(0, 100, 5)
    ours = noise + np.array([1.0, 1.1, 0.9, 1.05, 0.95])
    assert compare_pairs(ours, noise).t_test < 1e-4


def test_too_little_for_a_test():
    single = compare_pairs([2.0], [1.0])
    assert (single.n, single.difference) == (1, 1.0)
    assert all(math.isnan(x) for x in (single.low, single.high, single.t_test, single.sign_flip))
    same = compare_pairs([1.1, 2.1, 3.1], [1.0, 2.0, 3.0])  # equal but for rounding
    assert math.isnan(same.t_test)
    assert same.low == same.high == same.difference
    assert compare_pairs([1.0, 2.0], [1.0, 2.0]).sign_flip == 1
    for values, baseline in (([], []), ([1.0], [1.0, 2.0])):
        with pytest.raises(ValueError, match="make no pairs"):
            compare_pairs(values, baseline)


def test_exact_only_where_it_can_reach_significance():
    assert not exact_is_enough(5, 1)  # its smallest p is 2/32
    assert exact_is_enough(6, 1)
    assert not exact_is_enough(6, 2)
    assert exact_is_enough(8, 6)
    assert not exact_is_enough(LARGEST_EXACT + 1, 1)
    assert math.isnan(compare_pairs(range(LARGEST_EXACT + 1), [0] * (LARGEST_EXACT + 1)).sign_flip)


def test_holm_steps_down_and_stays_in_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    corrected = holm([math.nan, 0.02])
    assert math.isnan(corrected[0])
    assert corrected[1] == 0.02  # what was not tested does not count
