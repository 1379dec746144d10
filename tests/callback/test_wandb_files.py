"""What an offline run leaves for `wandb sync`, read back from its files."""

import json
from pathlib import Path

import pytest
import wandb_files as written
from pytorch_lightning.loggers import WandbLogger

from vgen.callback import wandb_bridge
from vgen.cli.main import main
from vgen.config import _job_type

TINY = [
    "debug=fast", "clip.size=16", "generator.synthesis.base_channels=4", "discriminator.base_channels=4",
    "protocol.count=6", "data.videos=12", "logger=[csv,wandb]", "kclips=0.008", "metric_every=0.004",
]  # fmt: skip


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("VGEN_FEATURES", str(tmp_path_factory.mktemp("features")))
        main(["train", "-m", *TINY, f"output={folder}", "loss=hinge,wgan", "seed=1"])
    return folder


@pytest.fixture(scope="module")
def run(sweep: Path) -> Path:
    return next(f for f in sorted(sweep.iterdir()) if f.name.startswith("loss=hinge"))


def test_a_multirun_is_a_group_of_job_types(sweep: Path) -> None:
    runs = [written.of_kind(written.segments(f), "run")[0] for f in sorted(sweep.iterdir()) if f.is_dir()]
    assert len({one.run_id for one in runs}) == 2
    assert {one.run_group for one in runs} == {f"train/{sweep.name}"}
    assert [one.job_type.split(",")[0] for one in runs] == ["loss=hinge", "loss=wgan"]
    assert not any("seed" in one.job_type for one in runs)


@pytest.mark.parametrize(
    ("folder", "job_type"),
    [
        ("2026-01-01_00-00-00", "train"),
        ("loss=hinge,seed=1", "loss=hinge"),
        ("seed=1", "train"),
        ("loss=hinge,seed=1,batch=4," + "a=" + "b" * 43 + "-0123abcd", "loss=hinge,batch=4"),
        ("loss=" + "b" * 66 + "-0123abcd", "loss=" + "b" * 43),
    ],
)
def test_job_type_leaves_out_the_seed_and_what_it_changes(folder: str, job_type: str) -> None:
    assert _job_type(f"/runs/{folder}") == job_type


def test_config_history_and_summary(run: Path) -> None:
    found = written.segments(run)
    config = written.config(found)
    assert config["loss"]["_target_"] == "vgen.loss.hinge.Hinge"
    assert config["seed"] == 1
    rows = written.history(found)
    assert sorted(rows) == [0, 0.004, 0.008]
    assert {"loss/d", "loss/g", "fvd/embedded", "samples/path"} <= set(rows[0.008])
    summary = written.summary(found)
    assert summary["fvd/embedded"] == rows[0.008]["fvd/embedded"]
    assert summary["protocol/fvd/embedded"].startswith("fvd[embedded-")
    assert len(summary["protocol/id"]) == 12


def test_sample_videos_are_media_with_captions(run: Path) -> None:
    row = written.history(written.segments(run))[0.008]
    assert row["samples/_type"] == "video-file"
    assert row["samples/caption"] == "0.008 kclips, seed 1"
    (folder,) = (run / "wandb").glob("offline-run-*")
    media = folder / "files" / row["samples/path"]
    assert media.read_bytes() == (run / "samples" / "000000.008.mp4").read_bytes()


def test_data_and_checkpoints_are_artifacts(run: Path) -> None:
    found = {
        (artifact.type, alias): artifact
        for artifact in written.artifacts(written.segments(run))
        for alias in artifact.aliases
        if alias != "latest"
    }
    fingerprint = json.loads((run / "provenance.json").read_text())["data"]["fingerprint"]
    assert set(found) == {("dataset", fingerprint[:64]), ("model", "best"), ("model", "last")}
    data = json.loads(found["dataset", fingerprint[:64]].metadata)
    assert (data["fingerprint"], data["videos"]) == (fingerprint, 12)
    for alias in ("best", "last"):
        (entry,) = found["model", alias].manifest.contents
        assert entry.ref == (run / "checkpoints" / f"{alias}.ckpt").absolute().as_uri()
    assert json.loads(found["model", "last"].metadata) == {"kclips": 0.008}
    assert "fvd/embedded" in json.loads(found["model", "best"].metadata)


def test_a_checkpoint_is_uploaded_if_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staged"))
    file = tmp_path / "last.ckpt"
    file.write_bytes(b"weights")
    loggers = [WandbLogger(project="test", save_dir=tmp_path, id="abc", offline=True)]
    wandb_bridge.log_checkpoint(loggers, file, "last", {"kclips": 1.0}, "upload")
    wandb_bridge.finish(loggers, failed=False)
    (artifact,) = written.artifacts(written.segments(tmp_path))
    (entry,) = artifact.manifest.contents
    assert (artifact.name, entry.ref, entry.size) == ("model-abc", "", 7)
    assert Path(entry.local_path).read_bytes() == b"weights"


def test_the_command_that_uploads_is_told(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    command = f"wandb sync {run}/wandb/offline-run-*"
    assert wandb_bridge.sync_command([WandbLogger(save_dir=run)]) in (
        command,
        command.replace(str(run), f"'{run}'"),
    )
    assert "wandb sync" in (run / "train.log").read_text()
    assert wandb_bridge.sync_command([WandbLogger(save_dir=run / "samples")]) is None
