"""Long videos of a generator that reads times: in chunks, from anywhere, written while they are made."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from commands import TINY, error_of, vgen

from vgen.generator.framewise import Framewise

SMALL = [
    "generator=styleganv", "discriminator=styleganv", "sampler=sparse", "clip.frames=3", "batch=2",
    "kclips=0.004", "checkpoint_every=0.004",
    "generator.content_dim=4", "generator.synthesis.w_dim=4", "generator.motion.motion_dim=4",
    "generator.motion.noise_dim=3", "generator.motion.kernel=3", "discriminator.mapping_layers=1",
    "callback=[checkpoint]", "logger=none",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    vgen("train", *TINY, *SMALL, f"output={folder}")
    return folder


def sample(run: Path, folder: Path, *more: str) -> list[np.ndarray]:
    vgen("sample", f"checkpoint={run}", f"output={folder}", "format=npy", "count=3", "batch=2", *more)
    return [np.load(file) for file in sorted(folder.iterdir())]


def differ(some: list[np.ndarray], others: list[np.ndarray]) -> int:
    return max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(some, others, strict=True))


def test_in_chunks_and_from_anywhere_it_is_the_same_video(run: Path, tmp_path: Path) -> None:
    words = ("frames=50", "stride=1.5", "start=-20")
    whole = sample(run, tmp_path / "whole", *words, "chunk=50")
    assert [clip.shape for clip in whole] == [(50, 16, 16, 3)] * 3
    assert differ(sample(run, tmp_path / "chunks", *words, "chunk=7"), whole) <= 1
    later = sample(run, tmp_path / "later", "frames=10", "stride=1.5", "start=40", "chunk=4")
    assert differ(later, [clip[40:] for clip in whole]) <= 1  # -20 + 40 x 1.5 = 40


def test_no_more_than_a_chunk_is_made_at_a_time(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    forward = Framewise.forward

    def watched(self, latent, times, label=None):
        seen.append((times.shape[1], latent["motion_noise"].shape[1]))
        return forward(self, latent, times, label)

    monkeypatch.setattr(Framewise, "forward", watched)
    vgen(
        "sample",
        f"checkpoint={run}",
        f"output={tmp_path / 'clips'}",
        "count=3",
        "batch=2",
        "frames=3000",
        "chunk=500",
    )
    assert [frames for frames, _ in seen] == [500] * 12
    assert len({anchors for _, anchors in seen}) == 1
    for file, frames in (("clips/000002.mp4", 3000), ("clips.mp4", 3000)):
        with av.open(str(tmp_path / file)) as container:
            stream = container.streams.video[0]
            assert stream.frames == frames
    gif = tmp_path / "gif"
    vgen("sample", f"checkpoint={run}", f"output={gif}", "count=1", "frames=20", "chunk=8", "format=gif")
    assert [frames for frames, _ in seen[12:]] == [8, 8, 4]


def test_content_that_changes_for_ever(run: Path, tmp_path: Path) -> None:
    words = ("frames=40", "start=-20", "content_distance=9")
    whole = sample(run, tmp_path / "whole", *words, "chunk=40")
    assert differ(sample(run, tmp_path / "chunks", *words, "chunk=7"), whole) <= 1
    assert (
        differ(sample(run, tmp_path / "later", "start=5", "frames=9", words[2]), [c[25:34] for c in whole])
        <= 1
    )
    assert differ(sample(run, tmp_path / "still", *words[:2]), whole) > 0


def test_truncation(run: Path, tmp_path: Path) -> None:
    whole = sample(run, tmp_path / "whole", "frames=4")
    mean = sample(run, tmp_path / "mean", "frames=4", "truncation.content=0.0", "truncation.motion=0.0")
    assert differ(mean, whole) > 0
    # Neither content nor noise is left to tell clips apart; where on their time lines they start is.
    assert differ(sample(run, tmp_path / "none", "frames=4", "truncation.content=1.0"), whole) == 0


def test_frames_are_those_of_the_protocol_where_training_is_sparse(run: Path, tmp_path: Path) -> None:
    assert sample(run, tmp_path / "clips")[0].shape[0] == 3
    weights = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    weights["vgen"]["config"]["protocol"]["frames"] = 9
    torch.save(weights, tmp_path / "other.ckpt")
    vgen(
        "sample",
        f"checkpoint={tmp_path / 'other.ckpt'}",
        f"output={tmp_path / 'longer'}",
        "count=1",
        "format=npy",
    )
    assert np.load(tmp_path / "longer" / "000000.npy").shape[0] == 9
    vgen(
        "evaluate",
        f"checkpoint={tmp_path / 'other.ckpt'}",
        "protocol.count=4",
        f"output={tmp_path}",
        "features_cache=false",
    )
    assert json.loads((tmp_path / "metrics.json").read_text())["protocol"]["frames"] == 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chunk=0"], "chunk=0: must be a whole number"),
        (["start=soon"], "start=soon: must be a number"),
        (["truncation.content=2"], "truncation.content=2: must lie between 0 and 1"),
        (["content_distance=0"], "content_distance=0: must be more than 0 frames"),
        (["content_distance=far"], "content_distance=far: "),
        (["content_distance=9", "grid=directions"], "grid=directions changes the styles"),
    ],
)
def test_what_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert message in error_of(capsys, "sample", f"checkpoint={run}", *words)
