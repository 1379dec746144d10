"""Times and labels of the clips that somebody asks of a trained generator."""

import torch
from omegaconf import OmegaConf
from torch import Tensor

from vgen.cli.load import Trained
from vgen.clip import regular_times
from vgen.config import ConfigError
from vgen.training.given_frames import GivenFrames


def sample_times(trained: Trained, frames: int | None, stride: float | None, start: float = 0.0) -> Tensor:
    """Times (T,) of the clips to make, from `start` on; ConfigError if the generator cannot make them."""
    clip = trained.config.clip
    if frames is not None and frames < 1:
        raise ConfigError(f"frames={frames}: must be at least 1")
    # More than clip.frames where training is sparse.
    compared = OmegaConf.select(trained.config, "protocol.frames")
    frames = int(frames or trained.contract.frames or compared or clip.frames)
    if stride not in (None, clip.stride) and not trained.contract.reads_times:
        raise ConfigError(
            f"stride={stride}: this generator makes frames {clip.stride} apart, as it was trained on"
        )
    if start and not trained.contract.reads_times:
        raise ConfigError(f"start={start}: this generator does not read times; its clips begin at 0")
    times = regular_times(1, frames, clip.stride if stride is None else stride) + start
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
