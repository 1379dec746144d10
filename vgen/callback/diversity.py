"""How different the clips of a generator are, for a watch over a run."""

from itertools import combinations

import torch
from pytorch_lightning import Trainer
from torch import nn

from vgen.clip import as_generator, regular_times
from vgen.training.given_frames import training_beginnings
from vgen.training.sampling import generate_clips


def clip_diversity(
    trainer: Trainer, generator: nn.Module, *, frames: int, stride: int, seed: int, clips: int = 8
) -> float:
    """Mean absolute difference between pairs of `clips` clips from fixed latents, in [0, 1]."""
    # one class: what differs between classes would hide a collapse within them
    labels = torch.zeros(clips, dtype=torch.int64) if as_generator(generator).classes else None
    times = regular_times(1, frames, stride)[0]
    given = training_beginnings(trainer, generator, frames=frames, stride=stride, count=clips, seed=seed)
    made = generate_clips(
        generator, count=clips, times=times, labels=labels, seed=seed, given=given, batch=clips
    )
    pixels = torch.cat(list(made)).float() / 255
    pairs = combinations(range(clips), 2)
    return float(torch.stack([(pixels[i] - pixels[j]).abs().mean() for i, j in pairs]).mean())
