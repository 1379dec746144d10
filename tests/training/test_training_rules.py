"""Top-k training and freeze-D."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from toy import fit, toy_gan

from vgen.clip import Judgement
from vgen.loss.relativistic import Relativistic
from vgen.training.top_k import best_rows


def test_the_best_rows_of_all_heads_and_their_partners() -> None:
    fake = Judgement(
        {"one": torch.tensor([0.0, 3.0, 1.0, 9.0]), "two": torch.tensor([[8.0, 8], [0, 0], [1, 1], [-9, -9]])}
    )
    real = Judgement({head: torch.arange(4.0) for head in ("one", "two")})  # scores of the fakes: 8, 3, 2, 0
    on_real, on_fake = best_rows(real, fake, 0.5)
    assert on_fake.logits["one"].tolist() == [0, 3]
    assert on_fake.logits["two"].tolist() == [[8, 8], [0, 0]]
    assert on_real.logits["two"].tolist() == [0, 1]
    assert best_rows(real, fake, 0.01)[1].logits["one"].tolist() == [0]
    assert best_rows(real, fake, 1.0)[1] is fake
    weighted = replace(fake, weights={"one": 0.5})
    assert best_rows(real, weighted, 0.5)[1].weights == {"one": 0.5}


def test_only_the_best_clips_train_the_generator(tmp_path: Path) -> None:
    """The generator's gradient is that of the loss over its best clips alone."""
    module = toy_gan(top_k=0.5, loss=Relativistic())
    judged: list[torch.Tensor] = []
    module.discriminator.register_forward_hook(
        lambda _, __, output: judged.append(output.logits["video"].detach())
    )
    fit(module, tmp_path, 1)
    _, _, fake, real = judged  # of D's step two, then the generator's
    best = fake.topk(2).indices
    expected = torch.nn.functional.softplus(real[best] - fake[best]).mean()
    assert module.scalars.flush()["loss/g"] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("pattern", ["net.1", "net.1.weight", "*.1*"])
def test_frozen_parts_stay_and_the_rest_moves(tmp_path: Path, pattern: str) -> None:
    module = toy_gan(freeze_d=[pattern])
    before = {name: p.detach().clone() for name, p in module.discriminator.named_parameters()}
    fit(module, tmp_path, 2)
    moved = {name for name, p in module.discriminator.named_parameters() if not torch.equal(p, before[name])}
    expected = {"net.3.weight", "net.3.bias"} | ({"net.1.bias"} if pattern == "net.1.weight" else set())
    assert moved == expected
    assert all(p.requires_grad for p in module.generator.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"freeze_d": ["first"]},
            r"freeze_d: 'first' is nothing in the discriminator, which begins with net\.1, net\.3",
        ),
        ({"freeze_d": ["*"]}, r"leaves nothing of the discriminator to train"),
        ({"top_k": 1.5}, r"training\.top_k: 1\.5 cannot be; it must lie in \[0, 1\]"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toy_gan(**changes)


@pytest.mark.parametrize(
    ("name", "value"), [("clip_norm", -1.0), ("ema_ramp_up", 0.0), ("ema_half_life", -1.0)]
)
def test_a_value_out_of_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}={value}: must be"):
        toy_gan(**{name: value})
