"""The order of clips through the whole loader: any number of processes, workers and batches made ahead, and resumed."""

import threading
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vgen.data.clips import Clips, Draw
from vgen.data.infinite import InfiniteBatches
from vgen.data.loader import BatchLoader
from vgen.data.module import ClipDataModule
from vgen.data.shapes import Shapes

VIDEOS, BATCH, ROUNDS, SEED = 7, 6, 2, 3
STEPS = 3  # of each of the two runs
PER_STEP = BATCH * ROUNDS


class Numbered:
    """Videos of one pixel that says which video and which frame it is."""

    name, classes, fps, skipped, fingerprint = "numbered", [str(i) for i in range(VIDEOS)], None, [], ""

    def prepare(self) -> None: ...

    def setup(self) -> None: ...

    def __len__(self) -> int:
        return VIDEOS

    def length(self, i: int) -> int:
        return 30

    def label(self, i: int) -> int:
        return i

    def read(self, i: int, indices: np.ndarray) -> np.ndarray:
        return (32 * i + indices).astype(np.uint8).reshape(-1, 1, 1, 1)


class Pair:
    """Two neighbouring frames."""

    frames = span = 2

    def __call__(self, available: int, rng: torch.Generator) -> torch.Tensor:
        return torch.randint(available - 1, (), generator=rng) + torch.arange(2)


