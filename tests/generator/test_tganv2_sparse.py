"""TGANv2's sparse training: what the levels show, what they save, and who may look at them."""

import pytest
import torch
import torch.nn.functional as F
from test_config import build
from torch.utils.flop_counter import FlopCounterMode

from vgen import rng
from vgen.augment.diffaugment import DiffAugment
from vgen.clip import Clip, made_clip, regular_times
from vgen.config import ConfigError
from vgen.discriminator.tganv2 import TGANv2Discriminator
from vgen.generator.tganv2 import TGANv2
from vgen.regularizer.r1 import R1

FRAMES, LEVELS = 16, 4
LENGTHS = [16, 8, 4, 2]


def make(**arguments) -> TGANv2:
    torch.manual_seed(0)
    return TGANv2(**{"size": 64, "latent_dim": 6, "base_channels": 4, "sparse": True} | arguments)


def made(generator: TGANv2, batch: int = 2, seed: int = 0, label=None) -> tuple[dict, Clip]:
    times = regular_times(batch, FRAMES)
    latent = generator.sample_latent(batch, times, rng.generator(seed))
    with rng.use_stream(rng.BatchStream(rng.generator(seed))):
        parts = generator.decompose(latent, times, label)
    return parts, made_clip(
        parts, Clip(torch.zeros(batch, 3, FRAMES, 64, 64), times, label), generator.levels
    )


def test_each_level_has_half_the_frames_twice_as_large():
    parts, clip = made(make())
    assert clip.levels == LEVELS
    assert parts["video"].shape == (2, 3, sum(LENGTHS), 64, 64)
    assert torch.equal(clip.times, parts["frames"].float())
    seen = TGANv2Discriminator(base_channels=2).look(clip)
    for view, level, block in zip(seen, clip.video.split(LENGTHS, 2), (8, 4, 2, 1), strict=True):
        assert view.shape[-1] == 64 // block
        torch.testing.assert_close(F.interpolate(view, scale_factor=(1, block, block)), level)


def test_after_training_it_is_dense_and_its_last_level_is_a_choice_of_those_frames():
    generator = make().eval()
    parts, clip = made(generator)
    latent = generator.sample_latent(2, regular_times(2, FRAMES), rng.generator(0))
    dense = generator(latent, regular_times(2, FRAMES))
    assert dense.shape == (2, 3, FRAMES, 64, 64)
    finest = Clip(dense, regular_times(2, FRAMES)).select_frames(parts["frames"][:, -2:])
    torch.testing.assert_close(clip.video[:, :, -2:], finest.video)


def test_one_level_is_dense_training():
    one, dense = make(levels=1), make(sparse=False)
    assert one.state_dict().keys() == dense.state_dict().keys()
    parts, clip = made(one)
    assert clip.levels == 1
    assert torch.equal(parts["video"], made(dense)[0]["video"])


@pytest.mark.parametrize("classes", [0, 2])
def test_gradients_reach_every_renderer(classes: int):
    generator = make(classes=classes)
    parts, _ = made(generator, label=torch.tensor([0, 1]))
    (parts["video"] * torch.randn_like(parts["video"])).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_real_and_generated_clips_have_one_law_of_phases():
    """From one stream the discriminator chooses of a real clip the very frames that the generator makes."""
    parts, _ = made(make(), batch=5)
    numbered = torch.arange(FRAMES).float().view(1, 1, -1, 1, 1).expand(5, 3, -1, 64, 64)
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        seen = TGANv2Discriminator(base_channels=2).look(Clip(numbered, regular_times(5, FRAMES)))
    chosen = torch.cat([view[:, 0, :, 0, 0] for view in seen], 1)
    assert torch.equal(chosen.round().long(), parts["frames"])


def test_it_keeps_less_and_computes_less():
    def kept(generator: TGANv2) -> int:
        sizes: dict[int, int] = {}

        def pack(x):
            sizes[x.data_ptr()] = x.untyped_storage().nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            held = made(generator)
        del held
        return sum(sizes.values())

    assert kept(make()) < 0.35 * kept(make(sparse=False))


