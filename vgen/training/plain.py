"""A step's way without Lightning's detours, where they would change nothing.

Around each backward pass, optimizer step and transfer of a batch Lightning calls every callback and the module, be
there a hook or not: with the default callbacks nearly a millisecond a training step, which a small network feels.
"""

from contextlib import AbstractContextManager, nullcontext

from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.plugins.precision import MixedPrecision, Precision
from pytorch_lightning.profilers import PassThroughProfiler
from pytorch_lightning.strategies import SingleDeviceStrategy
from pytorch_lightning.utilities.model_helpers import is_overridden

BACKWARD = ("on_before_backward", "on_after_backward")
STEP = ("on_before_optimizer_step",)
_TRANSFER = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")


def is_plain(trainer: Trainer, hooks: tuple[str, ...]) -> bool:
    """Whether nothing happens at `hooks`: one device, no gradient scaler, and no callback that listens to them."""
    precision = trainer.strategy.precision_plugin
    callbacks: list[Callback] = trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
    return (
        type(trainer.strategy) is SingleDeviceStrategy
        and type(precision) in (Precision, MixedPrecision)
        and getattr(precision, "scaler", None) is None
        and not any(_listens(callback, hook) for callback in callbacks for hook in hooks)
    )


def _listens(callback: Callback, hook: str) -> bool:
    # A callback may carry its hook as a plain attribute (LambdaCallback).
    return getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)


def step_plainly(optimizer: LightningOptimizer, module: LightningModule) -> None:
    """`optimizer.step()`, with the module's own hook and Lightning's count of steps."""
    optimizer._on_before_step()
    module.on_before_optimizer_step(optimizer.optimizer)
    optimizer.optimizer.step()
    optimizer._on_after_step()


def transfers_plainly(trainer: Trainer) -> bool:
    """Whether neither the module nor the data module has a hook of its own on a batch's way to the device."""
    module: LightningModule = trainer.lightning_module
    data: LightningDataModule | None = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
    parts = (module,) if data is None else (module, data)
    return not any(is_overridden(hook, part) for part in parts for hook in _TRANSFER)


class NoProfiler(PassThroughProfiler):
    """Lightning's profiler that profiles nothing, without a new generator for each of the sixty actions of a step."""

    _nothing: AbstractContextManager[None] = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._nothing