def seen_by(rank: int, world: int, workers: int, prefetch: int, start: int) -> torch.Tensor:
    """What one process of a run that has consumed `start` clips is shown: (STEPS, its share, 2)."""
    data = ClipDataModule(
        source=Numbered(), sampler=Pair(), batch=BATCH, rounds=ROUNDS, workers=workers, prefetch=prefetch, seed=SEED
    )  # fmt: skip
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_rank=rank,
        world_size=world,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        lightning_module=SimpleNamespace(clips_seen=start),
    )
    batches = list(islice(data.train_dataloader(), STEPS))
    assert all(torch.equal(batch["label"], batch["pixels"][:, 0].flatten() // 32) for batch in batches)
    return torch.stack([batch["pixels"].flatten(1) for batch in batches])


def seen_by_all(world: int, workers: int, prefetch: int, start: int) -> torch.Tensor:
    """What all processes are shown, in the order of positions: (STEPS * PER_STEP, 2)."""
    ranks = [seen_by(rank, world, workers, prefetch, start) for rank in range(world)]
    share = BATCH // world
    rounds = [shown.reshape(STEPS, ROUNDS, share, 2) for shown in ranks]
    return torch.cat(rounds, dim=2).reshape(-1, 2)


def the_stream(count: int) -> torch.Tensor:
    """The clips of positions 0, 1, 2, ..., one by one: (count, 2)."""
    clips = Clips(source=Numbered(), sampler=Pair(), seed=SEED)
    positions = islice(InfiniteBatches(videos=VIDEOS, batch=1, seed=SEED), count)
    return torch.stack([clips[draw]["pixels"].flatten() for (draw,) in positions])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1, 0, 0), (1, 0, 0)),
        ((2, 0, 2), (3, 1, 0)),
        ((3, 2, 1), (1, 0, 3)),
        ((1, 1, 0), (2, 2, 2)),
    ],
)
def test_no_clip_twice_and_none_left_out(before, after):
    """(processes, workers, batches ahead) of a run, and of the one that continues it."""
    shown = torch.cat([seen_by_all(*before, start=0), seen_by_all(*after, start=STEPS * PER_STEP)])
    assert torch.equal(shown, the_stream(2 * STEPS * PER_STEP))
    videos = (shown[:, 0] // 32).tolist()
    passes = [videos[k : k + VIDEOS] for k in range(0, len(videos) - VIDEOS, VIDEOS)]
    assert len(passes) == 10
    assert all(sorted(one) == list(range(VIDEOS)) for one in passes)


def test_batches_are_the_same_with_and_without_a_thread():
    clips = Clips(source=Shapes(size=8, videos=5), sampler=Pair(), seed=0, flip=True)
    draws = InfiniteBatches(videos=5, batch=4, seed=0)
    alone, helped = (list(islice(BatchLoader(clips, draws, ahead=ahead), 5)) for ahead in (0, 3))
    for one, other in zip(alone, helped, strict=True):
        assert one.keys() == other.keys() == {"pixels", "times", "label"}
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_thread_stays_a_fixed_number_of_batches_ahead_and_ends():
    made: list[int] = []
    enough = threading.Event()

    class Counted(Clips):
        def batch(self, draws, *, pinned=False):
            made.append(draws[0].position)
            if len(made) == 4:
                enough.set()
            return super().batch(draws, pinned=pinned)

    clips = Counted(source=Numbered(), sampler=Pair(), seed=0)
    batches = iter(BatchLoader(clips, InfiniteBatches(videos=VIDEOS, batch=2, seed=0), ahead=3))
    next(batches)
    assert enough.wait(10)
    assert made == [0, 2, 4, 6]
    batches.close()  # type: ignore[attr-defined]
    helpers = [thread for thread in threading.enumerate() if thread.name.startswith("vgen-clips")]
    for thread in helpers:
        thread.join(10)
    assert not any(thread.is_alive() for thread in helpers)


def test_an_error_in_the_thread_reaches_the_training():
    class Broken(Numbered):
        def read(self, i, indices):
            raise OSError("the disk is gone")

    clips = Clips(source=Broken(), sampler=Pair(), seed=0)
    batches = iter(BatchLoader(clips, InfiniteBatches(videos=VIDEOS, batch=2, seed=0), ahead=2))
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


def test_a_source_that_gathers_is_asked_once_per_batch():
    class Gathering(Numbered):
        asked = 0

        def gather(self, videos, indices, out):
            self.asked += 1
            for video, chosen, row in zip(videos, indices, out, strict=True):
                row[:] = self.read(video, chosen)

    source = Gathering()
    draws = [Draw(position, position % VIDEOS) for position in range(5)]
    gathered = Clips(source=source, sampler=Pair(), seed=0).batch(draws)
    plain = Clips(source=Numbered(), sampler=Pair(), seed=0).batch(draws)
    assert source.asked == 1
    assert all(torch.equal(gathered[name], plain[name]) for name in plain)


@pytest.mark.parametrize(
    ("device", "remote", "prefetch", "ahead"),
    [("cpu", False, None, 0), ("cuda:1", False, None, 2), ("cpu", True, None, 2), ("cpu", False, 1, 1)],
)
def test_a_thread_works_ahead_where_training_waits(device, remote, prefetch, ahead):
    source = Numbered()
    source.remote = remote  # type: ignore[attr-defined]
    data = ClipDataModule(source=source, sampler=Pair(), batch=4, prefetch=prefetch)
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_rank=0,
        world_size=1,
        strategy=SimpleNamespace(root_device=torch.device(device)),
        lightning_module=SimpleNamespace(clips_seen=0),
    )
    loader = data.train_dataloader()
    assert isinstance(loader, BatchLoader)
    assert (loader.ahead, loader.device) == (ahead, torch.device(device))


def test_for_cuda_memory_is_page_locked_on_the_right_device(monkeypatch):
    """Without a GPU only what torch is asked for can be seen."""
    entered, asked = [], []

    class Asking(Clips):
        def batch(self, draws, *, pinned=False):
            asked.append(pinned)
            return super().batch(draws)

    monkeypatch.setattr(
        torch.cuda, "set_device", lambda device: entered.append((threading.get_ident(), device))
    )
    clips = Asking(source=Numbered(), sampler=Pair(), seed=0)
    draws = InfiniteBatches(videos=VIDEOS, batch=2, seed=0)
    list(islice(BatchLoader(clips, draws, device=torch.device("cuda:1"), ahead=1), 3))
    assert all(asked)
    ((thread, device),) = entered
    assert device == torch.device("cuda:1")
    assert thread != threading.get_ident()
