"""One judge of the whole clip, halving time and space together."""

from torch import nn

from vgen.clip import Clip, Judgement
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.init import init_normal
from vgen.layer.pyramid import check_video, doublings, widths
from vgen.layer.recompute import run_stages


class VGANDiscriminator(nn.Module):
    """VGAN's discriminator (Vondrick et al. 2016, arXiv 1609.02612, §2): head "video" (B,).

    3-D convolutions of kernel 4 and stride 2 down to a 4x4 map, whose last convolution covers all that is
    left. It has two outputs, "real" and "fake", for a softmax cross-entropy. That equals the sigmoid cross-
    entropy of their difference, so the logit given is real - fake, and every loss works on it. Feature "video" is
    what the last convolution reads.

    32 frames of 64x64 is the paper's network. Any other number of frames will do: time is halved (rounded
    down, yet every frame is seen) until one frame is left, after which layers are spatial.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of a clip.
        base_channels: width after the first layer; it doubles with every layer.
        max_channels: the width's limit.
        checkpointing: keep less for the backward pass and compute it again (`vgen.layer.recompute`).
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 32,
        base_channels: int = 64,
        max_channels: int = 512,
        checkpointing: bool = False,
    ):
        super().__init__()
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        self.size = size
        self.channels = channels
        self.frames = frames
        self.checkpointing = checkpointing
        layers: list[nn.Module] = []
        narrow, left = channels, frames
        for width in widths(doublings(size), base_channels, max_channels):
            if left > 1:
                layers.append(nn.Conv3d(narrow, width, 4, stride=2, padding=1))
            else:
                layers.append(nn.Conv3d(narrow, width, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1)))
            if narrow != channels:
                layers.append(BatchNorm(width, eps=1e-3))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            narrow, left = width, max(left // 2, 1)
        self.layers = nn.Sequential(*layers, nn.Conv3d(narrow, 2, (left, 4, 4)))
        init_normal(self, std=0.01, gain_std=0.02)

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        hidden = run_stages(self.layers[:-1], clip.video, checkpointing=self.checkpointing)
        real, fake = self.layers[-1](hidden).flatten(1).unbind(1)
        return Judgement({"video": real - fake}, features={"video": hidden})
