"""The short way of a step is taken only where nobody would notice, and then nobody does."""

import pytest
import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule
from pytorch_lightning.callbacks import LambdaCallback
from test_config import build
from toy import toy_trainer

from vgen.training.plain import BACKWARD, STEP, is_plain


class Listener(Callback):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_after_backward(self, *_: object) -> None:
        self.heard.append("backward")

    def on_before_optimizer_step(self, *_: object) -> None:
        self.heard.append("step")


def trained(tmp_path, callback: Callback | None = None, *overrides: str) -> LightningModule:
    _, data, model = build("width=4", "regularizer=[r1]", "training.clip_norm=0.1", *overrides)
    trainer = toy_trainer(tmp_path, 2)
    if callback is not None:
        trainer.callbacks.append(callback)
    trainer.fit(model, datamodule=data)
    assert trainer.global_step == 2
    return model


def test_the_short_way_gives_the_same_bits_and_listeners_hear_everything(tmp_path) -> None:
    listener = Listener()
    heard, short = trained(tmp_path, listener), trained(tmp_path)
    assert not heard.plain_backward
    assert not heard.plain_step
    assert short.plain_backward
    assert short.plain_step
    assert listener.heard == ["backward", "step"] * 4
    for name, value in heard.state_dict().items():
        assert torch.equal(value, short.state_dict()[name]), name


@pytest.mark.parametrize(("hooks", "plain"), [(BACKWARD, False), (STEP, True)])
def test_a_hook_given_as_an_argument_is_heard(tmp_path, hooks: tuple[str, ...], plain: bool) -> None:
    trainer = toy_trainer(tmp_path, 1)
    trainer.callbacks.append(LambdaCallback(on_before_backward=lambda *_: None))
    assert is_plain(trainer, hooks) is plain


class ChangesBatches(LightningDataModule):
    """Darkens what another data module loads."""

    def __init__(self, inner: LightningDataModule) -> None:
        super().__init__()
        self.inner = inner

    def setup(self, stage: str) -> None:
        self.inner.setup(stage)

    def train_dataloader(self):
        return self.inner.train_dataloader()

    def on_after_batch_transfer(self, batch, dataloader_idx: int):
        return batch | {"pixels": batch["pixels"] // 2}


def test_a_hook_on_a_batch_s_way_is_heard(tmp_path) -> None:
    weights = []
    for wrap in (lambda data: data, ChangesBatches):
        _, data, model = build("width=4")
        toy_trainer(tmp_path, 1).fit(model, datamodule=wrap(data))
        assert model.plain_transfer is (wrap is not ChangesBatches)
        weights.append(torch.cat([p.detach().flatten() for p in model.discriminator.parameters()]))
    assert not torch.equal(*weights)
