import pytest
import torch

from vgen.layer.label import one_hot


def test_rows_are_unit_vectors():
    code = one_hot(torch.tensor([2, 0]), 3, dtype=torch.float64)
    assert code.dtype == torch.float64
    assert code.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_missing_labels_say_what_to_set():
    with pytest.raises(ValueError, match=r"generator\.classes=0"):
        one_hot(None, 3, dtype=torch.float32)


@pytest.mark.parametrize("label", [3, -1])
def test_labels_out_of_range_are_named(label: int):
    with pytest.raises(ValueError, match=rf"{label}.*3 classes.*clip\.classes"):
        one_hot(torch.tensor([1, label]), 3, dtype=torch.float32)
