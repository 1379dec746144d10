"""The training rule: clock, order, accumulation, lazy terms, clipping, resume, NaN."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from toy import EachStep, ToyDiscriminator, ToyGenerator, fit, toy_gan

from vgen.clip import Step
from vgen.regularizer.r1 import R1
from vgen.regularizer.wgan_gp import WGANGP
from vgen.training.scalars import NonFiniteLoss
from vgen.training.video_gan import VideoGAN


def weights(module: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().double().flatten() for p in module.state_dict().values()])


def test_global_step_counts_generator_updates(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    look = EachStep(lambda trainer, module: steps.append((trainer.global_step, module.iteration)))
    module = fit(toy_gan(d_steps=1), tmp_path, 5, callbacks=[look])
    assert steps == [(n, n) for n in range(1, 6)]
    assert module.clips_seen == 20


def test_checkpoint_intervals_and_names_count_generator_updates(tmp_path: Path) -> None:
    saver = ModelCheckpoint(dirpath=tmp_path, filename="{step}", every_n_train_steps=3, save_top_k=-1)
    fit(toy_gan(), tmp_path, 7, callbacks=[saver], enable_checkpointing=True)
    assert sorted(f.name for f in tmp_path.glob("*.ckpt")) == ["step=3.ckpt", "step=6.ckpt"]


def test_first_step_equals_the_update_by_hand(tmp_path: Path) -> None:
    """One step against the same step written out with plain torch and stochastic gradient descent."""
    sgd = partial(torch.optim.SGD, lr=0.1)
    module = toy_gan(generator_optimizer=sgd, discriminator_optimizer=sgd, seed=3)
    generator, discriminator = ToyGenerator(), ToyDiscriminator()
    generator.load_state_dict(module.generator.state_dict())
    discriminator.load_state_dict(module.discriminator.state_dict())
    latents: list[Tensor] = []
    reals: list[Tensor] = []
    judge = module.discriminator.forward

    def record(clip: Any) -> Any:
        reals.append(clip.video.detach().clone())
        return judge(clip)

    module.discriminator.forward = record  # type: ignore[method-assign]
    module.generator.register_forward_hook(lambda _, args, __: latents.append(args[0]["z"].clone()))
    fit(module, tmp_path, 1)

    softplus = torch.nn.functional.softplus
    score = lambda video: discriminator.net(video)[:, 0]  # noqa: E731
    fake = generator({"z": latents[0]}, None).detach()  # type: ignore[arg-type]
    (softplus(-score(reals[0])) + softplus(score(fake))).mean().backward()
    with torch.no_grad():
        for p in discriminator.parameters():
            p -= 0.1 * p.grad
    softplus(-score(generator({"z": latents[1]}, None))).mean().backward()  # type: ignore[arg-type]
    with torch.no_grad():
        for p in generator.parameters():
            p -= 0.1 * p.grad
    assert not torch.equal(latents[0], latents[1])
    torch.testing.assert_close(weights(module.generator), weights(generator), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(weights(module.discriminator), weights(discriminator), rtol=1e-6, atol=1e-7)


def test_accumulation_changes_nothing(tmp_path: Path) -> None:
    whole = fit(toy_gan(batch=8), tmp_path, 4, precision="64-true")
    parts = fit(toy_gan(batch=8, accumulate=4), tmp_path, 4, precision="64-true")
    torch.testing.assert_close(weights(whole), weights(parts), rtol=1e-9, atol=1e-12)


def test_several_discriminator_steps_see_fresh_clips(tmp_path: Path) -> None:
    seen: list[Tensor] = []
    module = toy_gan(d_steps=3)
    module.discriminator.register_forward_hook(lambda _, args, __: seen.append(args[0].video.clone()))
    data_batch = {"pixels": torch.arange(12).view(12, 1, 1, 1, 1).expand(12, 4, 4, 4, 1).to(torch.uint8)}
    data_batch["times"] = torch.arange(4).float().expand(12, 4)

    class Fixed(torch.utils.data.IterableDataset):
        def __iter__(self):
            while True:
                yield data_batch

    from toy import toy_trainer

    toy_trainer(tmp_path, 1).fit(module, torch.utils.data.DataLoader(Fixed(), batch_size=None))
    reals = [video[:, 0, 0, 0, 0] for video in seen[0:6:2]]
    expected = (torch.arange(12.0) / 127.5 - 1).view(3, 4)
    torch.testing.assert_close(torch.stack(reals), expected)
    assert module.clips_seen == 12


@pytest.mark.parametrize("interval", [1, 3])
def test_lazy_terms_are_due_every_interval_and_scaled_by_it(tmp_path: Path, interval: int) -> None:
    calls: list[int] = []

    class Constant:
        player, weight, differentiates = "discriminator", 2.0, frozenset()

        def __init__(self, module_ref: list[VideoGAN]) -> None:
            self.interval, self.module_ref = interval, module_ref

        def __call__(self, step: Step) -> Tensor:
            calls.append(self.module_ref[0].iteration)
            return sum(p.sum() for p in step.discriminator.parameters())  # type: ignore[return-value]

    reference: list[VideoGAN] = []
    sgd = partial(torch.optim.SGD, lr=1.0)
    module = toy_gan(
        regularizers={"constant": Constant(reference)},
        head_weights={"video": 0.0},
        generator_optimizer=sgd,
        discriminator_optimizer=sgd,
    )
    reference.append(module)
    before = weights(module.discriminator)
    fit(module, tmp_path, 6)
    assert calls == list(range(0, 6, interval))
    # The mean strength over steps does not depend on the interval.
    torch.testing.assert_close(before - weights(module.discriminator), torch.full_like(before, 12.0))


def test_penalties_share_the_forward_pass_and_run_in_float32(tmp_path: Path) -> None:
    dtypes: list[torch.dtype] = []
    module = toy_gan(regularizers={"r1": R1(weight=1.0, interval=2)})
    module.discriminator.net[1].register_forward_hook(lambda _, __, output: dtypes.append(output.dtype))
    fit(module, tmp_path, 2, precision="bf16-mixed")
    low, full = torch.bfloat16, torch.float32
    # real and fake in the discriminator step, fake in the generator step; R1 is due in the first of two.
    assert dtypes == [full, low, low, low, low, low]


def test_clipping_bounds_each_players_gradient(tmp_path: Path) -> None:
    sgd = partial(torch.optim.SGD, lr=1.0)
    module = toy_gan(clip_norm=1e-3, generator_optimizer=sgd, discriminator_optimizer=sgd)
    before = weights(module.generator), weights(module.discriminator)
    fit(module, tmp_path, 1)
    after = weights(module.generator), weights(module.discriminator)
    for old, new in zip(before, after, strict=True):
        assert float((new - old).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_discriminator_takes_no_gradient_from_the_generators_step(tmp_path: Path) -> None:
    module = toy_gan(generator_optimizer=partial(torch.optim.SGD, lr=0.0))
    fit(module, tmp_path, 1)
    assert all(p.requires_grad for p in module.discriminator.parameters())
    assert all(p.grad is not None for p in module.generator.parameters())


@pytest.mark.parametrize("stop", [1, 5, 6])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path: Path, stop: int) -> None:
    logged: list[dict[str, float]] = []

    def new() -> VideoGAN:
        logged.clear()
        module = toy_gan(regularizers={"r1": R1(weight=1.0, interval=2)}, log_every=4)
        module.log_everywhere = lambda values: logged.append(dict(values))  # type: ignore[method-assign]
        return module

    straight = fit(new(), tmp_path, 8)
    last_row = logged[-1]
    module = new()
    halfway: Trainer | None = None

    def remember(trainer: Trainer, _: VideoGAN) -> None:
        nonlocal halfway
        halfway = trainer

    fit(module, tmp_path, stop, callbacks=[EachStep(remember)])
    assert halfway is not None
    halfway.save_checkpoint(tmp_path / "half.ckpt")
    resumed = fit(new(), tmp_path, 8, checkpoint=tmp_path / "half.ckpt")
    assert resumed.iteration == 8
    assert logged[-1] == last_row
    assert torch.equal(weights(straight), weights(resumed))


def test_a_checkpoint_holds_no_code_and_both_generators(tmp_path: Path) -> None:
    saver = ModelCheckpoint(dirpath=tmp_path, filename="last", every_n_train_steps=2)
    fit(toy_gan(config={"a": [1, "b"]}), tmp_path, 2, callbacks=[saver], enable_checkpointing=True)
    contents = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert contents["vgen"]["iteration"] == 2
    assert contents["vgen"]["config"] == {"a": [1, "b"]}
    parts = {name.split(".")[0] for name in contents["state_dict"]}
    assert parts == {"generator", "discriminator", "generator_average"}


def test_nan_stops_the_run_and_names_step_term_and_checkpoint(tmp_path: Path) -> None:
    def poison(trainer: Trainer, module: VideoGAN) -> None:
        if module.iteration == 4:
            with torch.no_grad():
                module.generator.net[0].weight.fill_(float("nan"))

    saver = ModelCheckpoint(dirpath=tmp_path, filename="last", every_n_train_steps=3)
    with pytest.raises(NonFiniteLoss, match=r"loss/d.* iteration 4 .*last\.ckpt"):
        fit(toy_gan(), tmp_path, 9, callbacks=[EachStep(poison), saver], enable_checkpointing=True)
    assert all(v.isfinite().all() for v in torch.load(tmp_path / "last.ckpt")["state_dict"].values())


def test_batch_must_divide_over_processes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"batch=4 cannot be divided.*multiple of 3"):
        fit(toy_gan(accumulate=3), tmp_path, 1)


def test_unknown_head_weight_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"head_weights\.image: the discriminator has heads video"):
        fit(toy_gan(head_weights={"image": 1.0}), tmp_path, 1)


def test_weights_that_overflowed_are_never_saved(tmp_path: Path) -> None:
    """The losses of a step are those before its update: a last step may be finite and its weights not."""
    saver = ModelCheckpoint(dirpath=tmp_path, filename="last", every_n_train_steps=1)

    def overflow(trainer: Trainer, module: VideoGAN) -> None:
        if module.iteration == 3:
            with torch.no_grad():
                module.generator.net[0].weight.fill_(float("inf"))

    with pytest.raises(NonFiniteLoss, match=r"generator\.net\.0\.weight.* iteration 3 .*last\.ckpt"):
        fit(toy_gan(), tmp_path, 9, callbacks=[EachStep(overflow), saver], enable_checkpointing=True)
    contents = torch.load(tmp_path / "last.ckpt")
    assert contents["vgen"]["iteration"] == 2
    assert all(value.isfinite().all() for value in contents["state_dict"].values())


@pytest.mark.parametrize("regularizers", [{}, {"r1": R1(interval=2)}, {"gp": WGANGP(interval=2)}])
def test_compiled_networks_train_as_they_do_uncompiled(tmp_path, regularizers):
    plain = fit(toy_gan(regularizers=regularizers), tmp_path, 4, precision="64-true")
    compiled = fit(toy_gan(regularizers=regularizers, compile="aot_eager"), tmp_path, 4, precision="64-true")
    assert compiled.generator._compiled_call_impl is not None
    assert plain.generator._compiled_call_impl is None
    torch.testing.assert_close(compiled.state_dict(), plain.state_dict(), rtol=1e-9, atol=1e-12)


def test_an_unknown_compiler_is_refused():
    with pytest.raises(ValueError, match=r"training\.compile=inducktor: choose null or one of .*inductor"):
        toy_gan(compile="inducktor")
