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


def test_a_checkpoint_read_before_the_module_is_on_its_device_goes_on_there() -> None:
    """As Lightning reads it: on an accelerator, what is added next comes as a vector."""
    scalars, resumed = ScalarAverages(), ScalarAverages()
    scalars.add({"a": torch.tensor(1.0), "b": torch.tensor(2.0)}, 0)
    resumed.load_state_dict(scalars.state_dict(), torch.device("cpu"))
    resumed._counts["a", "b"] += 1
    resumed._add_vector(("a", "b"), torch.tensor([3.0, torch.inf]), 1)
    assert resumed.first_non_finite() == ("b", 1)
    assert resumed.flush() == {"a": 2.0, "b": torch.inf}
