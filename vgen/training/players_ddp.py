"""Data-parallel training of two players: each has a reducer of its own, which all-reduces its gradients alone.

Lightning wraps the whole module in one DistributedDataParallel. Its backward passes then each use one player's
parameters, so that it has to search every graph for the others, and it all-reduces zeros in their place: with equal
players, twice the bytes. Here each player's gradients travel, overlapped with its own backward pass.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.overrides.distributed import prepare_for_backward
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from vgen.clip import Player
from vgen.layer.batch_norm import BatchNorm, share_statistics


class PlayersDDP(DDPStrategy):
    """DistributedDataParallel for `VideoGAN`: equals one process, whatever the number of processes.

    With `Trainer(sync_batchnorm=True)` batch norms take their statistics over all processes, on any device and under
    gradient penalties; torch's own do so too, as `vgen.layer.batch_norm.BatchNorm`. Without it each process normalises
    by itself, and the running statistics are those of the first.

    Args:
        find_unused_parameters: search every graph for parameters that a step does not use. Needed only for a network
            that leaves some out in some steps.
    """

    def __init__(self, *, find_unused_parameters: bool = False) -> None:
        super().__init__(find_unused_parameters=find_unused_parameters)
        self._reducers: dict[Player, DistributedDataParallel] = {}
        self._running: DistributedDataParallel | None = None
        self._own_buffers: list[Tensor] = []

    def setup(self, trainer: Trainer) -> None:
        assert self.model is not None
        share_statistics(self.model, self._layer_sync is not None)
        # Lightning's would put torch's SyncBatchNorm everywhere, which knows neither CPUs nor gradient penalties.
        self._layer_sync = None
        super().setup(trainer)

    def configure_ddp(self) -> None:
        module: Any = self.lightning_module
        for tensor in module.state_dict().values():
            broadcast_from_first([tensor])
        self._reducers = {
            "generator": self._setup_model(module.generator),
            "discriminator": self._setup_model(module.discriminator),
        }
        self._own_buffers = own_buffers(module)

    @contextmanager
    def exchange(self, player: Player, last: bool) -> Iterator[None]:
        """Where `player`'s backward pass runs: gradients are all-reduced with the `last` accumulated part."""
        reducer = self._reducers[player]
        self._running = reducer
        with nullcontext() if last else reducer.no_sync():
            yield

    def pre_backward(self, closure_loss: Tensor) -> None:
        if self._running is not None:
            prepare_for_backward(self._running, closure_loss)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        broadcast_from_first(self._own_buffers)
        return super().training_step(*args, **kwargs)

    def on_exception(self, exception: BaseException) -> None:
        if "Expected to have finished reduction in the prior iteration" in str(exception):
            message = (
                "a network has parameters that some steps do not use; set "
                "trainer.strategy.find_unused_parameters=true"
            )
            exception.args = (message,)

    def teardown(self) -> None:
        self._reducers, self._running = {}, None
        super().teardown()


def own_buffers(module: torch.nn.Module) -> list[Tensor]:
    """Buffers that processes might change differently: all but those of batch norms that share their statistics."""
    return [
        buffer
        for layer in module.modules()
        if not (isinstance(layer, BatchNorm) and layer.shared)
        for buffer in layer.buffers(recurse=False)
    ]


@torch.no_grad()
def broadcast_from_first(tensors: list[Tensor]) -> None:
    """Give all processes the first one's values, in one message for each type."""
    for dtype in sorted({tensor.dtype for tensor in tensors}, key=str):
        group = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.reshape(-1) for tensor in group])
        torch.distributed.broadcast(flat, 0)
        for tensor, values in zip(group, flat.split([tensor.numel() for tensor in group]), strict=True):
            tensor.copy_(values.view_as(tensor))
