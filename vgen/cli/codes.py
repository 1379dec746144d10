"""A trained generator's codes for the report: motion x content, and which latents a seed gives it."""

import hashlib
from pathlib import Path

import torch
from omegaconf import OmegaConf

from vgen.cli.asked import sample_labels, sample_times
from vgen.cli.given import given_for
from vgen.cli.load import load_trained
from vgen.report.swaps import Codes
from vgen.training.generated_clips import GeneratedClips
from vgen.training.swapped_clips import swapped_clips

_LOOKED_AT = range(4)  # clips


def read_codes(run: Path, *, count: int, seed: int, device: torch.device) -> Codes:
    """A grid of count x count clips of `run`, as long and as dense as its sample grids.

    Raises:
        FileNotFoundError, CheckpointError: it has no checkpoint that can be read.
    """
    trained = load_trained(str(run), device)
    samples = OmegaConf.select(trained.config, "callback.samples")
    times = (
        sample_times(trained, samples.frames, samples.stride)
        if samples
        else sample_times(trained, None, None)
    )
    stride = samples.stride if samples else None
    given = given_for(
        trained, None, frames=len(times), count=max(count, len(_LOOKED_AT)), stride=stride, seed=seed
    )
    labels = sample_labels(trained, count, None, given)
    clips = GeneratedClips(trained.generator, count=count, times=times, labels=labels, seed=seed, given=given)
    fixed = GeneratedClips(trained.generator, count=len(_LOOKED_AT), times=times, given=given).latents(
        _LOOKED_AT, "sample"
    )
    latents = {
        name: f"{tuple(part.shape[1:])} {hashlib.sha256(part.numpy().tobytes()).hexdigest()[:16]}"
        for name, part in fixed.items()
    }
    checkpoint = f"{trained.file.name}, {trained.kclips:g} kclips"
    try:
        return Codes(latents, swapped_clips(clips).numpy(), "", checkpoint)
    except ValueError as error:
        return Codes(latents, None, str(error), checkpoint)
