import math

import pytest

from vgen.protocol.verdict import Answer, judge, motion_share, sensitivity


def answer(*values, error=0.1, better=False):
    errors = tuple(error for _ in values)
    return Answer(tuple(range(len(values))), values, errors, better)


@pytest.mark.parametrize(
    ("values", "better", "judgement", "noticed"),
    [
        ((1.0, 2.0, 3.0), False, "graded", (1, 2)),
        ((1.0, 1.1, 3.0, 2.9), False, "graded", (2, 3)),  # the dip is within a standard error
        ((1.0, 4.0, 2.0), False, "uneven", (1, 2)),
        ((1.0, 1.05, 0.9), False, "blind", ()),
        ((1.0, 0.5, 0.2), False, "reversed", ()),
        ((1.0, 0.5, 2.0), False, "uneven", (2,)),
        ((1.0, 0.5, 0.2), True, "graded", (1, 2)),
        ((1.0, 2.0, 3.0), True, "reversed", ()),
        ((1.0, 0.5, 0.2), None, "graded", (1, 2)),
        ((1.0, 2.0, 3.0), None, "graded", (1, 2)),
        ((1.0, 3.0, 0.0), None, "uneven", (1,)),
    ],
)
def test_judgements(values, better, judgement, noticed):
    verdict = judge(answer(*values, better=better))
    assert (verdict.judgement, verdict.noticed) == (judgement, noticed)


def test_strength_is_a_ratio_where_the_clean_value_is_above_its_noise():
    verdict = judge(answer(1.0, 2.0, 4.0))
    assert verdict.ratio == 4.0
    assert verdict.sigmas == pytest.approx(3.0 / math.hypot(0.1, 0.1))
    assert judge(answer(0.05, 2.0)).ratio is None
    assert judge(answer(-0.5, 2.0)).ratio is None
    assert judge(answer(1.0, 2.0, error=None)).sigmas is None


def test_responses_are_in_clean_values_or_else_in_its_noise():
    assert answer(2.0, 4.0, 8.0).response == (0.0, 1.0, 3.0)
    assert answer(2.0, 1.0, better=True).response == (0.0, 0.5)
    assert answer(0.0, 1.0).response == (0.0, 5.0)  # twice the standard error of 0.1
    assert answer(0.0, 1.0, 4.0, error=None).response == (0.0, 0.25, 1.0)
    assert answer(0.0, 0.0, error=0.0).response == (0.0, 0.0)


def test_the_share_of_motion():
    steady, doubled, better = answer(1.0, 1.0), answer(1.0, 2.0), answer(1.0, 0.25)
    assert sensitivity([doubled]) == 1.0
    assert sensitivity([doubled, steady]) == 0.5
    assert sensitivity([better]) == 0.0
    assert motion_share([doubled], [doubled]) == 0.5
    assert motion_share([steady], [doubled]) == 1.0
    assert motion_share([doubled], [answer(1.0, 8.0)]) == 0.75
    assert motion_share([steady], [steady]) is None


@pytest.mark.parametrize("levels", [(0,), (1, 2), (0, 2, 1), (0, 1, 1)])
def test_levels_rise_from_the_clean_clips(levels):
    with pytest.raises(ValueError, match="level"):
        Answer(levels, (1.0,) * len(levels), (None,) * len(levels), False)
