"""One judge of the whole clip whose norms see one clip at a time, as gradient penalties ask."""

from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.init import init_both_fans
from vgen.layer.pyramid import check_video, doublings, widths


class IVGANDiscriminator(nn.Module):
    """iVGAN's critic: head "video" (B,).

    3-D convolutions of kernel 4 and stride 2, each with layer norm over a clip's channels, frames and positions
    together (gains and offsets per channel) and a leaky ReLU; the last one leads to a single channel without norm, and
    a linear layer reads all that is left. Feature "video" is what the last convolution reads.

    Source: Kratzwald et al. 2017, arXiv 1711.11453, and bernhard2202/improved-video-gan: model/improved_video_gan.py,
    utils/layers.py. 32 frames of 64x64 is the paper's network. Any other number of frames will do: time is halved
    (rounded down, yet every frame is seen) until one frame is left, after which layers are spatial.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of a clip.
        base_channels: width after the first layer; it doubles with every layer.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 32,
        base_channels: int = 64,
        max_channels: int = 512,
    ):
        super().__init__()
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        self.size = size
        self.channels = channels
        self.frames = frames
        layers: list[nn.Module] = []
        narrow, left = channels, frames
        for width in widths(doublings(size), base_channels, max_channels):
            layers += [_halve(narrow, width, left), nn.GroupNorm(1, width), nn.LeakyReLU(0.2)]
            narrow, left = width, max(left // 2, 1)
        self.layers = nn.Sequential(*layers)
        self.last = nn.Sequential(_halve(narrow, 1, left), nn.LeakyReLU(0.2))
        self.verdict = nn.Linear(max(left // 2, 1) * 2 * 2, 1)
        init_both_fans(self)
        nn.init.normal_(self.verdict.weight, std=0.01)
        nn.init.zeros_(self.verdict.bias)

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        hidden: Tensor = self.layers(clip.video)
        return Judgement(
            {"video": self.verdict(self.last(hidden).flatten(1))[:, 0]}, features={"video": hidden}
        )


def _halve(channels: int, width: int, frames: int) -> nn.Conv3d:
    """Halves the frame; time too while there are two frames."""
    if frames > 1:
        return nn.Conv3d(channels, width, 4, stride=2, padding=1)
    return nn.Conv3d(channels, width, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1))
