import sys

import numpy as np
import pytest

from vgen.data.digits import SIDE, Digits, keys
from vgen.data.scikit import handwritten_digits, need_scikit


def test_digits_are_the_handwritten_ones():
    """Cut out and averaged over its cells, a digit is the picture of 8x8 pixels that it was drawn from."""
    digits = Digits(size=128, videos=30, most=1, label="digit")
    pictures, kinds = handwritten_digits()
    cell = SIDE * 128 / 8
    for i in range(30):
        (which,) = digits.factors(i)["pictures"]
        assert kinds[which] == digits.label(i) == digits.factors(i)["digits"][0]
        frame = digits.read(i, np.array([4]))[0, :, :, 0].astype(float)
        x, y = (np.rint(digits.corner(i, np.array([4]))[0, 0] * 128)).astype(int)
        edges = np.rint(np.arange(9) * cell).astype(int)
        rows = np.add.reduceat(frame[y : y + edges[8]], edges[:8], axis=0)
        seen = np.add.reduceat(rows[:, x : x + edges[8]], edges[:8], axis=1)
        assert np.corrcoef(seen.ravel(), pictures[which].ravel())[0, 1] > 0.93
        outside = frame.sum() - frame[max(y - 2, 0) : y + 58, max(x - 2, 0) : x + 58].sum()
        assert outside == 0


def test_digits_fly_straight_and_bounce():
    digits = Digits(videos=20, frames=300)
    for i in range(20):
        corner, factors = digits.corner(i, np.arange(300)), digits.factors(i)
        assert corner.min() >= 0
        assert corner.max() <= 1 - SIDE
        assert corner[0] == pytest.approx(factors["position"])
        step = np.abs(np.diff(corner, axis=0))
        straight = np.isclose(step, np.abs(factors["velocity"]))
        assert straight.mean() > 0.8
        assert (step <= np.abs(factors["velocity"]) + 1e-12).all()
        assert (~straight).any()


def test_overlapping_digits_show_the_brighter_pixel():
    digits = Digits(videos=10, least=2, most=2)
    alone = []
    for i in range(10):
        frames = digits.read(i, np.arange(20))
        for number in (0, 1):
            factors = digits.factors(i)
            single = Digits(videos=10, most=1)
            single.factors = (
                lambda _, n=number, f=factors: {  # type: ignore[method-assign]
                    key: value[n : n + 1] for key, value in f.items()
                }
            )
            alone.append(single.read(i, np.arange(20)))
        assert np.array_equal(frames, np.maximum(*alone[-2:]))


def test_splits_share_no_picture():
    train, test = (
        {picture for i in range(600) for picture in digits.factors(i)["pictures"]}
        for digits in (Digits(videos=600, split=split) for split in ("train", "test"))
    )
    assert len(train) > 400
    assert len(test) > 200
    assert not train & test
    assert Digits(split="train").fingerprint != Digits(split="test").fingerprint


def test_classes_are_counts_or_digits():
    assert Digits(least=2).classes == ["2 digits", "3 digits"]
    assert Digits(most=1, label="digit").classes == list("0123456789")
    counted = Digits(videos=40, least=2)
    assert all(len(counted.factors(i)["digits"]) == 2 + counted.label(i) for i in range(40))


def test_the_kernel_interpolates_and_adds_up_to_one():
    assert keys(np.arange(-3.0, 4)).tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert keys(np.arange(-3, 4) + np.linspace(0, 1, 11)[:, None]).sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label": "digit"}, r"data.label=digit: several digits have no one class; set data.most=1"),
        ({"label": "kind"}, r"data.label is 'kind': choose count or digit"),
        ({"split": "all"}, r"data.split is 'all': choose train or test"),
        ({"most": 4}, r"data.least=1, data.most=4: choose numbers of digits from 1 to 3"),
    ],
)
def test_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        Digits(**arguments)


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        ValueError, match=r"data=digits needs the package scikit-learn .*vgen\[scikit-learn\]"
    ):
        need_scikit("digits")
