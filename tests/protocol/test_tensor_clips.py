import pytest
import torch
from clip_sets import pixels

from vgen.protocol.contract import ClipSet
from vgen.protocol.tensor_clips import TensorClips


def test_it_is_a_clip_set():
    clips = TensorClips(pixels(5, 1), labels=torch.arange(5), info={"fps": 8})
    assert isinstance(clips, ClipSet)
    assert len(clips) == 5
    assert torch.equal(clips.read([3, 1]), clips.pixels[[3, 1]])
    assert clips.info == {"source": "memory", "fps": 8}


def test_a_changed_byte_is_another_identity():
    one = pixels(5, 1)
    other = one.clone()
    other[4, 3, 7, 7, 2] ^= 1
    assert TensorClips(one).identity == TensorClips(one.clone()).identity != TensorClips(other).identity
    assert TensorClips(one).identity != TensorClips(one.reshape(5, 8, 4, 8, 3)).identity


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pixels": pixels(2, 1).float()}, "expected uint8"),
        ({"pixels": pixels(2, 1)[0]}, r"expected uint8 \(N, T, H, W, C\)"),
        ({"pixels": pixels(2, 1), "labels": torch.zeros(3)}, "2 clips came with labels of shape"),
    ],
)
def test_errors(given, said):
    with pytest.raises(ValueError, match=said):
        TensorClips(**given)
