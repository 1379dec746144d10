from functools import partial

import pytest
import torch
from torch import Tensor, nn

from vgen import rng
from vgen.clip import Generator, Latent, regular_times
from vgen.generator.framewise import Framewise
from vgen.generator.motion.gru import GRUMotion
from vgen.generator.synthesis.dcgan import DCGAN


def mocogan(size: int = 8, **arguments) -> Framewise:
    torch.manual_seed(0)
    small = partial(DCGAN, size=size, base_channels=4)
    return Framewise(
        **{"motion": partial(GRUMotion, motion_dim=3), "synthesis": small, "content_dim": 5} | arguments
    )


class Ramp(nn.Module):
    """The code of frame t of clip b is [latent "start" + t, the label code]."""

    frames = None
    reads_times = False
    moves_content = False

    def __init__(self, *, content_dim: int, label_dim: int):
        super().__init__()
        self.dim = 1 + label_dim

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        return {"start": torch.rand(batch, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        pass

    def forward(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        codes = (latent["start"][:, None] + times)[:, :, None]
        if label_code is None:
            return codes
        return torch.cat([codes, label_code[:, None].expand(-1, times.shape[1], -1)], 2)


class Walk(Ramp):
    """The content plus t, in the content's place; tells its times beside it."""

    moves_content = True

    def __init__(self, *, content_dim: int, label_dim: int):
        super().__init__(content_dim=content_dim, label_dim=label_dim)
        self.dim = content_dim

    def decompose(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> dict[str, Tensor]:
        return {"code": latent["content"][:, None] + times[:, :, None], "clock": times}


class Show(nn.Module):
    """A frame whose single row of pixels is its code."""

    def __init__(self, *, content_dim: int, motion_dim: int, label_dim: int):
        super().__init__()
        self.widths = content_dim + label_dim, motion_dim

    def forward(self, content: Tensor, motion: Tensor) -> Tensor:
        assert (content.shape[1], motion.shape[1]) == self.widths
        return torch.cat([content, motion], 1)[:, None, None, :]


@pytest.mark.parametrize("label_to", ["motion", "synthesis", "both"])
def test_each_frame_gets_its_own_clips_content_label_and_motion(label_to):
    generator = Framewise(motion=Ramp, synthesis=Show, content_dim=1, classes=2, label_to=label_to)
    latent = {"content": torch.tensor([[100.0], [200.0], [300.0]]), "start": torch.tensor([0.0, 10.0, 20.0])}
    label = torch.tensor([1, 0, 1])
    video = generator(latent, regular_times(3, 4), label)
    assert video.shape == (3, 1, 4, 1, 6 if label_to == "both" else 4)
    for clip in range(3):
        for frame in range(4):
            content, motion = 100.0 * (clip + 1), 10.0 * clip + frame
            one_hot = [float(label[clip] == k) for k in range(2)]
            before = [] if label_to == "motion" else one_hot
            after = [] if label_to == "synthesis" else one_hot
            expected = [content, *before, motion, *after]
            assert video[clip, 0, frame, 0].tolist() == expected


@pytest.mark.parametrize("label_to", ["motion", "synthesis"])
def test_a_walk_takes_the_place_of_the_content(label_to):
    generator = Framewise(motion=Walk, synthesis=Show, content_dim=2, classes=2, label_to=label_to)
    content = torch.tensor([[10.0, 20.0], [30.0, 40.0]])
    parts = generator.decompose({"content": content}, regular_times(2, 3), torch.tensor([1, 0]))
    assert torch.equal(parts["clock"], regular_times(2, 3))
    assert "code" not in parts
    suffix = [1.0, 0.0] if label_to == "synthesis" else []
    assert parts["video"][1, 0, 2, 0].tolist() == [32.0, 42.0, *suffix]
    assert torch.equal(
        generator({"content": content}, regular_times(2, 3), torch.tensor([1, 0])), parts["video"]
    )


def test_parameters_of_mocogan():
    with torch.device("meta"):
        generator = Framewise(motion=GRUMotion, synthesis=DCGAN, classes=6, label_to="synthesis")
    assert sum(parameter.numel() for parameter in generator.parameters()) == 3_298_836
    assert sum(parameter.numel() for parameter in generator.motion.parameters()) == 660


@pytest.mark.parametrize(("size", "frames"), [(32, 8), (32, 12), (64, 16), (128, 3)])
def test_shape_range_and_seeds(size: int, frames: int):
    generator = mocogan(size)
    assert isinstance(generator, Generator)
    times = regular_times(2, frames)
    video = generator(generator.sample_latent(2, times, rng.generator(3)), times)
    assert video.shape == (2, 3, frames, size, size)
    assert video.abs().max() <= 1
    again = mocogan(size)
    assert torch.equal(video, again(again.sample_latent(2, times, rng.generator(3)), times))
    other = again(again.sample_latent(2, times, rng.generator(4)), times)
    assert not torch.allclose(video, other)
    assert not torch.allclose(video[:, :, 0], video[:, :, 1])
    assert not torch.allclose(video[0], video[1])


def test_clips_do_not_leak_in_evaluation_and_state_travels():
    generator = mocogan(classes=3).double()
    times, label = regular_times(3, 4), torch.tensor([0, 1, 2])
    latent = {
        name: part.double() for name, part in generator.sample_latent(3, times, rng.generator(0)).items()
    }
    generator(latent, times, label)
    video = generator.eval()(latent, times, label)
    alone = generator({name: part[1:2] for name, part in latent.items()}, times[1:2], label[1:2])
    torch.testing.assert_close(alone, video[1:2])
    copy = mocogan(classes=3).double().eval()
    copy.load_state_dict(generator.state_dict())
    assert torch.equal(copy(latent, times, label), video)
    assert not torch.allclose(generator(latent, times, label.flip(0)), video)


def test_a_longer_clip_starts_as_the_shorter_one():
    generator = mocogan().eval()
    short, long = (
        generator(generator.sample_latent(2, times, rng.generator(0)), times)
        for times in (regular_times(2, 5), regular_times(2, 9))
    )
    torch.testing.assert_close(long[:, :, :5], short)


@pytest.mark.parametrize("label_to", ["motion", "synthesis"])
def test_gradients_reach_every_parameter(label_to):
    generator = mocogan(classes=2, label_to=label_to)
    times = regular_times(2, 4)
    video = generator(generator.sample_latent(2, times, rng.generator(0)), times, torch.tensor([0, 1]))
    (video * torch.randn_like(video)).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_motion_can_be_differentiated_twice():
    generator = mocogan()
    times = regular_times(2, 4)
    latent = {
        name: part.requires_grad_()
        for name, part in generator.sample_latent(2, times, rng.generator(0)).items()
    }
    video = generator(latent, times)
    (gradient,) = torch.autograd.grad(video.sum(), latent["motion_noise"], create_graph=True)
    gradient.square().sum().backward()
    assert generator.motion.cell.weight_hh.grad.any()


def test_labels():
    times, label = regular_times(2, 4), torch.tensor([0, 1])
    free = mocogan()
    latent = free.sample_latent(2, times, rng.generator(0))
    free.eval()
    assert torch.equal(free(latent, times, label), free(latent, times))
    with pytest.raises(ValueError, match=r"generator\.classes=0"):
        mocogan(classes=2)(latent, times)
    with pytest.raises(
        ValueError, match=r"generator\.label_to must be motion, synthesis or both, not 'content'"
    ):
        mocogan(label_to="content")


def test_unequal_times_are_refused():
    with pytest.raises(ValueError, match="sampler=consecutive"):
        mocogan().check_times(torch.tensor([[0.0, 1.0, 5.0]]))
