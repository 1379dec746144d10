"""vgen evaluate: metrics of a model against its data, or of any two folders of videos."""

import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from vgen import rng
from vgen.cli.asked import sample_times
from vgen.cli.build import build_source, prepared
from vgen.cli.chain import chain
from vgen.cli.errors import telling
from vgen.cli.load import Trained, load_trained, pick_device
from vgen.cli.ranks import first_then_others, local_device, ranks
from vgen.cli.roles import settle_extractors
from vgen.clip import Extractor, given_frames, is_given, small_size
from vgen.config import CONF_DIR, ConfigError, instantiate, plain, type_problem
from vgen.data.evaluation_clips import VideoClips, draw_labels
from vgen.data.source import VideoSource
from vgen.files import replacing
from vgen.protocol.contract import ClipSet, SetMetric
from vgen.protocol.offenders import write_offenders
from vgen.protocol.pairing import check_sets_suffice, extractors_of, listed, pairs_of
from vgen.protocol.prepared import check_prepared
from vgen.protocol.score import Side, check_alike, compare, look
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore
from vgen.protocol.table import format_table
from vgen.training.generated_clips import GeneratedClips
from vgen.training.given_frames import GivenFrames
from vgen.training.redrawn_clips import redrawn_features, redraws_of

log = logging.getLogger("vgen")


@hydra.main(config_path=str(CONF_DIR), config_name="evaluate", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("evaluate"):
        failed = evaluate(config)
        if failed:
            raise ConfigError(
                f"{', '.join(failed)} could not be measured (why: see above); the rest is written"
            )


def evaluate(config: DictConfig) -> list[str]:
    """Measure what `config` names, write the JSON file and print the table; return what could not be measured."""
    _check(config)
    settle_extractors(config)
    with ranks(config, "evaluate", config.processes) as (rank, world):
        result, output = _measure(config, rank, world)
    if rank > 0:
        return []
    result["request"] = plain(config)  # vgen reproduce asks the same again
    with replacing(output) as partial:
        partial.write_text(json.dumps(result, indent=2))
    print(format_table(result))
    print(f"written to {output}")
    return list(result["failed"])


@dataclass(frozen=True)
class _Question:
    """Two sets of clips, and where the answer goes."""

    real: ClipSet
    fake: ClipSet
    output: Path


@dataclass(frozen=True)
class _Parts:
    """What the configuration builds before any video is read."""

    protocol: Standard
    metrics: list[SetMetric]
    pairs: list[tuple[SetMetric, Extractor]]

    @property
    def extractors(self) -> list[Extractor]:
        return extractors_of(self.pairs)


def _measure(config: DictConfig, rank: int, world: int) -> tuple[dict[str, Any], Path]:
    device = local_device(pick_device(config.device))
    question, parts = (_model if config.checkpoint is not None else _folders)(config, device, rank)
    real, fake = question.real, question.fake
    check_alike(real, fake)
    redraws = redraws_of(fake, parts.pairs) if isinstance(fake, GeneratedClips) else {}
    how: dict[str, Any] = {
        "store": FeatureStore.chosen(config.features_cache),
        "batch": config.batch,
        "device": device,
        "rank": rank,
        "world": world,
        "progress": rank == 0,
    }
    of_real = look(real, parts.extractors, protocol=parts.protocol, side="real", **how)
    of_fake = look(fake, parts.extractors, protocol=parts.protocol, side="fake", **how)
    redrawn = redrawn_features(redraws, **how)
    if rank > 0:
        return {}, question.output
    result = compare(
        of_real,
        of_fake,
        extractors=parts.extractors,
        metrics=parts.metrics,
        protocol=parts.protocol,
        redrawn=redrawn,
    )
    # what rounds differently elsewhere
    result["machine"] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "processes": world,
        "threads": torch.get_num_threads(),
    }
    _picture(result, of_real, of_fake, parts, question.output)
    return result, question.output


def _check(config: DictConfig) -> None:
    if config.checkpoint is None and (config.real is None or config.fake is None):
        raise ConfigError("give checkpoint=RUN, or both real=DIR and fake=DIR (vgen evaluate --help)")
    if config.checkpoint is not None and config.fake is not None:
        raise ConfigError("checkpoint= and fake= are both fake sides: give one of them")
    if config.checkpoint is None and config.small is not None:
        raise ConfigError(f"small={config.small} goes with checkpoint=RUN, which enlarges its clips")
    for key in ("batch", "processes"):
        problem = type_problem(int, config[key])
        if problem or config[key] < 1:
            raise ConfigError(f"{key}={config[key]}: {problem or 'must be at least 1'}")


def _parts(config: DictConfig) -> _Parts:
    protocol: Standard = instantiate(config.protocol)
    metrics = listed(instantiate(config.metric))
    return _Parts(protocol, metrics, pairs_of(instantiate(config.extractor), metrics, protocol))


