"""vgen evaluate: metrics of a model against its data, or of any two folders of videos."""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import DictConfig
from torch import Tensor

from vgen import rng
from vgen.cli.build import build_source
from vgen.cli.errors import telling
from vgen.cli.load import Trained, load_trained, pick_device
from vgen.cli.sample import sample_times
from vgen.config import CONF_DIR, ConfigError, instantiate
from vgen.data.evaluation_clips import draw_labels, leading_clips, real_clips
from vgen.data.source import VideoSource
from vgen.data.videos import Videos
from vgen.files import replacing
from vgen.protocol.score import score
from vgen.protocol.standard import Standard
from vgen.protocol.table import format_table
from vgen.training.sampling import generate_clips

log = logging.getLogger("vgen")


@hydra.main(config_path=str(CONF_DIR), config_name="evaluate", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("evaluate"):
        evaluate(config)


def evaluate(config: DictConfig) -> None:
    """Measure what `config` names, write the JSON file and print the table."""
    if config.checkpoint is None and (config.real is None or config.fake is None):
        raise ConfigError("give checkpoint=RUN, or both real=DIR and fake=DIR (vgen evaluate --help)")
    if config.checkpoint is not None and config.fake is not None:
        raise ConfigError("checkpoint= and fake= are both fake sides: give one of them")
    result, output = _model(config) if config.checkpoint is not None else _folders(config)
    with replacing(output) as partial:
        partial.write_text(json.dumps(result, indent=2))
    print(format_table(result))
    print(f"written to {output}")


def _model(config: DictConfig) -> tuple[dict[str, Any], Path]:
    """The model in `config.checkpoint` against its data, or against the videos in `config.real`."""
    device = pick_device(config.device)
    trained = load_trained(config.checkpoint, device)
    _settle_clip(config, trained.config.clip)
    for key in ("size", "channels"):
        if config.clip[key] != trained.config.clip[key]:
            raise ConfigError(f"clip.{key}={config.clip[key]}: the model makes {trained.config.clip[key]}")
    if "resize" in trained.config.data:
        config.protocol.resize = trained.config.data.resize
    protocol: Standard = instantiate(config.protocol)
    extractor = instantiate(config.extractor)
    metrics = instantiate(config.metric)
    protocol.check(extractor, metrics.values())
    times = sample_times(trained, protocol.frames, protocol.stride)
    real = _videos(config.real, config) if config.real else _training_data(trained)
    labels = _labels_like(real, trained, protocol)
    fake = generate_clips(
        trained.generator,
        count=protocol.fake_count,
        times=times,
        labels=labels,
        seed=protocol.seed,
        batch=config.batch,
    )
    result = score(
        _real(real, protocol, config.batch),
        fake,
        extractor=extractor,
        metrics=metrics,
        protocol=protocol,
        device=device,
        progress=True,
        real_info=_source_info(real),
        fake_info={
            "source": str(trained.file),
            "fingerprint": _file_hash(trained.file),
            "kclips": trained.kclips,
        },
    )
    _warn_of_skipped(result, "real", real)
    default = (trained.run or trained.file.parent) / "metrics.json"
    return result, _output(config, default)


def _folders(config: DictConfig) -> tuple[dict[str, Any], Path]:
    """Two folders of videos."""
    if config.clip.size is None:
        config.clip.size = Videos(path=config.real, size=1).native_size()
        log.info("clip.size=%d, the short side of the first real video", config.clip.size)
    _settle_clip(config, DictConfig({"frames": 16, "channels": 3, "stride": 1, "size": None}))
    protocol: Standard = instantiate(config.protocol)
    extractor = instantiate(config.extractor)
    metrics = instantiate(config.metric)
    protocol.check(extractor, metrics.values())
    real, fake = _videos(config.real, config), _videos(config.fake, config)
    result = score(
        _real(real, protocol, config.batch),
        leading_clips(
            fake,
            frames=protocol.frames,
            stride=protocol.fake_stride,
            count=protocol.fake_count,
            seed=protocol.seed,
            batch=config.batch,
        ),
        extractor=extractor,
        metrics=metrics,
        protocol=protocol,
        device=pick_device(config.device),
        progress=True,
        real_info=_source_info(real),
        fake_info=_source_info(fake),
    )
    for side, source in (("real", real), ("fake", fake)):
        _warn_of_skipped(result, side, source)
    return result, _output(config, Path("metrics.json"))


def _labels_like(source: VideoSource, trained: Trained, protocol: Standard) -> Tensor | None:
    """Labels for the fake clips with the frequencies of `source`, whose classes are the model's by name."""
    if not trained.contract.classes:
        return None
    labels = draw_labels(source, protocol.fake_count, rng.generator(protocol.seed, "labels"))
    known = list(trained.config.clip.class_names)
    if labels is None:
        raise ConfigError(f"{source.name} has no classes, and the model is conditional on {', '.join(known)}")
    unknown = [name for name in source.classes if name not in known]
    if unknown:
        raise ConfigError(f"{source.name} has the class {unknown[0]!r}; the model knows {', '.join(known)}")
    return torch.tensor([known.index(name) for name in source.classes])[labels]


def _warn_of_skipped(result: dict[str, Any], side: str, source: VideoSource) -> None:
    if source.skipped:
        result["warnings"].append(f"{len(source.skipped)} {side} videos could not be used")


def _settle_clip(config: DictConfig, defaults: DictConfig) -> None:
    for key in config.clip:
        if config.clip[key] is None:
            config.clip[key] = defaults[key]


def _videos(path: str, config: DictConfig) -> Videos:
    resize = config.protocol.resize
    source = Videos(path=path, size=config.clip.size, channels=config.clip.channels, resize=resize)
    source.prepare()
    source.setup()
    return source


def _training_data(trained: Trained) -> VideoSource:
    source, _ = build_source(trained.config)
    try:
        source.prepare()
        source.setup()
    except FileNotFoundError as error:
        raise ConfigError(f"{error}; the data has moved: give real=DIR") from error
    return source


def _real(source: VideoSource, protocol: Standard, batch: int) -> Iterator[Tensor]:
    return real_clips(
        source,
        frames=protocol.frames,
        stride=protocol.stride,
        count=protocol.count,
        seed=protocol.seed,
        batch=batch,
    )


def _source_info(source: VideoSource) -> dict[str, Any]:
    return {
        "source": str(getattr(source, "path", source.name)),
        "fingerprint": source.fingerprint,
        "videos": len(source),
        "skipped": [{"path": str(s.path), "reason": s.reason} for s in source.skipped],
    }


def _output(config: DictConfig, default: Path) -> Path:
    if config.output is None:
        return default
    output = Path(config.output)
    return output if output.suffix == ".json" else output / "metrics.json"


def _file_hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:16]
