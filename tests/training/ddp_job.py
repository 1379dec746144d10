"""Trains the real networks of MoCoGAN at toy size on 1 or 2 processes; run by test_ddp.py.

python ddp_job.py OUTPUT PROCESSES ACCUMULATE
"""

import sys
from functools import partial
from pathlib import Path

import torch
from toy import fit

from vgen.augment.diffaugment import DiffAugment
from vgen.discriminator.mocogan import MoCoGANDiscriminator
from vgen.generator.framewise import Framewise
from vgen.generator.motion.gru import GRUMotion
from vgen.generator.synthesis.dcgan import DCGAN
from vgen.launch.processes import other_ranks
from vgen.loss.hinge import Hinge
from vgen.regularizer.r1 import R1
from vgen.regularizer.wgan_gp import WGANGP
from vgen.training.video_gan import VideoGAN


def main(output: Path, processes: int, accumulate: int) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    widths = {"base_channels": 4, "max_channels": 8}
    module = VideoGAN(
        generator=Framewise(
            motion=partial(GRUMotion, motion_dim=3),
            synthesis=partial(DCGAN, size=8, channels=1, **widths),
            content_dim=4,
        ),
        discriminator=MoCoGANDiscriminator(size=8, channels=1, frames=4, **widths),
        loss=Hinge(),
        regularizers={"r1": R1(weight=1.0, interval=2), "gp": WGANGP(weight=1.0, interval=2)},
        augment=DiffAugment(policy=["translation", "color"]),
        generator_optimizer=partial(torch.optim.SGD, lr=0.05),
        discriminator_optimizer=partial(torch.optim.SGD, lr=0.05),
        batch=8,
        d_steps=2,
        accumulate=accumulate,
        log_every=1000,
    )
    strategy = "ddp_find_unused_parameters_true" if processes > 1 else "auto"
    with other_ranks(processes, [sys.executable, *sys.argv]):
        fit(module, output.parent, 4, size=8, precision="64-true", devices=processes, strategy=strategy)
        if module.global_rank == 0:
            torch.save({"weights": module.state_dict(), "losses": module.scalars.flush()}, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
