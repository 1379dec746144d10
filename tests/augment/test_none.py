import torch

from vgen.augment.none import NoAugment
from vgen.clip import Augment, Clip, regular_times


def test_is_the_identity():
    clip = Clip(torch.rand(2, 3, 4, 8, 8), regular_times(2, 4))
    augment = NoAugment()
    assert isinstance(augment, Augment)
    assert augment(clip) is clip