def test_operations_at_the_papers_size():
    """Published: 360.57 GFLOPs dense, 205.08 sparse (tgan2, figure/*.tsv)."""
    counted = []
    for sparse in (False, True):
        with torch.device("meta"):
            generator = TGANv2(size=256, sparse=sparse)
            latent = {"z": torch.empty(1, 256)}
            times = torch.empty(1, FRAMES)
        with FlopCounterMode(display=False) as counter:
            generator.decompose(latent, times)
        counted.append(counter.get_total_flops())
    assert counted[1] < 0.65 * counted[0]


def test_an_augmentation_is_the_same_at_all_levels():
    """Of a still picture all levels see the same change, whether it is made sparsely or whole."""
    picture = torch.rand(3, 3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    times = regular_times(3, sum(LENGTHS))
    sparse = Clip(picture.expand(-1, -1, sum(LENGTHS), -1, -1), times, levels=LEVELS)
    whole = Clip(picture.expand(-1, -1, FRAMES, -1, -1), times[:, :FRAMES])
    discriminator, augment = TGANv2Discriminator(base_channels=2), DiffAugment()
    views = []
    for clip in (sparse, whole):
        with rng.use_stream(rng.BatchStream(rng.generator(0))):
            views.append(discriminator.look(augment(clip)))
    for one, other in zip(*views, strict=True):
        torch.testing.assert_close(one, other)


def test_r1_of_the_levels_is_the_sum_of_their_gradients():
    torch.manual_seed(0)
    discriminator = TGANv2Discriminator(size=16, frames=8, levels=3, base_channels=2).double()
    video = torch.rand(2, 3, 8, 16, 16, dtype=torch.float64, requires_grad=True)
    judged = discriminator(Clip(video, regular_times(2, 8)))

    class Step:
        on_real = judged

    expected = torch.zeros((), dtype=torch.float64)
    for level, view in enumerate(judged.views):
        leaf = view.detach().requires_grad_()
        maps = F.relu(discriminator.networks[level](leaf)).sum((2, 3, 4))
        (gradient,) = torch.autograd.grad(discriminator.verdicts[level](maps, None).sum(), leaf)
        expected += 0.5 * gradient.square().sum() / 2
    torch.testing.assert_close(R1(at="levels")(Step()), expected)  # type: ignore[arg-type]


SPARSE = ("generator=tganv2", "generator.sparse=true", "width=4")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["discriminator=vgan"],
            r"through 4 levels of detail, but this discriminator looks at 1; set discriminator=tganv2",
        ),
        (["discriminator=tganv2", "discriminator.levels=2"], r"looks at 2"),
        (["discriminator=multi"], r"looks at 1"),
        (["discriminator=tganv2", "regularizer=wgan_gp"], r"regularizer=r1"),
        (["discriminator=tganv2", "regularizer=mode_seeking"], r"generator\.sparse=false"),
        (["discriminator=tganv2", "regularizer=latent_consistency"], r"generator\.sparse=false"),
        (["discriminator=tganv2", "augment=ada", "augment.reversal=1"], r"generator\.sparse=false"),
        (["discriminator=tganv2", "generator.levels=5"], r"1 to 3 levels"),
        (
            ["discriminator=mocogan", "generator.sparse=false", "regularizer=r1", "regularizer.r1.at=levels"],
            r"at=clip",
        ),
    ],
)
def test_what_does_not_go_with_levels_is_refused_at_start(overrides: list[str], message: str):
    size = [] if "generator.levels=5" in overrides else ["clip.size=64"]
    with pytest.raises((ConfigError, ValueError), match=message) as raised:
        build(*SPARSE, *size, *overrides)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "others",
    [
        ("regularizer=[r1,feature_matching]", "regularizer.r1.at=levels", "augment=diffaugment"),
        ("regularizer=r1r2", "loss=relativistic", "augment=ada", "augment.target=null", "augment.p=0.5"),
        ("regularizer=balanced_consistency", "condition=frames", "condition.frames.paste=true"),
        ("regularizer=[approximate_r1r2,first_frame]", "condition=frames", "training.accumulate=2"),
        ("regularizer=path_length", "clip.classes=auto", "condition=codes"),
    ],
)
def test_it_trains_with_the_rest(tmp_path, others: tuple[str, ...]):
    from test_config import train_steps

    few = (
        "clip.size=32",
        "clip.frames=8",
        "generator.levels=3",
        "discriminator=tganv2",
        "discriminator.levels=3",
    )
    train_steps(tmp_path, *SPARSE, *few, *others, steps=2)
