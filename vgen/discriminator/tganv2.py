"""One judge per level of detail: many small frames, down to few large ones."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.frame_choice import halved_frames
from vgen.layer.noise import InstanceNoise
from vgen.layer.projection import ProjectionVerdict
from vgen.layer.pyramid import check_video, widths
from vgen.layer.residual_down import ResidualDown
from vgen.layer.spectral import add_spectral_norm


class TGANv2Discriminator(nn.Module):
    """TGANv2's multi-level judge (Saito et al. 2020, arXiv 1811.09245; pfnet-research/tgan2): head "video" (B,).

    The first level sees all frames, averaged over areas of 2^(levels - 1) pixels squared; each further level sees
    every second frame of the one before, from a random one of the first two, at twice the size. Every level has a 3-D
    residual network of its own without norm: its last map is summed over all positions and judged by a linear layer,
    with projection of the class. The score is the sum over levels. Feature "level_0" (B, C, t, h, w) is the last map of
    the level of all frames, and so on.

    Clips of a generator that is trained sparsely (`Clip.levels`) come with the frames of every level.

    16 frames and 4 levels make the paper's 16, 8, 4 and 2 frames. Its networks' strides are not kept: frames are
    halved until 4 or fewer positions per side are left, time until one is left.

    Args:
        size: height and width of a frame; at least 2^levels.
        channels: of a frame.
        frames: of a clip; at least 2^(levels - 1).
        classes: 0 ignores labels.
        levels: networks.
        blocks: of each network.
        noise_sigma: instance noise before each block, in training.
        spectral: whether weights are divided by their largest singular value.
        base_channels: width after the first block; it doubles with every block.
        max_channels: the width's limit.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 16,
        classes: int = 0,
        levels: int = 4,
        blocks: int = 5,
        noise_sigma: float = 0.0,
        spectral: bool = False,
        base_channels: int = 64,
        max_channels: int = 1024,
    ):
        super().__init__()
        if levels < 1 or blocks < 1:
            raise ValueError(f"discriminator.levels={levels} and blocks={blocks} must be at least 1")
        coarse = 2 ** (levels - 1)
        if frames < coarse or size % coarse or size < 2 * coarse:
            raise ValueError(
                f"discriminator.levels={levels} cannot divide {frames} frames of {size}x{size}: the last level sees a "
                f"frame in {coarse} and the first a pixel for {coarse}; set discriminator.levels to less"
            )
        self.size = size
        self.channels = channels
        self.frames = frames
        self.levels = levels
        shape = widths(blocks, base_channels, max_channels)
        self.networks = nn.ModuleList(
            _network(channels, shape, size * 2**level // coarse, frames >> level, noise_sigma)
            for level in range(levels)
        )
        self.verdicts = nn.ModuleList(ProjectionVerdict(shape[-1], classes) for _ in range(levels))
        if spectral:
            add_spectral_norm(self)

    def forward(self, clip: Clip) -> Judgement:
        views = self.look(clip)
        scores, features = [], {}
        for level, video in enumerate(views):
            maps = self.networks[level](video)
            features[f"level_{level}"] = maps
            scores.append(self.verdicts[level](F.relu(maps).sum((2, 3, 4)), clip.label))
        return Judgement({"video": torch.stack(scores).sum(0)}, features=features, views=tuple(views))

    def look(self, clip: Clip) -> list[Tensor]:
        """What each level sees: video (B, C, frames / 2^level, h, w), of clips of any kind.

        Of a clip that was made sparsely a level sees the frames that were made for it.
        """
        lengths = [self.frames >> level for level in range(self.levels)]
        sparse = clip.levels > 1
        fixed = sum(lengths) if sparse else self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        if sparse and clip.levels != self.levels:
            raise ValueError(
                f"discriminator.levels={self.levels}, but clips are made in {clip.levels} levels"
            )
        if sparse:
            frames = list(clip.video.split(lengths, 2))
        else:
            chosen = halved_frames(clip.batch, self.frames, self.levels)
            frames = [clip.select_frames(index).video for index in chosen]
        areas = [2**level for level in reversed(range(self.levels))]
        return [F.avg_pool3d(video, (1, area, area)) for video, area in zip(frames, areas, strict=True)]


def _network(channels: int, shape: list[int], size: int, frames: int, sigma: float) -> nn.Sequential:
    """Clips of `frames` frames of `size` -> the last map, with as many channels as the last of `shape`."""
    layers: list[nn.Module] = []
    narrow = channels
    for width in shape:
        halve_space, halve_time = size > 4, frames > 1
        block = ResidualDown(
            narrow,
            width,
            clips=True,
            halve_space=halve_space,
            halve_time=halve_time,
            first=narrow == channels,
        )
        layers += [InstanceNoise(sigma), block]
        size = (size + 1) // 2 if halve_space else size
        frames = (frames + 1) // 2
        narrow = width
    return nn.Sequential(*layers)
