"""R3GAN's discriminator carried to clips, and R3GAN's own beside it for single frames."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.frame_choice import check_image_frames, random_frames
from vgen.layer.label import one_hot
from vgen.layer.pyramid import check_video, widths
from vgen.layer.r3gan import FromPixels, Verdict, clip_lengths, stage_count, stages


class R3GAN3DDiscriminator(nn.Module):
    """Judges clips with (2+1)-D residual blocks, and random frames of them with 2-D ones where asked to.

    The mirror image of `vgen.generator.r3gan3d`: a 1x1 convolution, stages of residual blocks with frames halved
    between them (their number in the last stages only), and a learned 4x4 map per channel before a linear layer. No
    normalisation, no minibatch statistics. With classes, the linear layer gives a vector whose product with the
    class's embedding is the logit (projection), divided by the root of its width.

    Heads: "video" (B,); with `image_frames` also "image" (B, image_frames). The features of each head are its last map.

    Source: R3GAN, Huang et al. 2024, arXiv 2501.05441; brownvc/R3GAN: R3GAN/Networks.py, for the judge of frames. The
    judge of clips is not published: R3GAN's blocks get a convolution over time.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        frames: of a clip.
        channels: of a frame.
        classes: 0 ignores labels.
        embedding_dim: width of a class's embedding.
        image_frames: how many frames of a clip, chosen at random for each judgement, the judge of frames sees; 0
            leaves it out.
        base_channels: width of the first stage; it doubles with every stage.
        max_channels: the width's limit.
        blocks: residual blocks per stage.
        expansion: of the width inside a block.
        group_width: channels in a group of the convolutions in space and in time.
        patch: height and width in pixels of what a position of the first map sees; R3GAN has 1.
        centre: grey level in [-1, 1] that the first layer takes for 0; R3GAN has 0. At that of a flat background the
            layers' kinks lie where objects differ from it.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        frames: int = 16,
        channels: int = 3,
        classes: int = 0,
        embedding_dim: int = 64,
        image_frames: int = 0,
        base_channels: int = 32,
        max_channels: int = 256,
        blocks: int = 1,
        expansion: int = 2,
        group_width: int = 16,
        patch: int = 2,
        centre: float = 0.0,
    ):
        super().__init__()
        if frames < 1:
            raise ValueError(f"clip.frames={frames}: a clip has at least one frame")
        if not -1 <= centre <= 1:
            raise ValueError(f"discriminator.centre={centre}: a grey level lies in [-1, 1]")
        check_image_frames(image_frames, frames, least=0)
        self.size = size
        self.frames = frames
        self.channels = channels
        self.image_frames = image_frames
        self.centre = centre
        count = stage_count(size, patch)
        inwards = widths(count, base_channels, max_channels)
        lengths = clip_lengths(frames, count)[::-1]

        def judge(lengths: Sequence[int] | None) -> _Judge:
            trunk = stages(
                inwards, lengths, up=False, blocks=blocks, expansion=expansion, group_width=group_width
            )
            first = FromPixels(channels, inwards[0], patch)
            shape = (4, 4) if lengths is None else (lengths[-1], 4, 4)
            verdict = Verdict(inwards[-1], embedding_dim if classes else 1, shape)
            return _Judge(first, trunk, verdict, classes=classes, embedding_dim=embedding_dim, centre=centre)

        self.video = judge(lengths)
        self.image = judge(None) if image_frames else None

    def forward(self, clip: Clip) -> Judgement:
        fixed = self.frames
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=fixed, most_frames=fixed)
        on_clip, last_map = self.video(clip.video, clip.label)
        logits, features = {"video": on_clip}, {"video": last_map}
        if self.image is not None:
            index = random_frames(clip.batch, clip.frames, self.image_frames)
            seen = clip.select_frames(index).video.transpose(1, 2)  # (B, k, C, H, W)
            label = None if clip.label is None else clip.label.repeat_interleave(self.image_frames)
            on_frames, features["image"] = self.image(seen.flatten(0, 1), label)
            logits["image"] = on_frames.unflatten(0, seen.shape[:2])
        return Judgement(logits, features=features)


class _Judge(nn.Module):
    """Frames (N, C, H, W) or clips (N, C, T, H, W) -> logits (N,) and the last map (N, D, [t,] 4, 4)."""

    def __init__(
        self,
        first: nn.Module,
        trunk: nn.Module,
        verdict: nn.Module,
        *,
        classes: int,
        embedding_dim: int,
        centre: float,
    ):
        super().__init__()
        self.centre = centre
        self.classes = classes
        self.first = first
        self.trunk = trunk
        self.verdict = verdict
        self.embedding = nn.Parameter(torch.randn(classes, embedding_dim)) if classes else None

    def forward(self, x: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        last_map = self.trunk(self.first(x - self.centre))
        verdict = self.verdict(last_map)  # (N, embedding_dim or 1)
        if self.embedding is None:
            return verdict[:, 0], last_map
        chosen = one_hot(label, self.classes, dtype=verdict.dtype, who="discriminator") @ self.embedding
        return (verdict * chosen).sum(1) / math.sqrt(verdict.shape[1]), last_map
