from itertools import islice

import pytest
import pytorch_lightning as pl
import torch
from movies import moving_bar, write_strip

from vgen.data.module import ClipDataModule
from vgen.data.shapes import Shapes
from vgen.data.videos import Videos


class FirstFrames:
    """Four frames from a random start."""

    frames = span = 4

    def __call__(self, available: int, rng: torch.Generator) -> torch.Tensor:
        return torch.randint(available - 3, (), generator=rng) + torch.arange(4)


def module(source=None, **arguments) -> ClipDataModule:
    source = Shapes(size=8, videos=7, frames=9) if source is None else source
    data = ClipDataModule(source=source, sampler=FirstFrames(), **{"batch": 4, **arguments})
    data.prepare_data()
    data.setup("fit")
    return data


def batches(data: ClipDataModule, steps: int) -> list[dict[str, torch.Tensor]]:
    return list(islice(data.train_dataloader(), steps))


def test_batches_have_the_agreed_form():
    (batch,) = batches(module(), 1)
    assert batch["pixels"].shape == (4, 4, 8, 8, 3)
    assert batch["pixels"].dtype == torch.uint8
    assert batch["times"].tolist() == [[0, 1, 2, 3]] * 4
    assert batch["times"].dtype == torch.float32
    assert batch["label"].shape == (4,)
    assert batch["label"].dtype == torch.int64


def test_workers_change_nothing():
    for alone, helped in zip(batches(module(), 6), batches(module(workers=2), 6), strict=True):
        assert alone.keys() == helped.keys()
        assert all(torch.equal(alone[name], helped[name]) for name in alone)


class Recorder(pl.LightningModule):
    """Keeps the pixels it was shown, and counts the clips."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.clips_seen = 0
        self.seen: list[torch.Tensor] = []

    def training_step(self, batch):
        self.seen.append(batch["pixels"])
        self.clips_seen += len(batch["pixels"])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def on_save_checkpoint(self, checkpoint):
        checkpoint["clips_seen"] = self.clips_seen

    def on_load_checkpoint(self, checkpoint):
        self.clips_seen = checkpoint["clips_seen"]


def fit(batch_limit: int, tmp_path, workers: int, checkpoint=None) -> tuple[pl.Trainer, Recorder]:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=-1,
        limit_train_batches=batch_limit,
        callbacks=[StopAfter(batch_limit)],
        default_root_dir=tmp_path,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    recorder = Recorder()
    trainer.fit(recorder, datamodule=module(workers=workers), ckpt_path=checkpoint)
    return trainer, recorder


class StopAfter(pl.Callback):
    def __init__(self, steps: int):
        self.steps = steps

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        trainer.should_stop = len(module.seen) >= self.steps


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_run_goes_on_where_it_stopped(tmp_path, workers):
    _, straight = fit(7, tmp_path, workers=0)
    trainer, first = fit(3, tmp_path, workers)
    trainer.save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    _, second = fit(4, tmp_path, workers, checkpoint=tmp_path / "a.ckpt")
    assert (len(first.seen), len(second.seen), second.clips_seen) == (3, 4, 28)
    assert torch.equal(torch.stack(first.seen + second.seen), torch.stack(straight.seen))


def test_labels_are_drawn_as_often_as_they_occur(tmp_path):
    for name in ("a/1", "a/2", "a/3", "b/1"):
        write_strip(tmp_path / "set" / f"{name}.png", moving_bar(5))
    source = Videos(path=str(tmp_path / "set"), size=8, cache=str(tmp_path / "cache"))
    data = module(source)
    labels = data.sample_labels(4000, torch.Generator().manual_seed(0))
    assert labels is not None
    assert labels.dtype == torch.int64
    assert labels.double().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(labels, data.sample_labels(4000, torch.Generator().manual_seed(0)))
    assert data.describe() == {
        "name": "set",
        "fingerprint": source.fingerprint,
        "videos": 4,
        "frames": 20,
        "classes": ["a", "b"],
        "skipped": 0,
    }


def test_unlabelled_videos_have_no_labels(tmp_path):
    write_strip(tmp_path / "set" / "1.png", moving_bar(5))
    data = module(Videos(path=str(tmp_path / "set"), size=8, cache=str(tmp_path / "cache")))
    assert data.sample_labels(3, torch.Generator()) is None
    assert "label" not in batches(data, 1)[0]


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="workers is -1"):
        module(workers=-1)
    with pytest.raises(ValueError, match="batch is 0"):
        module(batch=0)
    with pytest.raises(ValueError, match="shapes has a video of 3 frames, but the sampler needs 4"):
        module(Shapes(frames=3))
