"""`vgen train start_from=`: begin with the weights of another run."""

import logging
from pathlib import Path
from typing import Any

from vgen.cli.load import read_exported
from vgen.training.checkpoint import CheckpointError, find_checkpoint, read_checkpoint
from vgen.training.transfer import start_from_weights
from vgen.training.video_gan import VideoGAN

log = logging.getLogger("vgen")
_PREFIXES = {
    "generator": "generator.",
    "average": "generator_average.module.",
    "discriminator": "discriminator.",
}


def start_from(model: VideoGAN, path: str) -> None:
    """Load what fits of the run folder, checkpoint or exported generator `path` into `model`, and tell what did.

    Weights alone: optimizers, clock, augmentation and regularisers start anew. The model keeps, for provenance, where
    it started from.

    Raises:
        FileNotFoundError: nothing there.
        CheckpointError: no file of vgen's, or nothing in it fits.
    """
    file = find_checkpoint(path, key="start_from")
    weights, kclips = _read(file)
    taken = start_from_weights(model, weights)
    if not any(part.loaded for part in taken.values()):
        raise CheckpointError(
            f"start_from={path}: no layer of {file.name} has the name and shape of one here; it was trained with "
            "other networks or widths"
        )
    log.info("starting from %s (%g kclips)", file, kclips)
    for player, part in taken.items():
        log.info("  %s: %s", player, part)
    if "discriminator" not in taken:
        log.info("  discriminator: new; an exported generator carries none")
    if model.ema_ramp_up is not None:
        log.info("  average: follows the generator anew; training.ema_ramp_up=null lets it go on from there")
    parts = {player: part.record() for player, part in taken.items()}
    model.started_from = {"file": str(file), "kclips": kclips, **parts}


def _read(file: Path) -> tuple[dict[str, dict[str, Any]], float]:
    """Weights by part, and how long they were trained."""
    if file.suffix == ".safetensors":
        average, _, kclips = read_exported(file)
        return {"average": average}, kclips
    contents = read_checkpoint(file)
    state = contents["state_dict"]
    weights = {
        part: {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
        for part, prefix in _PREFIXES.items()
    }
    training = contents["vgen"]["config"]["training"]
    return weights, contents["vgen"]["iteration"] * training["batch"] * training["d_steps"] / 1000
