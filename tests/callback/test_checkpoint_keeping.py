"""Which checkpoints stay: the best one, also after a move; one every so many clips, of which the last may stay."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vgen.callback.checkpoint import BestModelCheckpoint, KeepEvery


class Saver:
    """Stands for the trainer; notes what is saved."""

    is_global_zero = True

    def __init__(self) -> None:
        self.saved: list[str] = []

    def save_checkpoint(self, file: Path) -> None:
        self.saved.append(file.name)
        file.touch()


def train(keep: KeepEvery, saver: Saver, iterations: range) -> None:
    for iteration in iterations:
        model: Any = SimpleNamespace(iteration=iteration, clips_per_step=4, kclips=iteration * 4 / 1000)
        keep.on_train_batch_end(saver, model, None, None, 0)  # type: ignore[arg-type]


def test_one_every_so_many_clips_stays_and_is_named_by_them(tmp_path: Path) -> None:
    saver = Saver()
    train(KeepEvery(folder=str(tmp_path), every=0.01), saver, range(1, 10))
    assert saver.saved == ["000000.012.ckpt", "000000.024.ckpt", "000000.036.ckpt"]
    assert sorted(f.name for f in tmp_path.iterdir()) == saver.saved
    train(KeepEvery(folder=str(tmp_path)), saver, range(1, 10))
    assert len(saver.saved) == 3


def test_only_the_last_stay_and_nothing_else_is_removed(tmp_path: Path) -> None:
    for other in ("last.ckpt", "best.ckpt", "mine.ckpt", "000000.100.ckpt"):
        (tmp_path / other).touch()
    train(KeepEvery(folder=str(tmp_path), every=0.004, last=2), Saver(), range(1, 6))
    names = sorted(f.name for f in tmp_path.iterdir())
    assert names == [
        "000000.016.ckpt", "000000.020.ckpt", "000000.100.ckpt", "best.ckpt", "last.ckpt", "mine.ckpt",
    ]  # fmt: skip


@pytest.mark.parametrize(("every", "last", "message"), [(0.0, None, "every=0.0"), (1.0, 0, "last=0")])
def test_nonsense_is_refused(every: float, last: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KeepEvery(folder="x", every=every, last=last)


def test_the_best_is_remembered_in_a_moved_folder_and_at_other_intervals(tmp_path: Path) -> None:
    before = BestModelCheckpoint(folder=str(tmp_path / "old"), monitor="fvd/embedded", every=10)
    file = str(Path(str(before.dirpath)) / "best.ckpt")
    before.best_k_models = {file: torch.tensor(3.0)}
    before.best_model_path = before.kth_best_model_path = file
    before.best_model_score = before.kth_value = torch.tensor(3.0)
    before.current_score = torch.tensor(4.0)
    after = BestModelCheckpoint(folder=str(tmp_path / "new"), monitor="fvd/embedded", every=5)
    assert after.state_key == before.state_key
    after.load_state_dict(before.state_dict())
    moved = str(Path(str(after.dirpath)) / "best.ckpt")
    assert after.best_k_models == {moved: torch.tensor(3.0)}
    assert (after.best_model_path, after.best_model_score) == (moved, torch.tensor(3.0))
    assert after.current_score == torch.tensor(4.0)
    trainer: Any = SimpleNamespace(
        strategy=SimpleNamespace(reduce_boolean_decision=lambda decision: decision)
    )
    assert not after.check_monitor_top_k(trainer, torch.tensor(3.5))
    assert after.check_monitor_top_k(trainer, torch.tensor(2.5))
