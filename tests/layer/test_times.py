import pytest
import torch

from vgen.clip import regular_times
from vgen.layer.times import check_equally_spaced


def test_equal_steps_pass_whatever_each_clips_stride():
    check_equally_spaced(regular_times(2, 16, 1 / 3), who="x")
    check_equally_spaced(torch.tensor([[0.0, 1, 2], [5.0, 9, 13]]), who="x")
    check_equally_spaced(torch.zeros(2, 1), who="x")


def test_unequal_steps_name_the_clip_and_the_cure():
    with pytest.raises(ValueError, match=r"^thing .*\[0\.0, 3\.0, 4\.0\]; set sampler=consecutive"):
        check_equally_spaced(torch.tensor([[0.0, 1, 2], [0.0, 3, 4]]), who="thing")
