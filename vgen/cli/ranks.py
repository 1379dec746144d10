"""The processes of one evaluation: spawned here, or started by torchrun or Slurm."""

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from omegaconf import DictConfig, OmegaConf

from vgen.launch.processes import launched_externally, other_ranks

Result = TypeVar("Result")

# Preparing data may keep the others waiting; a process that died is noticed otherwise.
PATIENCE = timedelta(hours=12)


@contextmanager
def ranks(config: DictConfig, command: str, processes: int) -> Iterator[tuple[int, int]]:
    """Rank and number of the processes that do `command` together, in a process group that gathers on the CPU.

    Spawns the others with the same configuration unless a launcher has started them already.
    """
    if processes <= 1 and not launched_externally():
        yield 0, 1
        return
    with tempfile.TemporaryDirectory(prefix="vgen-") as folder:
        file = Path(folder) / f"{command}.yaml"
        OmegaConf.save(config, file)
        worker = [sys.executable, "-m", "vgen.cli.worker", command, str(file)]
        # advice of Lightning that does not apply: this process is not one that srun should have started
        warnings.filterwarnings("ignore", message=".*The `srun` command is available.*")
        with other_ranks(processes, worker):
            cluster = _cluster()
            rank, world = cluster.global_rank(), cluster.world_size()
            os.environ["MASTER_ADDR"] = cluster.main_address
            os.environ["MASTER_PORT"] = str(cluster.main_port)
            torch.distributed.init_process_group("gloo", rank=rank, world_size=world, timeout=PATIENCE)
            try:
                yield rank, world
            finally:
                if torch.distributed.is_initialized():
                    torch.distributed.destroy_process_group()


def first_then_others(rank: int, work: Callable[[], Result]) -> Result:
    """`work` by the first process, then by the others, who find done what has to be done but once."""
    if not torch.distributed.is_initialized():
        return work()
    if rank > 0:
        torch.distributed.barrier()
        return work()
    result = work()
    torch.distributed.barrier()
    return result


def local_device(device: torch.device) -> torch.device:
    """This process's own accelerator, where processes share a machine with several."""
    if device.type != "cuda" or device.index is not None:
        return device
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


def _cluster() -> ClusterEnvironment:
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    # Inside an allocation of one task `other_ranks` has hidden Slurm
    if SLURMEnvironment.detect():
        return SLURMEnvironment()
    environment = LightningEnvironment()
    environment.set_world_size(int(os.environ["WORLD_SIZE"]))
    environment.set_global_rank(int(os.environ["LOCAL_RANK"]))
    return environment
