"""The commands as a user runs them: train, sample, evaluate, report, continue, and what they say when it goes wrong."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import yaml
from commands import TINY, error_of, vgen
from safetensors import safe_open

from vgen.media import write_video
from vgen.training.checkpoint import read_checkpoint


@pytest.fixture(scope="module", autouse=True)
def own_features(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Features that other runs of the tests left behind would hide what extracting does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VGEN_FEATURES", str(tmp_path_factory.mktemp("features")))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    vgen("train", *TINY, f"output={folder}", "logger=[csv,wandb]", "clip.classes=auto")
    return folder


def frames_in(file: Path) -> int:
    with av.open(str(file)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_run_folder_holds_what_is_promised(run: Path) -> None:
    names = {str(f.relative_to(run)) for f in run.rglob("*") if f.is_file()}
    assert {
        "config.yaml",
        "provenance.json",
        "metrics.csv",
        "checkpoints/last.ckpt",
        "checkpoints/best.ckpt",
        "checkpoints/generator_ema.safetensors",
        "samples/000000.000.mp4",
        "samples/000000.016.mp4",
    } <= names
    assert any(name.startswith("wandb/offline-run") for name in names)
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["clip"]["classes"] == config["generator"]["classes"] == 2
    assert config["choices"]["generator"] == "mocogan"
    provenance = json.loads((run / "provenance.json").read_text())
    assert provenance["data"]["videos"] == 12
    assert provenance["kclips"] == 0.016
    assert provenance["finished"] >= provenance["started"]
    assert provenance["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(r["kclips"]) for r in rows if r["loss/d"]] == [0.004, 0.008, 0.012, 0.016]
    assert sum(bool(r["fvd/embedded"]) for r in rows) == 1


def test_exported_weights_are_the_average_and_carry_their_config(run: Path) -> None:
    contents = read_checkpoint(run / "checkpoints" / "last.ckpt")
    with safe_open(run / "checkpoints" / "generator_ema.safetensors", framework="pt") as opened:
        metadata: dict[str, str] = opened.metadata()
        assert json.loads(metadata["config"]) == contents["vgen"]["config"]
        for name in opened.keys():  # noqa: SIM118
            assert torch.equal(
                opened.get_tensor(name), contents["state_dict"][f"generator_average.module.{name}"]
            )


@pytest.mark.parametrize("kind", ["mp4", "gif", "png", "npy"])
def test_sample_writes_clips_and_a_grid(run: Path, tmp_path: Path, kind: str) -> None:
    output = tmp_path / "clips"
    vgen(
        "sample", f"checkpoint={run}", "count=3", "frames=20", f"format={kind}", f"output={output}", "batch=2"
    )
    files = sorted(output.iterdir())
    assert [f.name for f in files] == [f"{n:06d}.{kind}" for n in range(3)]
    if kind in ("mp4", "gif"):
        assert frames_in(files[0]) == 20
        assert frames_in(tmp_path / f"clips.{kind}") == 20
    elif kind == "npy":
        assert np.load(files[0]).shape == (20, 16, 16, 3)


def test_samples_depend_on_seed_and_number_alone(run: Path, tmp_path: Path) -> None:
    def clips(name: str, *more: str, checkpoint: str = "checkpoints/last.ckpt") -> np.ndarray:
        vgen("sample", f"checkpoint={run / checkpoint}", f"output={tmp_path / name}", "format=npy", *more)
        return np.stack([np.load(f) for f in sorted((tmp_path / name).iterdir())])

    one = clips("one", "count=4", "batch=4", "label=1")
    two = clips("two", "count=6", "batch=5", "label=1")
    assert np.array_equal(one, two[:4])
    exported = clips("export", "count=4", "label=1", checkpoint="checkpoints/generator_ema.safetensors")
    assert np.array_equal(one, exported)
    assert not np.array_equal(one, clips("seed", "count=4", "seed=1", "label=1"))
    assert not np.array_equal(one, clips("label", "count=4", "label=0"))


def test_evaluate_a_model_and_two_folders(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    vgen("evaluate", f"checkpoint={copy}", "protocol=quick", "protocol.count=6")
    result = json.loads((copy / "metrics.json").read_text())
    assert set(result["metrics"]) == {"fvd/embedded", "kvd/embedded"}
    assert result["fake"]["kclips"] == 0.016
    assert "fvd[embedded-" in capsys.readouterr().out

    capsys.readouterr()
    real, fake = folders(tmp_path)
    arguments = [f"real={real}", f"fake={fake}", f"output={tmp_path}", "protocol.count=5"]
    vgen("evaluate", *arguments)
    result = json.loads((tmp_path / "metrics.json").read_text())
    assert result["real"]["size"] == [16, 16]
    assert result["real"]["clips"] == result["fake"]["clips"] == 5
    assert result["real"]["from_cache"] == {"embedded": 0}
    assert any("stored with losses" in warning for warning in result["warnings"])

    vgen("evaluate", *arguments, "metric=[precision_recall,temporal_flickering]")
    again = json.loads((tmp_path / "metrics.json").read_text())
    assert again["real"]["from_cache"] == {"embedded": 5, "change": 0, "flow": 0}
    assert {"recall/embedded", "temporal_flickering/change", "dynamic_degree/flow"} <= set(again["metrics"])
    assert "real" in again["metrics"]["temporal_flickering/change"]
    assert "features of 10 of 30 were there already" in capsys.readouterr().out


def folders(parent: Path) -> tuple[Path, Path]:
    for side, start in (("real", 0), ("fake", 60)):
        for n in range(5):
            pixels = np.random.default_rng(start + n).integers(0, 255, (20, 16, 16, 3), dtype=np.uint8)
            write_video(parent / side / f"{n}.mp4", pixels, fps=8)
    return parent / "real", parent / "fake"


def test_what_cannot_be_measured_is_said_and_does_not_cost_the_rest(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"checkpoint={run}", "metric=[frechet,frechet_infinity]", "protocol.count=6"]
    said = error_of(capsys, "evaluate", *arguments, f"output={tmp_path}")
    assert "fvd_inf/embedded could not be measured" in said
    result = json.loads((tmp_path / "metrics.json").read_text())
    assert list(result["metrics"]) == ["fvd/embedded"]
    assert "6 clips" in result["failed"]["fvd_inf/embedded"]


def test_what_needs_a_model(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "m.json"
    wanted = "metric=[disentanglement,memorization,mcs]"
    size = ["metric.disentanglement.bases=3", "metric.disentanglement.draws=2", "protocol.count=8"]
    vgen("evaluate", f"checkpoint={run}", wanted, *size, f"output={output}")
    metrics = json.loads(output.read_text())["metrics"]
    assert {"disentanglement/embedded", "variance_motion/embedded", "mcs/embedded"} <= set(metrics)
    assert 0 <= metrics["disentanglement/embedded"]["value"] <= 1
    picture = Path(metrics["memorization/embedded"]["picture"])
    assert picture == tmp_path / "m_memorization_embedded.mp4"
    assert frames_in(picture) == 16
    line = error_of(
        capsys, "evaluate", f"checkpoint={run}", wanted, *size, "metric.disentanglement.parts=[content,shape]"
    )
    assert "has no part 'shape'; it has content, motion_start, motion_noise" in line
    assert "it needs a model (checkpoint=RUN), not videos" in error_of(
        capsys, "evaluate", "real=a", "fake=b", wanted
    )


def test_what_the_videos_of_a_run_cannot_give(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, "evaluate", f"checkpoint={run}", "protocol.split=test")
    assert "protocol.split=test is a sub-folder of real=DIR" in line


def test_an_output_that_cannot_be_written_is_said_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "clips.npy", np.zeros((2, 16, 8, 8, 3), np.uint8))
    sides = [f"{side}={tmp_path / 'clips.npy'}" for side in ("real", "fake")]
    output = tmp_path / "clips.npy" / "m.json"
    line = error_of(capsys, "evaluate", *sides, f"output={output}")
    assert line.startswith(f"vgen: error: output={output}: cannot be written (")


@pytest.mark.slow
def test_processes_do_not_change_the_numbers(run: Path, tmp_path: Path) -> None:
    """5 clips in chunks of 2, of which the fourth process gets none."""
    results = []
    for processes in (1, 4):
        output = tmp_path / f"{processes}.json"
        vgen(
            "evaluate",
            f"checkpoint={run}",
            "protocol.count=5",
            "metric=[frechet,kernel,temporal_flickering]",
            f"processes={processes}",
            "batch=2",
            "features_cache=false",
            f"output={output}",
        )
        results.append(json.loads(output.read_text()))
    assert results[0]["metrics"] == results[1]["metrics"]
    assert results[0]["fake"]["content"] == results[1]["fake"]["content"]
    assert results[1]["machine"]["processes"] == 4


def test_the_online_metric_is_the_evaluated_one(run: Path, tmp_path: Path) -> None:
    """Same protocol, same checkpoint: training and `vgen evaluate` must agree to the last digits."""
    output = tmp_path / "m.json"
    vgen(
        "evaluate",
        f"checkpoint={run / 'checkpoints/last.ckpt'}",
        "protocol=quick",
        "protocol.count=6",
        f"output={output}",
    )
    with (run / "metrics.csv").open() as file:
        online = [float(r["fvd/embedded"]) for r in csv.DictReader(file) if r["fvd/embedded"]][-1]
    assert json.loads(output.read_text())["metrics"]["fvd/embedded"]["value"] == pytest.approx(
        online, rel=1e-6
    )


def test_report_on_runs(run: Path, tmp_path: Path) -> None:
    vgen("report", f"runs={run.parent}", f"output={tmp_path}", "title=Tiny")
    assert {f.name for f in tmp_path.iterdir()} >= {"report.html", "table.md", "table.csv", "table.tex"}
    assert "Tiny" in (tmp_path / "report.html").read_text()


def test_the_same_command_continues_a_run_bit_for_bit(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    arguments = [*TINY, "callback=[checkpoint,export]", "checkpoint_every=0.004", "regularizer=[r1]"]
    vgen("train", *arguments, f"output={whole}", "kclips=0.024")
    vgen("train", *arguments, f"output={parts}", "kclips=0.012")
    first = yaml.safe_load((parts / "config.yaml").read_text())
    vgen("train", *arguments, f"output={parts}", "kclips=0.024")
    again = yaml.safe_load((parts / "config.yaml").read_text())
    assert again["run_id"] == first["run_id"]
    assert again["kclips"] == 0.024
    states = [read_checkpoint(f / "checkpoints" / "last.ckpt") for f in (whole, parts)]
    assert states[0]["vgen"]["iteration"] == states[1]["vgen"]["iteration"] == 6
    for name, value in states[0]["state_dict"].items():
        assert torch.equal(value, states[1]["state_dict"][name]), name
    assert (whole / "metrics.csv").read_text() == (parts / "metrics.csv").read_text()


def test_a_multirun_trains_each_combination_in_its_own_folder(tmp_path: Path) -> None:
    vgen(
        "train",
        "-m",
        *TINY,
        "callback=[export]",
        "logger=[csv,wandb]",
        f"output={tmp_path}",
        "loss=hinge,wgan",
        "seed=1,2",
        "kclips=0.004",
    )
    folders = sorted(f.name for f in tmp_path.iterdir() if f.is_dir())
    assert len(folders) == 4
    assert all("loss=" in name and "seed=" in name for name in folders)
    for folder in folders:
        config = yaml.safe_load((tmp_path / folder / "config.yaml").read_text())
        assert config["choices"]["loss"] in folder
        assert (tmp_path / folder / "checkpoints" / "last.ckpt").exists()
    # Each job is a W&B run of its own, named by its folder.
    runs = [next((tmp_path / folder / "wandb").glob("offline-run-*")).name for folder in folders]
    assert len({run.rsplit("-", 1)[1] for run in runs}) == 4


def test_a_failing_job_does_not_end_a_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = ["discriminator.image_frames=99,1", "kclips=0.004", "callback=[export]"]
    line = error_of(capsys, "train", "-m", *TINY, *sweep, f"output={tmp_path}")
    assert "image_frames=99" in line
    assert [f.parent.parent.name for f in tmp_path.rglob("last.ckpt")] == [
        next(f.name for f in tmp_path.iterdir() if "image-frames=1" in f.name or "image_frames=1" in f.name)
    ]


def test_two_processes_from_the_command_line(tmp_path: Path) -> None:
    arguments = [
        *TINY,
        "logger=csv",
        "kclips=0.008",
        "callback=[metrics,checkpoint,export]",
        "metric_every=0.008",
    ]
    vgen("train", *arguments, f"output={tmp_path / 'one'}")
    vgen("train", *arguments, f"output={tmp_path / 'two'}", "trainer=ddp_cpu")
    one, two = (
        read_checkpoint(tmp_path / n / "checkpoints" / "last.ckpt")["state_dict"] for n in ("one", "two")
    )
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=2e-3, atol=2e-4, msg=name)
    values = []
    for name in ("one", "two"):
        with (tmp_path / name / "metrics.csv").open() as file:
            values.append([float(r["fvd/embedded"]) for r in csv.DictReader(file) if r["fvd/embedded"]])
    assert len(values[0]) == len(values[1]) == 1
    assert values[0] == pytest.approx(values[1], rel=1e-2)


def test_a_loss_from_outside_trains_without_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of the README, as it stands there."""
    blocks = (Path(__file__).parents[2] / "README.md").read_text().split("```")
    code = next(b.removeprefix("python\n") for b in blocks if "my_lab/my_loss.py" in b)
    option = next(b.removeprefix("yaml\n") for b in blocks if "my_conf/loss/least_squares.yaml" in b)
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab" / "my_loss.py").write_text(code)
    (tmp_path / "my_conf" / "loss").mkdir(parents=True)
    (tmp_path / "my_conf" / "loss" / "least_squares.yaml").write_text(option)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    vgen(
        "train",
        "--config-dir",
        "my_conf",
        "loss=least_squares",
        *TINY,
        "callback=[export]",
        f"output={tmp_path / 'run'}",
    )
    assert "my_lab" in (tmp_path / "run" / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train generator.widht=3", "generator.widht: no such key; generator has motion, synthesis"),
        ("train los=hinge", "los: no such key"),
        ("train loss=hnge", "relativistic_average, wgan. Did you mean 'hinge'?"),
        ("train callback=[progres]", "callback=progres: no such option"),
        ("train clip.size=50", "clip.size=50 cannot be made"),
        ("train seed=abc", "seed=abc: input should be a valid integer"),
        ("train batch=0", "batch=0: must be above 0"),
        ("train optimizer.generator.lr=fast", "optimizer.generator: lr='fast'"),
        ("train training.accumulate=3", "choose a multiple of 3"),
        ("train sampler.stride=40", "the sampler needs 601"),
        ("train clip.size=32 discriminator.size=64", "set clip.frames, clip.channels and clip.size"),
        ("train data=videos", "data.path=... must be given"),
        ("train data=videos data.path=/nonexistent", "/nonexistent"),
        ("sample", "checkpoint=... must be given"),
        ("sample checkpoint=/nonexistent", "there is no such run folder or file"),
        ("evaluate", "give checkpoint=RUN, or both real=DIR and fake=DIR"),
        ("evaluate real=a fake=b processes=0", "processes=0: must be at least 1"),
        ("evaluate real=/nonexistent fake=b", "/nonexistent"),
        ("evaluate real=a fake=b extractor=[flow] metric=[frechet]", "metric.frechet reads 'clip' features"),
        ("train extractor=[random]", "best=fvd/embedded: the run measures fvd/random, kvd/random"),
        ("report runs=/nonexistent", "/nonexistent"),
        ("trian", "Did you mean 'train'?"),
    ],
)  # fmt: skip
def test_misuse_is_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in error_of(capsys, *arguments.split())


