"""vgen sample: clips from a trained generator, and a grid of them."""

from pathlib import Path

import hydra
import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from vgen.cli.errors import telling
from vgen.cli.load import Trained, load_trained, pick_device
from vgen.clip import regular_times
from vgen.config import CONF_DIR, ConfigError
from vgen.media import tile, write_video
from vgen.training.sampling import generate_clips

FORMATS = ("mp4", "gif", "png", "npy")


@hydra.main(config_path=str(CONF_DIR), config_name="sample", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("sample"):
        sample(config)


def sample(config: DictConfig) -> None:
    """Write the clips that `config` asks for."""
    if config.format not in FORMATS:
        raise ConfigError(f"format={config.format}: choose {', '.join(FORMATS)}")
    for key in ("count", "batch"):
        if not isinstance(config[key], int) or config[key] < 1:
            raise ConfigError(f"{key}={config[key]}: must be a whole number of at least 1")
    trained = load_trained(config.checkpoint, pick_device(config.device))
    folder = Path(config.output).absolute() if config.output else _default_folder(trained, config.seed)
    clips = generate_clips(
        trained.generator,
        count=config.count,
        times=sample_times(trained, config.frames, config.stride),
        labels=sample_labels(trained, config.count, config.label),
        seed=config.seed,
        batch=config.batch,
    )
    for stale in folder.glob(f"[0-9][0-9][0-9][0-9][0-9][0-9].{config.format}"):
        stale.unlink()
    grid: list[np.ndarray] = []
    number = 0
    for batch in clips:
        for clip in batch.numpy():
            write_video(folder / f"{number:06d}.{config.format}", clip, fps=config.fps)
            number += 1
        grid = [*grid, *batch.numpy()][:64]
    print(f"{number} clips in {folder}")
    if config.format in ("mp4", "gif"):
        file = folder.parent / f"{folder.name}.{config.format}"
        write_video(file, tile(np.stack(grid)), fps=config.fps)
        print(f"grid of {len(grid)}: {file}")


def sample_times(trained: Trained, frames: int | None, stride: float | None) -> Tensor:
    """Times (T,) of the clips to make; ConfigError if the generator cannot make them."""
    clip = trained.config.clip
    if frames is not None and frames < 1:
        raise ConfigError(f"frames={frames}: must be at least 1")
    frames = int(frames or trained.contract.frames or clip.frames)
    if stride not in (None, clip.stride) and not trained.contract.reads_times:
        raise ConfigError(
            f"stride={stride}: this generator makes frames {clip.stride} apart, as it was trained on"
        )
    times = regular_times(1, frames, clip.stride if stride is None else stride)
    try:
        trained.contract.check_times(times)
    except ValueError as error:
        raise ConfigError(f"frames={frames}: {error}") from error
    return times[0]


def sample_labels(trained: Trained, count: int, label: int | None) -> Tensor | None:
    """One label for all clips, or classes in turn; None for an unconditional generator."""
    classes = trained.contract.classes
    if not classes:
        if label is not None:
            raise ConfigError(f"label={label}: this generator is unconditional")
        return None
    if label is None:
        return torch.arange(count) % classes
    if not 0 <= label < classes:
        raise ConfigError(f"label={label}: this generator has classes 0 to {classes - 1}")
    return torch.full((count,), label)


def _default_folder(trained: Trained, seed: int) -> Path:
    return (trained.run or trained.file.parent) / f"samples_seed{seed}"
