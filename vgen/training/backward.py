"""A backward pass without Lightning's detour where that would change nothing."""

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.plugins.precision import MixedPrecision, Precision
from pytorch_lightning.strategies import SingleDeviceStrategy

_HOOKS = ("on_before_backward", "on_after_backward", "backward")


def is_plain(trainer: Trainer, module: LightningModule) -> bool:
    """Whether `loss.backward()` does all that `module.manual_backward(loss)` would.

    That is so on one device, without a gradient scaler, and where no callback and no subclass listens to what Lightning
    tells around a backward pass: it calls every callback twice for each, a tenth of a millisecond.
    """
    precision = trainer.strategy.precision_plugin
    return (
        type(trainer.strategy) is SingleDeviceStrategy
        and type(precision) in (Precision, MixedPrecision)
        and getattr(precision, "scaler", None) is None
        and not any(_overrides(callback, Callback) for callback in trainer.callbacks)  # pyright: ignore[reportAttributeAccessIssue]
        and not _overrides(module, LightningModule)
    )


def _overrides(thing: object, base: type) -> bool:
    return any(
        getattr(getattr(thing, hook), "__func__", None) is not getattr(base, hook)
        for hook in _HOOKS
        if hasattr(base, hook)
    )
