"""The step clock: Lightning's global step counts generator updates and nothing else.

Lightning counts every `optimizer.step()`; with two players `max_steps`, checkpoint intervals and names all come
out wrong (Lightning issue 17958). The manual loop installs its counters on each optimizer before every
`training_step`, so the discriminator's are taken off again inside it.
"""

from pytorch_lightning import LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer


def count_not(optimizer: LightningOptimizer, module: LightningModule) -> None:
    """Let `optimizer` not advance `trainer.global_step`. Call it at the top of `training_step`."""
    profiler = module.trainer.profiler  # pyright: ignore[reportAttributeAccessIssue]
    optimizer._on_before_step = lambda: profiler.start("optimizer_step")
    optimizer._on_after_step = lambda: profiler.stop("optimizer_step")
