"""Running means and the blame for the first NaN."""

import torch

from vgen.training.scalars import ScalarAverages


def test_means_over_the_steps_in_which_a_scalar_appeared() -> None:
    scalars = ScalarAverages()
    for step in range(4):
        scalars.add({"a": torch.tensor(float(step)), "b": torch.tensor(1.0)}, step)
        if step % 2 == 0:
            scalars.add({"lazy": torch.tensor(10.0 + step)}, step)
    assert scalars.flush() == {"a": 1.5, "b": 1.0, "lazy": 11.0}
    assert scalars.flush() == {}


def test_one_mean_over_steps_with_and_without_a_lazy_term() -> None:
    scalars = ScalarAverages()
    for step in range(4):
        lazy = {"penalty": torch.tensor(5.0)} if step == 0 else {}
        scalars.add({"loss": torch.tensor(float(step)), **lazy}, step)
    assert scalars.flush() == {"loss": 1.5, "penalty": 5.0}


def test_the_first_bad_term_is_named() -> None:
    scalars = ScalarAverages()
    scalars.add({"a": torch.tensor(1.0), "b": torch.tensor(2.0)}, 6)
    assert scalars.first_non_finite() is None
    scalars.add({"a": torch.tensor(1.0), "b": torch.tensor(float("inf"))}, 7)
    scalars.add({"a": torch.tensor(float("nan")), "b": torch.tensor(2.0)}, 8)
    assert scalars.first_non_finite() == ("b", 7)
