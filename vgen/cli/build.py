"""From a resolved configuration to the objects of a run. It instantiates and connects, nothing else."""

from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint, ProgressBar
from pytorch_lightning.loggers import Logger

from vgen.callback.csv_logger import MetricsCSV
from vgen.callback.metrics import OnlineMetrics
from vgen.callback.step_profile import StepProfile
from vgen.cli.conditioned import build_generator
from vgen.cli.parts_that_fit import check_times, try_parts
from vgen.cli.precision import settle_precision
from vgen.clip import Sampler
from vgen.config import ConfigError, instantiate, plain, type_problem
from vgen.data.module import ClipDataModule
from vgen.data.packed import PackedVideos
from vgen.data.source import VideoSource
from vgen.data.videos import Videos
from vgen.launch.processes import process_count
from vgen.training.checkpoint import AtomicCheckpointIO
from vgen.training.plain import NoProfiler
from vgen.training.video_gan import VideoGAN

_PLAIN_VALUES = {
    "seed": int, "width": int, "batch": int, "kclips": float, "workers": int, "prefetch": int | None, "flip": bool,
    "log_every": int, "sample_every": float, "metric_every": float, "checkpoint_every": float,
}  # fmt: skip


def check_values(config: DictConfig) -> None:
    """Raise ConfigError for a number at the top of the config that is none, before anything is built from it."""
    for key, kind in _PLAIN_VALUES.items():
        problem = type_problem(kind, config[key])
        if problem:
            raise ConfigError(f"{key}={config[key]}: {problem}")
    for key in ("width", "batch", "log_every", "kclips", "sample_every", "metric_every", "checkpoint_every"):
        if config[key] <= 0:
            raise ConfigError(f"{key}={config[key]}: must be above 0")


def build_source(config: DictConfig) -> tuple[VideoSource, Sampler]:
    """The videos of a run and its sampler; videos too short for the sampler do not count."""
    sampler: Sampler = instantiate(config.sampler)
    if config.clip.get("fps") is not None and "fps" not in config.data:
        raise ConfigError(f"clip.fps={config.clip.fps}: these data have no frame rate; leave it out")
    source: VideoSource = instantiate(config.data)
    if isinstance(source, Videos | PackedVideos):
        source.min_frames = sampler.span
    return source, sampler


def prepared(source: VideoSource, instead: str) -> VideoSource:
    """The videos of an earlier run, ready to read; ConfigError, saying what to give `instead`, if they have moved."""
    try:
        source.prepare()
        source.setup()
    except FileNotFoundError as error:
        raise ConfigError(f"{error}; the data has moved: {instead}") from error
    return source


def build_data(config: DictConfig) -> ClipDataModule:
    """The data module; no video is read yet."""
    source, sampler = build_source(config)
    return ClipDataModule(
        source=source,
        sampler=sampler,
        batch=config.batch,
        rounds=config.training.d_steps,
        workers=config.workers,
        prefetch=config.prefetch,
        seed=config.seed,
        flip=config.flip,
    )


def settle_classes(config: DictConfig, source: VideoSource) -> None:
    """Replace `clip.classes=auto` by the data's number of classes, check a number, and keep the classes' names."""
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
    config.clip.class_names = list(source.classes)


def build_model(config: DictConfig, sampler: Sampler) -> VideoGAN:
    """The networks, losses and optimizers, checked against the times that the sampler draws."""
    generator = build_generator(config)
    times = check_times(generator, sampler)
    training = plain(config.training)
    target = training.pop("_target_")
    if target != "vgen.training.video_gan.VideoGAN":
        raise ConfigError(f"training._target_={target}: vgen train trains vgen.training.video_gan.VideoGAN")
    # An experiment's settings for a term that is not chosen are no term, and neither are they schedules.
    terms = {name: node for name, node in config.regularizer.items() if "_target_" in node}
    scheduled = training["schedules"]["weight"]
    training["schedules"]["weight"] = {
        name: schedule
        for name, schedule in scheduled.items()
        if name in terms or name not in config.regularizer
    }
    model = VideoGAN(
        generator=generator,
        discriminator=instantiate(config.discriminator),
        loss=instantiate(config.loss),
        regularizers={name: instantiate(node) for name, node in terms.items()},
        augment=instantiate(config.augment),
        generator_optimizer=_optimizer(config.optimizer.generator),
        discriminator_optimizer=_optimizer(config.optimizer.discriminator),
        config=plain(config),
        **training,
    )
    clip = config.clip
    try_parts(model, times, shape=(clip.channels, clip.size))
    return model


