"""From a resolved configuration to the objects of a run. It instantiates and connects, nothing else."""

from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import Logger
from torch import Tensor

from vgen.callback.csv_logger import MetricsCSV
from vgen.clip import Clip, Sampler
from vgen.config import ConfigError, instantiate, plain, type_problem
from vgen.data.module import ClipDataModule
from vgen.data.source import VideoSource
from vgen.data.videos import Videos
from vgen.training.checkpoint import AtomicCheckpointIO
from vgen.training.video_gan import VideoGAN

_PLAIN_VALUES = {
    "seed": int, "batch": int, "kclips": float, "workers": int, "flip": bool, "log_every": int,
    "sample_every": float, "metric_every": float, "checkpoint_every": float,
}  # fmt: skip


def check_values(config: DictConfig) -> None:
    """Raise ConfigError for a number at the top of the config that is none, before anything is built from it."""
    for key, kind in _PLAIN_VALUES.items():
        problem = type_problem(kind, config[key])
        if problem:
            raise ConfigError(f"{key}={config[key]}: {problem}")
    for key in ("batch", "log_every", "kclips", "sample_every", "metric_every", "checkpoint_every"):
        if config[key] <= 0:
            raise ConfigError(f"{key}={config[key]}: must be above 0")


def build_data(config: DictConfig) -> ClipDataModule:
    """The data module; no video is read yet."""
    sampler: Sampler = instantiate(config.sampler)
    source: VideoSource = instantiate(config.data)
    if isinstance(source, Videos):
        source.min_frames = sampler.span
    return ClipDataModule(
        source=source,
        sampler=sampler,
        batch=config.batch,
        rounds=config.training.d_steps,
        workers=config.workers,
        seed=config.seed,
        flip=config.flip,
    )


def settle_classes(config: DictConfig, source: VideoSource) -> None:
    """Replace `clip.classes=auto` by the data's number of classes, and check a number against them."""
    wanted = config.clip.classes
    if wanted == 0:
        return
    found = len(source.classes)
    if found == 0:
        raise ConfigError(
            f"clip.classes={wanted}: the data has no classes; put videos in one folder per class"
        )
    if wanted == "auto":
        config.clip.classes = found
    elif wanted != found:
        raise ConfigError(
            f"clip.classes={wanted}: the data has {found} classes ({', '.join(source.classes)})"
        )


def build_model(config: DictConfig, sampler: Sampler) -> VideoGAN:
    """The networks, losses and optimizers, checked against the times that the sampler draws."""
    generator = instantiate(config.generator)
    drawn = sampler(10 * sampler.span, torch.Generator().manual_seed(0)).float()
    times = (drawn - drawn[0])[None]
    try:
        generator.check_times(times)
    except ValueError as error:
        raise ConfigError(f"generator and sampler do not fit: {error}") from error
    training = plain(config.training)
    target = training.pop("_target_")
    if target != "vgen.training.video_gan.VideoGAN":
        raise ConfigError(f"training._target_={target}: vgen train trains vgen.training.video_gan.VideoGAN")
    model = VideoGAN(
        generator=generator,
        discriminator=instantiate(config.discriminator),
        loss=instantiate(config.loss),
        regularizers=instantiate(config.regularizer),
        augment=instantiate(config.augment),
        generator_optimizer=instantiate(config.optimizer.generator),
        discriminator_optimizer=instantiate(config.optimizer.discriminator),
        config=plain(config),
        **training,
    )
    _try_parts(model, times)
    return model


@torch.no_grad()
def _try_parts(model: VideoGAN, times: Tensor) -> None:
    """Pass one clip through both networks, so that parts that do not fit fail before any data is read."""
    model.eval()
    generator = model.generator
    label = torch.zeros(1, dtype=torch.int64) if generator.classes else None
    latent = generator.sample_latent(1, times, torch.Generator().manual_seed(0))  # type: ignore[operator]
    try:
        model.discriminator(Clip(generator(latent, times, label), times, label))
    except RuntimeError as error:
        raise ConfigError(f"generator and discriminator do not fit: {str(error).splitlines()[0]}") from error
    model.train()


def build_trainer(config: DictConfig) -> Trainer:
    """Lightning's Trainer with vgen's callbacks, loggers and atomic checkpoints."""
    loggers: list[Logger] = list(instantiate(config.logger).values()) if config.logger else []
    # metrics.csv comes first, so that a run has its numbers even if another logger fails.
    loggers.sort(key=lambda logger: not isinstance(logger, MetricsCSV))
    callbacks = list(instantiate(config.callback).values()) if config.callback else []
    factory = instantiate(config.trainer)
    return factory(
        callbacks=callbacks,
        logger=loggers or False,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=config.paths.run,
        # Sampler, order and position are vgen's own; there is no validation loop and no per-step Lightning log.
        use_distributed_sampler=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=any(type(c).__name__ == "ClipProgress" for c in callbacks),
        enable_checkpointing=any("Checkpoint" in type(c).__name__ for c in callbacks),
    )


def differing_keys(saved: dict[str, Any], new: dict[str, Any], ignored: set[str]) -> list[str]:
    """Dotted keys whose values differ between two plain configs, `ignored` top-level keys left out."""
    left, right = (OmegaConf.create({k: v for k, v in c.items() if k not in ignored}) for c in (saved, new))
    flat_left, flat_right = (dict(_leaves(plain(c))) for c in (left, right))
    missing = object()
    keys = sorted(flat_left.keys() | flat_right.keys())
    return [k for k in keys if flat_left.get(k, missing) != flat_right.get(k, missing)]


def _leaves(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        return [leaf for key, value in node.items() for leaf in _leaves(value, f"{prefix}{key}.")]
    return [(prefix[:-1], node)]
