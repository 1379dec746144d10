"""Metrics while training: the numbers of the evaluation, on the averaged generator, real features made once."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toy import FRAMES, SIZE, ToyData, toy_gan, toy_trainer

from vgen.callback.checkpoint import BestModelCheckpoint
from vgen.callback.metrics import OnlineMetrics
from vgen.clip import regular_times
from vgen.data.source import Skipped
from vgen.metric.frechet import FrechetDistance
from vgen.metric.kernel import KernelDistance
from vgen.protocol.prepared import check_prepared
from vgen.protocol.score import score
from vgen.protocol.standard import Standard
from vgen.training.checkpoint import read_checkpoint
from vgen.training.generated_clips import GeneratedClips


class Means:
    """The frames' brightness, of every clip; it counts the clips it sees."""

    name, min_frames, fingerprint, roles = "means", 1, "m" * 64, ("clip",)

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        self.seen += len(pixels)
        return {"clip": pixels.float().mean(dim=(2, 3, 4))}


class Frames(Means):
    name, fingerprint, roles = "frames", "f" * 64, ("clip",)


class Source:
    """The toy clips as a set of videos."""

    name, classes, fingerprint, fps = "toy", [], "t" * 16, None
    skipped: list[Skipped] = []  # noqa: RUF012

    def __len__(self) -> int:
        return 12

    def length(self, i: int) -> int:
        return FRAMES

    def label(self, i: int) -> int | None:
        return None

    def read(self, i: int, indices: Any) -> Any:
        rng = torch.Generator().manual_seed(i)
        video = torch.randint(0, 255, (FRAMES, SIZE, SIZE, 1), generator=rng, dtype=torch.uint8)
        return video[torch.as_tensor(indices)].numpy()


class Data(ToyData):
    def __init__(self, batch: int, rounds: int) -> None:
        super().__init__(batch, rounds)
        self.source = Source()


PROTOCOL = Standard(frames=FRAMES, size=SIZE, count=10)


def online(folder: Path, extractors: list[Means], **changed: Any) -> OnlineMetrics:
    arguments: dict[str, Any] = {
        "every": 2,
        "extractors": {extractor.name: extractor for extractor in extractors},
        "metrics": {"frechet": FrechetDistance(), "kernel": KernelDistance()},
        "protocol": PROTOCOL,
        "features_cache": str(folder / "features"),
        "batch": 4,
        "progress": False,
    }
    return OnlineMetrics(**arguments | changed)


def train(folder: Path, callback: OnlineMetrics, steps: int) -> tuple[Any, list[dict[str, float]]]:
    module, seen = toy_gan(), []
    module.log_everywhere = lambda values: seen.append(values)  # type: ignore[method-assign]
    trainer = toy_trainer(folder, steps, callbacks=[callback])
    trainer.fit(module, datamodule=Data(module.batch, module.d_steps))
    return module, [values for values in seen if any("/means" in name for name in values)]


def test_values_are_those_of_the_evaluation_of_the_averaged_generator(tmp_path: Path) -> None:
    module, logged = train(tmp_path, online(tmp_path, [Means(), Frames()]), 3)
    assert len(logged) == 2  # after iteration 2, and at the end
    assert set(logged[-1]) == {"fvd/means", "kvd/means", "fvd/frames", "kvd/frames"}
    fake = GeneratedClips(
        module.generator_average.module, count=10, times=regular_times(1, FRAMES, 1)[0], seed=PROTOCOL.seed
    )
    expected = score(
        PROTOCOL.real_clips(Source()),
        fake,
        extractors=[Means()],
        metrics=[FrechetDistance()],
        protocol=PROTOCOL,
    )
    assert logged[-1]["fvd/means"] == expected["metrics"]["fvd/means"]["value"]
    assert logged[0]["fvd/means"] != logged[1]["fvd/means"]


def test_real_features_are_made_once_and_found_by_the_next_run(tmp_path: Path) -> None:
    first, second = Means(), Means()
    _, logged = train(tmp_path, online(tmp_path, [first]), 4)
    assert first.seen == 10 + 2 * 10
    _, again = train(tmp_path, online(tmp_path, [second]), 4)
    assert second.seen == 2 * 10
    assert again == logged
    third = Means()
    train(tmp_path, online(tmp_path, [third], features_cache=False), 4)
    assert third.seen == 10 + 2 * 10


def test_measuring_does_not_disturb_training(tmp_path: Path) -> None:
    measured, _ = train(tmp_path, online(tmp_path, [Means()], every=1), 3)
    plain = toy_gan()
    data = Data(plain.batch, plain.d_steps)
    toy_trainer(tmp_path, 3).fit(plain, datamodule=data)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, measured.state_dict()[name]), name


def test_names_and_directions(tmp_path: Path) -> None:
    callback = online(tmp_path, [Means(), Frames()])
    assert callback.names == ["fvd/means", "fvd/frames", "kvd/means", "kvd/frames"]
    assert callback.directions == dict.fromkeys(callback.names, False)


class Once(FrechetDistance):
    """A metric that has a value at the first evaluation only."""

    asked = 0

    def measure(self, real: Tensor, fake: Tensor) -> Any:
        self.asked += 1
        if self.asked > 1:
            raise ValueError("nothing to measure")
        return super().measure(real, fake)


@pytest.mark.parametrize("beside", [{}, {"kernel": KernelDistance()}], ids=["alone", "beside another"])
def test_what_these_clips_do_not_give_is_nan_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, beside: dict[str, Any]
) -> None:
    callback = online(tmp_path, [Means()], metrics={"frechet": Once(), **beside})
    best = BestModelCheckpoint(folder=str(tmp_path), monitor="fvd/means", every=2)
    module = toy_gan(log_every=2)
    trainer = toy_trainer(tmp_path, 6, callbacks=[callback, best], enable_checkpointing=True)
    trainer.fit(module, datamodule=Data(module.batch, module.d_steps))
    assert module.iteration == 6
    assert math.isnan(trainer.callback_metrics["fvd/means"])
    assert "not measured, logged as NaN: fvd/means: nothing to measure" in caplog.text
    assert read_checkpoint(tmp_path / "best.ckpt")["vgen"]["iteration"] == 2
    if beside:
        assert math.isfinite(trainer.callback_metrics["kvd/means"])


def test_what_cannot_be_measured_while_training_is_said_at_once(tmp_path: Path) -> None:
    from vgen.metric.disentanglement import Disentanglement

    with pytest.raises(ValueError, match="it needs a model"):
        online(tmp_path, [Means()], metrics={"disentanglement": Disentanglement()})
    with pytest.raises(ValueError, match="reads 'frames' features, which no extractor makes"):
        online(tmp_path, [Means()], metrics={"frechet": FrechetDistance(reads="frames")})


def test_a_protocol_that_asks_for_other_videos_than_those_of_the_run_is_refused(tmp_path: Path) -> None:
    split = Standard(frames=FRAMES, size=SIZE, count=10, split="test")
    with pytest.raises(ValueError, match=r"protocol\.split=test is a sub-folder of real=DIR"):
        train(tmp_path, online(tmp_path, [Means()], protocol=split), 1)
    source = Source()
    source.resize = "crop"  # type: ignore[attr-defined]
    check_prepared(source, PROTOCOL)
    squashed = Standard(frames=FRAMES, size=SIZE, count=10, resize="squash")
    with pytest.raises(
        ValueError, match=r"protocol\.resize=squash, and the videos of the run are made with crop"
    ):
        check_prepared(source, squashed)
