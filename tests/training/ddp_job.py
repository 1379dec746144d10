"""Trains the real networks of MoCoGAN at toy size; run by test_ddp.py.

python ddp_job.py CHECKPOINT STRATEGY STEPS [CHECKPOINT-TO-CONTINUE]
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from toy import EachStep, fit

from vgen.augment.diffaugment import DiffAugment
from vgen.condition.codes import FreeCodes
from vgen.condition.conditioned import Conditioned
from vgen.condition.frames import FirstFrames
from vgen.discriminator.mocogan import MoCoGANDiscriminator
from vgen.generator.framewise import Framewise
from vgen.generator.motion.gru import GRUMotion
from vgen.generator.synthesis.dcgan import DCGAN
from vgen.launch.processes import other_ranks
from vgen.loss.hinge import Hinge
from vgen.loss.relativistic_average import RelativisticAverage
from vgen.regularizer.approximate_r1 import ApproximateR1
from vgen.regularizer.consistency import Consistency
from vgen.regularizer.dragan import DRAGAN
from vgen.regularizer.feature_matching import FeatureMatching
from vgen.regularizer.first_frame import FirstFrame
from vgen.regularizer.latent_consistency import LatentConsistency
from vgen.regularizer.lecam import LeCam
from vgen.regularizer.path_length import PathLength
from vgen.regularizer.r1 import R1
from vgen.regularizer.spectral_norm import SpectralNorm
from vgen.regularizer.wgan_gp import WGANGP
from vgen.training.players_ddp import PlayersDDP
from vgen.training.players_fsdp import PlayersFSDP
from vgen.training.video_gan import VideoGAN

STRATEGIES: dict[str, tuple[int, Callable[[], Any]]] = {
    "one": (1, lambda: "auto"),
    "ddp": (2, PlayersDDP),
    "ddp_search": (2, partial(PlayersDDP, find_unused_parameters=True)),
    "fsdp": (2, partial(PlayersFSDP, layer_parameters=500)),  # some layers by themselves, the others together
}


def terms(which: str) -> tuple[Any, dict[str, Any]]:
    """The loss, and the regularisers: "penalties" differentiate twice, "every" adds those that remember or draw.

    In "told" the generator continues clips and has codes.
    """
    penalties = {"r1": R1(weight=1.0, interval=2), "gp": WGANGP(weight=1.0, interval=2)}
    if which == "penalties":
        return Hinge(), penalties
    if which == "told":
        return Hinge(), {**penalties, "first_frame": FirstFrame(weight=0.1)}
    return RelativisticAverage(form="least_squares"), {
        **penalties,
        "dragan": DRAGAN(weight=0.1, interval=2),
        "approximate_r1": ApproximateR1(weight=1.0, interval=3),
        "consistency": Consistency(weight=0.1),
        "latent_consistency": LatentConsistency(player="discriminator", weight=0.1, interval=2),
        "lecam": LeCam(weight=0.1),
        "feature_matching": FeatureMatching(weight=0.1),
        "path_length": PathLength(weight=0.1, interval=2),
        "spectral_norm": SpectralNorm(player="generator"),
    }


def main(output: Path, name: str, which: str, steps: int, checkpoint: str | None = None) -> None:
    processes, strategy = STRATEGIES[name]
    loss, regularizers = terms(which)
    saving = processes > 1 and which == "penalties"  # with spectral norm it is refused
    torch.manual_seed(0)
    torch.set_num_threads(1)
    widths = {"base_channels": 4, "max_channels": 8}
    generator: nn.Module = Framewise(
        motion=partial(GRUMotion, motion_dim=3),
        synthesis=partial(DCGAN, size=8, channels=1, checkpointing=saving, **widths),
        content_dim=4,
    )
    if which == "told":
        conditions = {
            "frames": FirstFrames(frames=2, clip_frames=4, size=8, channels=1, paste=True, **widths),
            "codes": FreeCodes(categories=[3], continuous=1),
        }
        generator = Conditioned(generator=generator, conditions=conditions, frames=4)
    module = VideoGAN(
        generator=generator,
        discriminator=MoCoGANDiscriminator(size=8, channels=1, frames=4, checkpointing=saving, **widths),
        loss=loss,
        regularizers=regularizers,
        augment=DiffAugment(policy=["translation", "color"]),
        generator_optimizer=partial(torch.optim.SGD, lr=0.05, momentum=0.5),
        discriminator_optimizer=partial(torch.optim.Adam, lr=0.01, betas=(0.5, 0.9), fused=True),
        batch=8,
        d_steps=2,
        ema_half_life=0.02,
        log_every=1000,
    ).double()  # before a checkpoint is loaded into it

    def save(trainer: Any, module: VideoGAN) -> None:
        whole = module.averaged()
        if trainer.global_step < trainer.max_steps:
            return
        trainer.save_checkpoint(output)
        if trainer.is_global_zero:
            torch.save(whole.state_dict(), output.with_suffix(".average"))

    settings = {"precision": "64-true", "devices": processes, "strategy": strategy(), "sync_batchnorm": True}
    with other_ranks(processes, [sys.executable, *sys.argv]):
        fit(module, output.parent, steps, checkpoint, size=8, callbacks=[EachStep(save)], **settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), *sys.argv[5:])