def _model(config: DictConfig, device: torch.device, rank: int) -> tuple[_Question, _Parts]:
    """The model in `config.checkpoint` against its data, or against the videos in `config.real`."""
    trained = chain(load_trained(config.checkpoint, device), config.small, device)
    # more than clip.frames where training is sparse
    compared = OmegaConf.select(trained.config, "protocol.frames", default=trained.config.clip.frames)
    _settle_clip(config, {**trained.config.clip, "frames": compared or trained.config.clip.frames})
    for key in ("size", "channels"):
        if config.clip[key] != trained.config.clip[key]:
            raise ConfigError(f"clip.{key}={config.clip[key]}: the model makes {trained.config.clip[key]}")
    if "resize" in trained.config.data and OmegaConf.is_interpolation(config.protocol, "resize"):
        config.protocol.resize = trained.config.data.resize
    parts = _parts(config)
    # other videos, too, are read at the rate of the clips that the model was trained on
    fps, stored_fps = (OmegaConf.select(trained.config, f"data.{key}") for key in ("fps", "stored_fps"))
    protocol = parts.protocol.continuing(given_frames(trained.generator)).at_rate(fps)
    protocol = protocol.enlarging(small_size(trained.generator))
    parts = replace(parts, protocol=protocol)
    times = sample_times(trained, protocol.frames, protocol.stride)
    source = (
        _open(config.real, protocol, config, real=True, rank=rank, stored_fps=stored_fps)
        if config.real
        else _data(trained, protocol, rank)
    )
    real = protocol.real_clips(source)
    _name_classes(real, list(trained.config.clip.class_names))
    count = protocol.fake_count or len(real)
    given = GivenFrames(real, trained.generator) if is_given(trained.generator) else None
    labels = _labels_like(source, trained, count, protocol.seed)
    if labels is not None and given is not None:
        labels = given.labels(count)
    fake = GeneratedClips(
        trained.generator,
        count=count,
        times=times,
        labels=labels,
        seed=protocol.seed,
        given=given,
        pixels=protocol.pixels,
        info=_facts(trained),
    )
    output = _output(config, (trained.run or trained.file.parent) / "metrics.json")
    return _Question(real, fake, output), parts


def _folders(config: DictConfig, device: torch.device, rank: int) -> tuple[_Question, _Parts]:
    """Two folders of videos."""
    _settle_clip(config, DictConfig({"frames": 16, "channels": 3, "stride": 1, "size": None}))
    parts = _parts(config)
    check_sets_suffice(parts.pairs)
    protocol = parts.protocol
    real = protocol.real_clips(_open(config.real, protocol, config, real=True, rank=rank))
    fake = protocol.fake_clips(_open(config.fake, protocol, config, real=False, rank=rank))
    _name_classes(fake, list(real.source.classes))
    return _Question(real, fake, _output(config, Path("metrics.json"))), parts


def _labels_like(source: VideoSource, trained: Trained, count: int, seed: int) -> Tensor | None:
    """Labels for the fake clips with the frequencies of `source`, whose classes are the model's by name."""
    if not trained.contract.classes:
        return None
    labels = draw_labels(source, count, rng.generator(seed, "labels"))
    known = list(trained.config.clip.class_names)
    if labels is None:
        raise ConfigError(f"{source.name} has no classes, and the model is conditional on {', '.join(known)}")
    unknown = [name for name in source.classes if name not in known]
    if unknown:
        raise ConfigError(f"{source.name} has the class {unknown[0]!r}; the model knows {', '.join(known)}")
    return torch.tensor([known.index(name) for name in source.classes])[labels]


def _name_classes(clips: VideoClips, names: list[str]) -> None:
    """Number the classes of `clips` as `names` do; without labels if it has one that is not among them."""
    classes = clips.source.classes
    if clips.labels is not None:
        known = all(name in names for name in classes)
        clips.labels = torch.tensor([names.index(name) for name in classes])[clips.labels] if known else None


def _picture(result: dict[str, Any], real: Side, fake: Side, parts: _Parts, output: Path) -> None:
    """Beside the numbers, the fake clips that metrics point at, each with the real clip it is held against."""
    for metric, extractor in parts.pairs:
        name = f"{metric.names[0]}/{extractor.name}"
        if hasattr(metric, "offenders") and name in result["metrics"]:
            file = write_offenders(output, metric, extractor, real, fake)
            result["metrics"][name]["picture"] = str(file)


def _settle_clip(config: DictConfig, defaults: Mapping[str, Any]) -> None:
    for key in config.clip:
        if config.clip[key] is None:
            config.clip[key] = defaults[key]


def _open(
    path: str,
    protocol: Standard,
    config: DictConfig,
    *,
    real: bool,
    rank: int,
    stored_fps: float | None = None,
) -> VideoSource:
    channels = config.clip.channels
    return first_then_others(
        rank, lambda: protocol.open_videos(path, real=real, channels=channels, stored_fps=stored_fps)
    )


def _data(trained: Trained, protocol: Standard, rank: int) -> VideoSource:
    source, _ = build_source(trained.config)
    check_prepared(source, protocol)
    return first_then_others(rank, lambda: prepared(source, "give real=DIR"))


def _output(config: DictConfig, default: Path) -> Path:
    """Where the numbers go; that it can be written to is found out before they are made."""
    output = default if config.output is None else Path(config.output)
    if output.suffix != ".json":
        output /= "metrics.json"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise ConfigError(f"output={output}: cannot be written ({error.strerror}); give another") from error
    return output


def _facts(trained: Trained) -> dict[str, Any]:
    """Which checkpoints made the clips: of a chain, that of the small ones stands in that of the large ones."""
    with trained.file.open("rb") as opened:
        fingerprint = hashlib.file_digest(opened, "sha256").hexdigest()[:16]
    facts = {"source": str(trained.file), "fingerprint": fingerprint, "kclips": trained.kclips}
    return facts if trained.small is None else facts | {"small": _facts(trained.small)}
