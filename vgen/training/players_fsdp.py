"""Training of networks whose gradients, optimizer states and averages are too large to keep whole in each process.

Each player, and the average of the generator, is sharded with torch's `fully_shard`. Parameters are gathered for a
player's update and stay whole until its backward pass is over (ZeRO-2, Rajbhandari et al. 2020, arXiv 1910.02054):
gathering them once more for the backward pass would break gradient penalties, which differentiate that pass.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pytorch_lightning import Trainer
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer
from torch.utils import _pytree

from vgen.clip import Clip, Judgement, Player
from vgen.training.memory import channels_last
from vgen.training.players_ddp import PlayersDDP, broadcast_from_first, own_buffers

# Its hooks look for tensors in what a network takes and gives.
for _vocabulary in (Clip, Judgement):
    _pytree.register_dataclass(_vocabulary)


class PlayersFSDP(PlayersDDP):
    """Fully sharded data parallelism for `VideoGAN`; equals one process, as `PlayersDDP` does.

    Checkpoints are those of one process: gathered when written, sharded when read, so that a run may go on with another
    number of processes or another trainer.

    Args:
        layer_parameters: layers with at least so many parameters are gathered and reduced each by itself, while others
            compute; the rest of a network travels together.

    Raises:
        ValueError: precision 16-mixed, or a parameter without dimensions.
    """

    def __init__(self, *, layer_parameters: int = 1_000_000) -> None:
        super().__init__()
        self.layer_parameters = layer_parameters
        self._sharded: list[FSDPModule] = []
        self._players: dict[Player, FSDPModule] = {}
        self._skeleton: nn.Module | None = None

    def setup(self, trainer: Trainer) -> None:
        if trainer.precision == "16-mixed":
            raise ValueError(
                "trainer=fsdp cannot scale gradients; set trainer.precision=bf16-mixed or 32-true"
            )
        super().setup(trainer)

    def configure_ddp(self) -> None:
        module: Any = self.lightning_module
        for tensor in module.state_dict().values():
            broadcast_from_first([tensor])
        average = module.generator_average.module
        self._skeleton = _without_parameters(average)
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        self._sharded = [
            shard(network, mesh, self.layer_parameters)
            for network in (module.generator, module.discriminator, average)
        ]
        self._players = {"generator": self._sharded[0], "discriminator": self._sharded[1]}
        self._own_buffers = own_buffers(module)

    @contextmanager
    def exchange(self, player: Player, last: bool) -> Iterator[None]:
        self._players[player].set_requires_gradient_sync(last)
        yield
        if last:
            self._gather_no_more()

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        self._gather_no_more()  # a callback may have run the average
        return super().training_step(*args, **kwargs)

    def _gather_no_more(self) -> None:
        """Free what was gathered: the networks' parameters are the shards, which optimizer and average work on."""
        for network in self._sharded:
            for part in network.modules():  # type: ignore[attr-defined]
                if isinstance(part, FSDPModule):
                    part.reshard()

    def whole_average(self) -> nn.Module:
        """A copy of the averaged generator that is whole in each process. Every process has to call it."""
        self._gather_no_more()
        module: Any = self.lightning_module
        whole = copy.deepcopy(self._skeleton)
        assert whole is not None
        whole.load_state_dict(whole_tensors(module.generator_average.module.state_dict()), assign=True)
        return whole.eval().requires_grad_(False)

    # Checkpoints

    def lightning_module_state_dict(self) -> dict[str, Any]:
        self._gather_no_more()
        return whole_tensors(super().lightning_module_state_dict())

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        self._gather_no_more()
        module: Any = self.lightning_module
        here = module.state_dict()
        weights = {
            name: sharded_like(value, here.get(name)) for name, value in checkpoint["state_dict"].items()
        }
        module.load_state_dict(weights, strict=strict)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        found: Any = super().optimizer_state(optimizer)
        state = {index: whole_tensors(entry) for index, entry in found["state"].items()}
        module: Any = self.lightning_module
        if module.channels_last:  # fused optimizers need a state in the layout of the weights
            for entry in state.values():
                entry.update({k: channels_last(v) for k, v in entry.items() if isinstance(v, Tensor)})
        return {**found, "state": state}

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state = {
                index: {name: sharded_like(value, parameters[index]) for name, value in entry.items()}
                for index, entry in saved["state"].items()
            }
            optimizer.load_state_dict({**saved, "state": state})

    def teardown(self) -> None:
        self._sharded, self._players, self._skeleton = [], {}, None
        super().teardown()


def shard(network: nn.Module, mesh: Any, layer_parameters: int) -> FSDPModule:
    """Shard `network` over the processes of `mesh`, in place."""
    for name, parameter in network.named_parameters():
        if parameter.ndim == 0:
            raise ValueError(f"trainer=fsdp cannot shard {name}, which has no dimensions; give it shape (1,)")
        parameter.data = parameter.data.contiguous()  # shards are rows: there is no channels-last
    layers = [
        layer
        for layer in network.modules()
        if layer is not network
        and not isinstance(layer, nn.ModuleList)  # among them torch's parametrizations
        and sum(p.numel() for p in layer.parameters(recurse=False)) >= layer_parameters
    ]
    for part in (*layers, network):
        fully_shard(part, mesh=mesh, reshard_after_forward=False)
        assert isinstance(part, FSDPModule)
        part.set_reshard_after_backward(False)  # a gradient inside a penalty is not the end
    assert isinstance(network, FSDPModule)
    if hasattr(network, "decompose"):
        register_fsdp_forward_method(network, "decompose")
    return network


def whole_tensors(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with shards gathered. Every process has to call it, with the same names."""
    return {k: v.full_tensor().detach() if isinstance(v, DTensor) else v for k, v in values.items()}


def sharded_like(value: Any, sharded: Any) -> Any:
    """This process's shard of a whole tensor, if `sharded` is sharded and of the same shape; else `value`."""
    if not isinstance(sharded, DTensor) or not isinstance(value, Tensor) or value.shape != sharded.shape:
        return value
    # Every process has read the whole file: nothing needs to be sent.
    moved = value.to(sharded.device).contiguous()
    return distribute_tensor(moved, sharded.device_mesh, sharded.placements, src_data_rank=None)


def _without_parameters(network: nn.Module) -> nn.Module:
    """A copy whose parameters have shapes but no memory; buffers are kept."""
    place_holders = {
        id(p): nn.Parameter(p.detach().to("meta"), requires_grad=False) for p in network.parameters()
    }
    return copy.deepcopy(network, dict(place_holders))
