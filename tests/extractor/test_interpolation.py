import pytest
import torch
from moving import translating_clip

from vgen.extractor.interpolation import Interpolation


def errors(clip):
    return Interpolation()(clip)["interpolation"]


def test_steady_motion_is_interpolated():
    clip = translating_clip((2.0, 1.0), frames=5)
    blended = (clip[:, :-2:2].float() + clip[:, 2::2].float()) / 2
    error_of_blending = (blended - clip[:, 1:-1:2].float()).abs().mean()
    assert errors(clip).shape == (1, 2)
    assert errors(clip).mean() < error_of_blending / 4


def test_what_is_not_smooth_has_larger_errors():
    clip = translating_clip((1.0, 0.0), frames=7)
    jerky = clip[:, [0, 2, 1, 4, 3, 6, 5]]
    stutter = clip[:, [0, 0, 2, 2, 4, 4, 6]]
    assert errors(jerky).mean() > 3 * errors(clip).mean()
    assert errors(stutter).mean() > 3 * errors(clip).mean()


def test_frozen_clip_and_short_clip():
    frame = translating_clip((0, 0), frames=1)
    assert not errors(frame.expand(-1, 4, -1, -1, -1)).any()
    # of an even number of frames the last has no later neighbour
    assert errors(frame.expand(-1, 6, -1, -1, -1)).shape == (1, 2)
    with pytest.raises(ValueError, match="at least 3 frames"):
        Interpolation()(torch.zeros(1, 2, 8, 8, 3, dtype=torch.uint8))