def _optimizer(node: DictConfig) -> Any:
    """What makes the optimiser: torch refuses the 0 of `betas=[0,0.99]`, which is how people write it, for 0.0."""
    if "betas" in node:
        node = node.copy()
        node.betas = [float(beta) if isinstance(beta, int) else beta for beta in node.betas]
    return instantiate(node)


# The average of a generator kept in half precision would stand still: its steps are below the resolution.
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "32", "bf16", "16")


def build_trainer(config: DictConfig) -> Trainer:
    """Lightning's Trainer with vgen's callbacks, loggers and atomic checkpoints."""
    settings = config.trainer
    settle_precision(config)
    if str(settings.precision) not in PRECISIONS:
        raise ConfigError(f"trainer.precision={settings.precision}: choose auto, {', '.join(PRECISIONS[:3])}")
    if process_count(settings.accelerator, settings.devices) > 1 and settings.strategy in ("auto", "ddp"):
        settings.strategy = {"_target_": "vgen.training.players_ddp.PlayersDDP"}
    loggers = _built(config, "logger", Logger)
    # metrics.csv comes first, so that a run has its numbers even if another logger fails.
    loggers.sort(key=lambda logger: not isinstance(logger, MetricsCSV))
    callbacks = _callbacks(config)
    arguments = settings.copy()
    with open_dict(arguments):
        if arguments.pop("profile", False):  # the one key that is not an argument of Lightning's
            callbacks.append(StepProfile())
        profiler = {} if arguments.get("profiler") else {"profiler": NoProfiler()}
    factory = instantiate(arguments)
    return factory(
        **profiler,
        callbacks=callbacks,
        logger=loggers or False,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=config.paths.run,
        # Sampler, order and position are vgen's own; there is no validation loop and no per-step Lightning log.
        use_distributed_sampler=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(c, ProgressBar) for c in callbacks),
        enable_checkpointing=any(isinstance(c, Checkpoint) for c in callbacks),
    )


def _built(config: DictConfig, group: str, kind: type) -> list[Any]:
    """The named objects of a group, each of the kind that it must be."""
    named = instantiate(config[group]) if config[group] else {}
    for name, item in named.items():
        if not isinstance(item, kind):
            raise ConfigError(
                f"{group}.{name}: is no {kind.__name__}; is its option missing from {group}=[...]?"
            )
    return list(named.values())


def _callbacks(config: DictConfig) -> list[Callback]:
    """The callbacks; a best checkpoint is kept by `best` where a metric of that name is measured.

    Raises ConfigError for a `best` that nothing measures or that has no better direction: a monitored metric
    without values would silently keep no checkpoint.
    """
    chosen = _built(config, "callback", Callback)
    measured = {
        n: better for c in chosen if isinstance(c, OnlineMetrics) for n, better in c.directions.items()
    }
    kept = []
    for callback in chosen:
        monitor = getattr(callback, "monitor", None)
        if isinstance(callback, ModelCheckpoint) and monitor:
            if not measured:
                continue
            if monitor not in measured:
                raise ConfigError(
                    f"best={monitor}: the run measures {', '.join(measured)}; choose one of them"
                )
            if measured[monitor] is None:
                raise ConfigError(
                    f"best={monitor}: neither way is better; choose another of {', '.join(measured)}"
                )
            set_direction(callback, higher_is_better=bool(measured[monitor]))
        kept.append(callback)
    return kept


def set_direction(checkpoint: ModelCheckpoint, *, higher_is_better: bool) -> None:
    """Keep the highest, or the lowest, value of the monitored metric; it is not known when the YAML is written."""
    checkpoint.mode = "max" if higher_is_better else "min"
    checkpoint.kth_value = torch.tensor(-torch.inf if higher_is_better else torch.inf)


def differing_keys(saved: dict[str, Any], new: dict[str, Any], ignored: set[str]) -> list[str]:
    """Dotted keys whose values differ between two plain configs, `ignored` top-level keys left out.

    "checkpointing" of a network is left out too: it changes what is kept in memory, and no number.
    """
    left, right = (OmegaConf.create({k: v for k, v in c.items() if k not in ignored}) for c in (saved, new))
    flat_left, flat_right = (dict(_leaves(plain(c))) for c in (left, right))
    missing = object()
    keys = sorted(flat_left.keys() | flat_right.keys())
    keys = [k for k in keys if not k.endswith(".checkpointing")]
    return [k for k in keys if flat_left.get(k, missing) != flat_right.get(k, missing)]


def _leaves(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        return [leaf for key, value in node.items() for leaf in _leaves(value, f"{prefix}{key}.")]
    return [(prefix[:-1], node)]
