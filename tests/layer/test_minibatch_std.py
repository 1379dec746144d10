import pytest
import torch
from two_halves import as_processes

from vgen.layer.minibatch_std import MinibatchStd


def clips() -> torch.Tensor:
    return torch.randn(6, 3, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_the_mean_deviation_stands_beside_the_channels():
    x = clips()
    out = MinibatchStd()(x)
    assert torch.equal(out[:, :3], x)
    spread = x.std(0, correction=0).mean().item()
    assert out[:, 3].unique().tolist() == pytest.approx([spread], rel=1e-6)


def test_two_processes_see_the_whole_batch():
    x = clips()
    split = as_processes(lambda part: MinibatchStd()(part), [*x.chunk(2)])
    torch.testing.assert_close(torch.cat(split), MinibatchStd()(x))


def test_equal_clips_have_no_spread_and_finite_gradients():
    x = clips()[:1].repeat(4, 1, 1, 1, 1).requires_grad_()
    out = MinibatchStd()(x)
    assert out[:, 3].max() < 1e-3
    (gradient,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert x.grad.isfinite().all()


def test_differentiable_twice():
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(MinibatchStd(), (x,))
    assert torch.autograd.gradgradcheck(MinibatchStd(), (x,))


@pytest.mark.parametrize("frames", [1, 2])
def test_groups_of_neighbours(frames: int):
    """Frames of a clip are never compared with each other."""
    x = torch.randn(8 * frames, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = MinibatchStd(group=4)(x, frames)
    clips = x.view(8, frames, 3, 4)
    for first in (0, 4):
        for frame in range(frames):
            spread = clips[first : first + 4, frame].std(0, correction=0).mean().item()
            seen = out.view(8, frames, 4, 4)[first : first + 4, frame, 3].unique().tolist()
            assert seen == pytest.approx([spread], rel=1e-6)
    assert torch.autograd.gradgradcheck(MinibatchStd(4), (x[:4, :, :2].clone().requires_grad_(), frames))


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_groups_do_not_depend_on_processes(processes: int):
    """Neither where they lie within a process, nor where one group is all there is."""
    x = torch.randn(8, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for group, whole in ((2, x), (4, x[:4])):
        split = as_processes(lambda part, group=group: MinibatchStd(group)(part), [*whole.chunk(processes)])
        torch.testing.assert_close(torch.cat(split), MinibatchStd(group)(whole))


def test_a_group_has_members():
    with pytest.raises(ValueError, match="minibatch_group=0"):
        MinibatchStd(0)