def test_bad_checkpoints_are_told_in_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes((run / "checkpoints" / "last.ckpt").read_bytes()[:-1000])
    assert "damaged" in error_of(capsys, "sample", f"checkpoint={damaged}")
    contents = read_checkpoint(run / "checkpoints" / "last.ckpt")
    contents["vgen"]["config"]["generator"]["content_dim"] = 7
    torch.save(contents, tmp_path / "other.ckpt")
    assert "is of another model" in error_of(capsys, "sample", f"checkpoint={tmp_path / 'other.ckpt'}")
    assert "as it was trained on" in error_of(capsys, "sample", f"checkpoint={run}", "stride=3")
    assert "does not read times" in error_of(capsys, "sample", f"checkpoint={run}", "start=3")
    assert "no mapping network" in error_of(capsys, "sample", f"checkpoint={run}", "truncation.content=0.5")
    assert "frames=0" in error_of(capsys, "sample", f"checkpoint={run}", "frames=0")
    assert "label=2" in error_of(capsys, "sample", f"checkpoint={run}", "label=2")
    assert "format=avi" in error_of(capsys, "sample", f"checkpoint={run}", "format=avi")


def test_a_folder_with_another_run_is_not_continued(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "config.yaml").read_text()
    line = error_of(capsys, "train", *TINY, f"output={run}", "clip.classes=auto", "loss=hinge")
    assert "another configuration" in line
    assert "loss._target_" in line
    assert (run / "config.yaml").read_text() == before


def test_help_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        vgen("--help")
    for command in ("train", "sample", "evaluate", "report"):
        assert command in capsys.readouterr().out or command != "train"
        with pytest.raises(SystemExit):
            vgen(command, "--help")
        text = capsys.readouterr().out
        assert f"vgen {command}" in text
        assert "Powered by Hydra" not in text
