"""vgen sample: clips from a trained generator, and a grid of them."""

import math
from collections.abc import Iterable
from pathlib import Path

import hydra
import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from vgen.cli.errors import telling
from vgen.cli.given import given_for
from vgen.cli.load import Trained, load_trained, pick_device
from vgen.clip import regular_times
from vgen.config import CONF_DIR, ConfigError
from vgen.media import tile, write_video
from vgen.training.coded_clips import coded_clips
from vgen.training.generated_clips import GeneratedClips
from vgen.training.given_frames import GivenFrames
from vgen.training.sampling import generate_clips
from vgen.training.swapped_clips import swapped_clips

FORMATS = ("mp4", "gif", "png", "npy")
GRIDS = {"motion_content": swapped_clips, "codes": coded_clips}


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
    if config.grid not in (None, *GRIDS):
        raise ConfigError(f"grid={config.grid}: choose {', '.join(GRIDS)} or null")
    count = config.count
    if config.grid == "motion_content":
        count = math.isqrt(config.count)
        if count**2 != config.count:
            raise ConfigError(
                f"count={config.count}: grid={config.grid} has as many rows as columns: "
                f"{count**2} or {(count + 1) ** 2}"
            )
    trained = load_trained(config.checkpoint, pick_device(config.device))
    folder = Path(config.output).absolute() if config.output else _default_folder(trained, config)
    given = given_for(trained, config.given, count=count, stride=config.stride, seed=config.seed)
    labels = sample_labels(trained, count, config.label, given)
    clips = (_in_grid if config.grid else _drawn)(trained, config, count, labels, given)
    for stale in folder.glob(f"[0-9][0-9][0-9][0-9][0-9][0-9].{config.format}"):
        stale.unlink()
    grid: list[np.ndarray] = []
    number = 0
    for batch in clips:
        for clip in batch.numpy():
            write_video(folder / f"{number:06d}.{config.format}", clip, fps=config.fps)
            number += 1
        grid = [*grid, *batch.numpy()][: None if config.grid else 64]
    print(f"{number} clips in {folder}")
    if config.format in ("mp4", "gif"):
        file = folder.parent / f"{folder.name}.{config.format}"
        write_video(file, tile(np.stack(grid), columns=count if config.grid else None), fps=config.fps)
        print(f"grid of {len(grid)}: {file}")
    elif config.format == "png" and config.grid:
        from vgen.report.swaps import write_still  # here, since it brings matplotlib and pandas

        file = folder.parent / f"{folder.name}.png"
        write_still(file, np.stack(grid).reshape(-1, count, *grid[0].shape))
        print(f"grid of strips: {file}")


def _drawn(
    trained: Trained, config: DictConfig, count: int, labels: Tensor | None, given: GivenFrames | None
) -> Iterable[Tensor]:
    return generate_clips(
        trained.generator,
        count=count,
        times=sample_times(trained, config.frames, config.stride),
        labels=labels,
        seed=config.seed,
        given=given,
        batch=config.batch,
    )


def _in_grid(
    trained: Trained, config: DictConfig, count: int, labels: Tensor | None, given: GivenFrames | None
) -> Iterable[Tensor]:
    """The clips of the grid, row by row."""
    clips = GeneratedClips(
        trained.generator,
        count=count,
        times=sample_times(trained, config.frames, config.stride),
        labels=labels,
        seed=config.seed,
        given=given,
    )
    try:
        return GRIDS[config.grid](clips)
    except ValueError as error:
        raise ConfigError(f"grid={config.grid}: {error}") from error


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


def sample_labels(
    trained: Trained, count: int, label: int | None, given: GivenFrames | None = None
) -> Tensor | None:
    """One label for all clips, or those of the clips that are continued, or classes in turn; None for an unconditional
    generator.
    """
    classes = trained.contract.classes
    if not classes:
        if label is not None:
            raise ConfigError(f"label={label}: this generator is unconditional")
        return None
    if label is None:
        known = None if given is None else given.labels(count)
        return torch.arange(count) % classes if known is None else known
    if not 0 <= label < classes:
        raise ConfigError(f"label={label}: this generator has classes 0 to {classes - 1}")
    return torch.full((count,), label)


def _default_folder(trained: Trained, config: DictConfig) -> Path:
    kind = config.grid or "samples"
    return (trained.run or trained.file.parent) / f"{kind}_seed{config.seed}"
