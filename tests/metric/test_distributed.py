"""The same number from one process and from several, with padding, uneven shares and a process without clips."""

import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from vgen.metric.density_coverage import DensityCoverage
from vgen.metric.frechet import FrechetDistance
from vgen.metric.inception_score import InceptionScore
from vgen.metric.jackknife import Estimate
from vgen.metric.kernel import KernelDistance
from vgen.metric.kernel_subsets import KernelSubsets
from vgen.metric.precision_recall import PrecisionRecall
from vgen.metric.stream import Stream
from vgen.metric.two_sets import TwoSets
from vgen.metric.vendi import Vendi

CLIPS, FRAMES, DIM = 41, 4, 6


class MeanByClass(TwoSets):
    """Sums features weighted by their class: as wrong an order of the labels would show."""

    names = ("mcs",)
    reads = "frames"
    reads_labels = True

    def measure_labelled(
        self, real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor
    ) -> dict[str, Estimate]:
        sums = [
            float((side.double().sum(dim=(1, 2)) * labels * torch.arange(len(side))).sum())
            for side, labels in ((real, real_labels), (fake, fake_labels))
        ]
        return {"mcs": Estimate(sums[0] - sums[1], sums[1])}


def metrics() -> list[TwoSets]:
    return [
        FrechetDistance(),
        FrechetDistance(reads="frames", divisor="N"),
        KernelDistance(),
        KernelSubsets(subsets=3, size=20),
        InceptionScore(splits=3),
        PrecisionRecall(),
        DensityCoverage(),
        Vendi(),
        Stream(),
        MeanByClass(),
    ]


def features(side: int, role: str) -> torch.Tensor:
    frames = (FRAMES,) if "frame" in role else ()
    rng = torch.Generator().manual_seed(side)
    return torch.randn(CLIPS, *frames, DIM, generator=rng) * (1 + 0.3 * side)


def padded_share(rank: int, world: int) -> torch.Tensor:
    """What a distributed sampler deals: the set is padded from its start until the world size divides it."""
    padding = -CLIPS % world
    return torch.cat([torch.arange(CLIPS), torch.arange(padding)])[rank::world]


def scores(rank: int, world: int, share) -> list[float]:
    found = []
    for metric in metrics():
        for side in (0, 1):
            index = share(rank, world)
            for part in index.split(5):
                if len(part):
                    clips = features(side, metric.reads)[part]
                    metric.update(clips, real=side == 0, index=part, labels=part % 3)
        values = metric.compute()
        found += [values.item()] if isinstance(values, Tensor) else [v.item() for v in values.values()]
        # syncing leaves the local state as it was, so more clips can follow
        assert metric._is_synced is False
        for estimate in metric.estimates().values():
            found += [estimate.value, estimate.standard_error]
    return found


def only_the_first_works(rank: int, world: int) -> torch.Tensor:
    return torch.arange(CLIPS) if rank == 0 else torch.arange(0)


def last_is_idle(rank: int, world: int) -> torch.Tensor:
    return torch.arange(CLIPS)[rank :: world - 1] if rank < world - 1 else torch.arange(0)


SHARES = {"padded": padded_share, "idle": last_is_idle, "alone": only_the_first_works}


def worker(rank: int, ports: dict[int, int], queue) -> None:
    torch.set_num_threads(1)
    for world, port in ports.items():
        if rank >= world:
            continue
        dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
        results = {name: scores(rank, world, share) for name, share in SHARES.items()}
        try:
            FrechetDistance().compute()
        except ValueError as error:
            results["nobody"] = str(error)
        queue.put((world, results))
        dist.destroy_process_group()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_any_number_of_processes_gives_the_same_value():
    expected = scores(0, 1, lambda rank, world: torch.arange(CLIPS))
    ports = {3: free_port(), 2: free_port()}
    context = mp.get_context("forkserver")  # imports torch once for all of them
    context.set_forkserver_preload(["torch", "torchmetrics"])
    queue = context.SimpleQueue()
    processes = mp.start_processes(worker, (ports, queue), nprocs=3, join=False, start_method="forkserver")
    assert processes is not None
    while not processes.join():
        pass
    seen = []
    for _ in range(3 + 2):
        world, results = queue.get()
        seen.append(world)
        for name in SHARES:
            assert results[name] == pytest.approx(expected, rel=1e-9), (world, name)
        assert "0 real clips" in results["nobody"]
    assert sorted(seen) == [2, 2, 3, 3, 3]
