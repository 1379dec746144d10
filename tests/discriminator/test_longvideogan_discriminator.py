import pytest
import torch

from vgen.clip import Clip, Discriminator, regular_times
from vgen.discriminator.longvideogan import LongVideoGANDiscriminator


def clip(frames: int, size: int = 16, label: torch.Tensor | None = None) -> Clip:
    torch.manual_seed(1)
    return Clip(torch.randn(2, 3, frames, size, size), regular_times(2, frames), label)


def test_parameters_of_the_paper():
    with torch.device("meta"):
        judge = LongVideoGANDiscriminator()
    assert round(sum(parameter.numel() for parameter in judge.parameters()) / 1e6, 2) == 46.42
    assert judge.hidden.weight.shape == (1024, 16 * 1024)  # 128 frames become 16 vectors


@pytest.mark.parametrize(("frames", "left"), [(1, 1), (3, 3), (4, 2), (9, 2), (16, 2), (33, 4)])
@pytest.mark.parametrize("size", [8, 16, 128])
def test_any_length_and_size(frames: int, left: int, size: int):
    if size == 128 and frames > 4:
        frames, left = 4, 2
    torch.manual_seed(0)
    judge = LongVideoGANDiscriminator(size=size, frames=frames, base_channels=1)
    assert isinstance(judge, Discriminator)
    judged = judge(clip(frames, size))
    assert judged.logits["video"].shape == (2,)
    assert judge.hidden.weight.shape[1] == left * 32
    judged.logits["video"].sum().backward()
    for name, parameter in judge.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_the_class_is_heard_and_clips_do_not_leak():
    torch.manual_seed(0)
    judge = LongVideoGANDiscriminator(size=16, frames=8, base_channels=2, classes=3)
    label = torch.tensor([0, 2])
    both = judge(clip(8, label=label)).logits["video"]
    alone = clip(8, label=label)
    alone = Clip(alone.video[:1], alone.times[:1], label[:1])
    torch.testing.assert_close(judge(alone).logits["video"], both[:1])
    assert not torch.allclose(judge(clip(8, label=label.flip(0))).logits["video"], both)
    with pytest.raises(ValueError, match=r"clip\.frames"):
        judge(clip(7, label=label))
