"""vgen sample: clips from a trained generator, and a grid of them."""

import math
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

import hydra
import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from vgen.cli.altered import changing, recalled, truncated
from vgen.cli.asked import sample_labels, sample_times
from vgen.cli.chain import chain
from vgen.cli.errors import telling
from vgen.cli.given import given_for
from vgen.cli.load import Trained, load_trained, pick_device
from vgen.clip import small_size
from vgen.config import CONF_DIR, ConfigError, plain, type_problem
from vgen.files import replacing
from vgen.media import Writer, mp4_writer, npy_writer, tile, write_video
from vgen.training.coded_clips import coded_clips
from vgen.training.directions import directed_clips, find_directions
from vgen.training.generated_clips import GeneratedClips, batches
from vgen.training.style_mixed_clips import style_mixed_clips
from vgen.training.swapped_clips import swapped_clips

FORMATS = ("mp4", "gif", "png", "npy")
STREAMED = ("mp4", "npy")  # written bit by bit, so that memory does not grow with the length of a clip
GRIDS = ("motion_content", "style_mixing", "directions", "codes")
TAKES = ("all", "content", "motion")


@hydra.main(config_path=str(CONF_DIR), config_name="sample", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("sample"):
        sample(config)


def sample(config: DictConfig) -> None:
    """Write the clips that `config` asks for."""
    if config.format not in FORMATS:
        raise ConfigError(f"format={config.format}: choose {', '.join(FORMATS)}")
    wanted = sample_count(config)
    for key, number in {"count": wanted, "batch": config.batch, "chunk": config.chunk}.items():
        if not isinstance(number, int) or number < 1:
            raise ConfigError(f"{key}={number}: must be a whole number of at least 1")
    for key in ("start", "truncation.content", "truncation.motion"):
        value = OmegaConf.select(config, key)
        if not isinstance(value, int | float):
            raise ConfigError(f"{key}={value}: must be a number")
    if config.take not in TAKES:
        raise ConfigError(f"take={config.take}: choose {', '.join(TAKES)}")
    if config.grid not in (None, *GRIDS):
        raise ConfigError(f"grid={config.grid}: choose {', '.join(GRIDS)} or null")
    count = wanted
    if config.grid == "directions":
        _check_directions(config.directions)
        count = 1
    if config.grid in ("motion_content", "style_mixing"):
        count = math.isqrt(wanted)
        if count**2 != wanted:
            raise ConfigError(
                f"count={wanted}: grid={config.grid} has as many rows as columns: "
                f"{count**2} or {(count + 1) ** 2}"
            )
    device = pick_device(config.device)
    trained = load_trained(config.checkpoint, device)
    trained, label, length = recalled(trained, config)
    trained = truncated(chain(trained, config.small, device, partial(changing, config=config)), config)
    folder = Path(config.output).absolute() if config.output else _default_folder(trained, config)
    times = sample_times(
        trained, length if config.frames is None else config.frames, config.stride, config.start
    )
    given = given_for(
        trained, config.given, frames=len(times), count=count, stride=config.stride, seed=config.seed
    )
    if config.start and small_size(trained.generator):
        raise ConfigError(f"start={config.start}: clips that are made small and large again begin at 0")
    made = GeneratedClips(
        trained.generator,
        count=count,
        times=times,
        labels=sample_labels(trained, count, label, given),
        seed=config.seed,
        given=given,
    )
    if config.codes is not None and count > 1:
        _check_differing(made, config)
    long = not config.grid and made.is_long(config.chunk)
    gridded = _in_grid(made, config, folder) if config.grid else None
    across = None if gridded is None else gridded.shape[1]
    clips = iter(gridded) if gridded is not None else made.in_batches(config.batch, config.chunk)
    for stale in folder.glob(f"[0-9][0-9][0-9][0-9][0-9][0-9].{config.format}"):
        stale.unlink()
    if long and config.format in STREAMED:
        _write_long(made, config, folder)
        return
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
        write_video(file, tile(np.stack(grid), columns=across), fps=config.fps)
        print(f"grid of {len(grid)}: {file}")
    elif config.format == "png" and across is not None:
        from vgen.report.swaps import write_still  # here, since it brings matplotlib and pandas

        file = folder.parent / f"{folder.name}.png"
        write_still(file, np.stack(grid).reshape(-1, across, *grid[0].shape))
        print(f"grid of strips: {file}")


def sample_count(config: DictConfig) -> int:
    """How many clips `config` asks for: without a count 16, or 1 where all of a clip is told by stored codes."""
    if config.count is not None:
        return config.count
    return 1 if config.codes is not None and config["take"] == "all" else 16


def _check_differing(clips: GeneratedClips, config: DictConfig) -> None:
    """ConfigError if all clips are the same one, since nothing of them is drawn."""
    latents = clips.latents([0, 1], "sample").values()
    if all(torch.equal(one, other) for one, other in latents):
        raise ConfigError(
            f"count={config.count}: codes={config.codes} are one clip, and nothing of it is left to draw; leave count "
            "out, set take=content or take=motion, or set frames to more for other ends"
        )


def _in_grid(clips: GeneratedClips, config: DictConfig, folder: Path) -> Tensor:
    """The clips of a grid, row by row."""
    try:
        if config.grid == "style_mixing":
            return style_mixed_clips(clips, coarse=config.style_mixing.coarse)
        if config.grid == "directions":
            return _along_directions(clips, config.directions, folder)
        return swapped_clips(clips) if config.grid == "motion_content" else coded_clips(clips)
    except ValueError as error:
        raise ConfigError(f"grid={config.grid}: {error}") from error


def _check_directions(wanted: DictConfig) -> None:
    kinds = {"part": str, "layers": list[int] | None, "count": int, "strength": float, "steps": int}
    for key, kind in kinds.items():
        problem = type_problem(kind, plain(wanted[key]))
        if problem:
            raise ConfigError(f"directions.{key}={wanted[key]}: {problem}")
    if wanted.count < 1 or wanted.steps < 2:
        raise ConfigError(
            f"directions.count={wanted.count}, steps={wanted.steps}: at least 1 direction and 2 steps"
        )


def _along_directions(clips: GeneratedClips, wanted: DictConfig, folder: Path) -> Tensor:
    """Clip 0 along the directions, which are kept beside the grid."""
    found = find_directions(clips, part=wanted.part, layers=plain(wanted.layers), count=wanted.count)
    file = folder.parent / f"{folder.name}.safetensors"
    with replacing(file) as partial:
        save_file(
            {"vectors": found.vectors.contiguous(), "gains": found.gains},
            partial,
            metadata={"part": found.part},
        )
    gains = ", ".join(f"{gain:.3g}" for gain in found.gains)
    print(f"directions of {found.part}, whose unit is {found.unit:.3g}, with gains {gains}: {file}")
    strengths = torch.linspace(-wanted.strength, wanted.strength, wanted.steps)
    return directed_clips(clips, found, strengths)


def _write_long(clips: GeneratedClips, config: DictConfig, folder: Path) -> None:
    """Write clips while they are made, `chunk` frames at a time. The grid holds the clips of the first batch."""
    grid = folder.parent / f"{folder.name}.mp4"

    def writer(number: int) -> AbstractContextManager[Writer]:
        file = folder / f"{number:06d}.{config.format}"
        return mp4_writer(file, config.fps) if config.format == "mp4" else npy_writer(file, len(clips.times))

    frames = len(clips) * len(clips.times)
    bar = tqdm(total=frames, desc="Sampling", unit="frame", unit_scale=True, disable=None)
    for indices in batches(len(clips), config.batch):
        with ExitStack() as stack:
            writers = [stack.enter_context(writer(number)) for number in indices]
            gridded = config.format == "mp4" and indices[0] == 0
            write_grid = stack.enter_context(mp4_writer(grid, config.fps)) if gridded else None
            for chunk in clips.read_in_chunks(indices, config.chunk):
                for write, clip in zip(writers, chunk, strict=True):
                    write(clip)
                if write_grid is not None:
                    write_grid(tile(chunk))
                bar.update(chunk.shape[0] * chunk.shape[1])
    bar.close()
    print(f"{len(clips)} clips in {folder}")
    if config.format == "mp4":
        print(f"grid of {min(len(clips), config.batch)}: {grid}")


def _default_folder(trained: Trained, config: DictConfig) -> Path:
    kind = config.grid or "samples"
    return (trained.run or trained.file.parent) / f"{kind}_seed{config.seed}"
