"""Two judges: one of single frames, one of the whole clip."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from vgen.clip import Clip, Judgement
from vgen.layer.batch_norm import BatchNorm
from vgen.layer.frame_choice import check_image_frames, random_frames
from vgen.layer.noise import InstanceNoise
from vgen.layer.pyramid import check_video, doublings, temporal_kernels, widths
from vgen.layer.recompute import run_stages

Judge = Literal["patch", "full", "none"]


class MoCoGANDiscriminator(nn.Module):
    """MoCoGAN's image and video discriminators (Tulyakov et al. 2018, arXiv 1707.04993, §3, and its code).

    A "patch" judge gives logits on a 4x4 grid of overlapping patches; a "full" one joins the grid in one more
    convolution. Convolutions of the video judge have kernel 4 and no padding in time, so 16 frames of 64x64
    leave one position. Longer clips leave more positions. For shorter ones (and larger frames, which need
    more layers) the temporal kernels shrink, as evenly as they can, so that the judge still sees the whole
    clip at once.

    Heads: "image" (B,) or (B, frames) if full, (B, frames, 4, 4) if patch; "video" (B,) or (B, positions) if
    full, (B, positions, 4, 4) if patch. With classes, the last convolution of the full video judge also gives
    class logits (B, K), averaged over positions. Features "image" and "video" are what the last convolutions read.

    Args:
        size: height and width of a frame: 8, 16, 32, ...
        channels: of a frame.
        frames: of the clips to come; longer clips are judged too.
        classes: number of classes to tell apart; 0 ignores labels.
        image, video: kind of each judge, or "none" to leave it out.
        image_frames: how many frames of a clip, chosen at random for each judgement, the image judge sees.
        base_channels: width after the first layer; it doubles with every layer.
        max_channels: the width's limit.
        noise_sigma: instance noise before each convolution, in training.
        checkpointing: keep less for the backward pass and compute it again (`vgen.layer.recompute`).
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        frames: int = 16,
        classes: int = 0,
        image: Judge = "patch",
        video: Judge = "full",
        image_frames: int = 1,
        base_channels: int = 64,
        max_channels: int = 512,
        noise_sigma: float = 0.0,
        checkpointing: bool = False,
    ):
        super().__init__()
        _check(image, video, classes, frames, image_frames)
        self.size = size
        self.channels = channels
        self.classes = classes
        self.image_frames = image_frames
        self.checkpointing = checkpointing
        depth = doublings(size)
        kernels = temporal_kernels(frames, depth + (video == "full"))
        seen_at_once = 1 if video == "none" else 1 + sum(kernel - 1 for kernel in kernels)
        self.least_frames = max(image_frames, seen_at_once)
        shape = [channels, *widths(depth, base_channels, max_channels)]
        self.image = self.video = None
        if image != "none":
            self.image = _judge(shape, 1, [None] * (depth + 1), patch=image == "patch", sigma=noise_sigma)
        if video != "none":
            self.video = _judge(shape, 1 + classes, kernels, patch=video == "patch", sigma=noise_sigma)

    def forward(self, clip: Clip) -> Judgement:
        check_video(clip.video, channels=self.channels, size=self.size, least_frames=self.least_frames)
        logits: dict[str, Tensor] = {}
        features: dict[str, Tensor] = {}
        class_logits = None
        if self.image is not None:
            seen = self._choose_frames(clip).video.transpose(1, 2)  # (B, k, C, H, W)
            hidden = self._run(self.image[:-1], seen.flatten(0, 1))
            features["image"] = hidden.unflatten(0, seen.shape[:2])  # (B, k, C, h, w)
            on_frames = self.image[-1](hidden)[:, 0]  # (B*k, h, w)
            logits["image"] = _drop_single_positions(on_frames.unflatten(0, seen.shape[:2]))
        if self.video is not None:
            features["video"] = self._run(self.video[:-1], clip.video)  # (B, C, t, h, w)
            on_clip = self.video[-1](features["video"])  # (B, 1 + K, t, h, w)
            logits["video"] = _drop_single_positions(on_clip[:, 0])
            if self.classes:
                class_logits = on_clip[:, 1:].flatten(2).mean(2)
        return Judgement(logits, class_logits, features)

    def _run(self, judge: nn.Module, x: Tensor) -> Tensor:
        return run_stages(judge, x, checkpointing=self.checkpointing)

    def _choose_frames(self, clip: Clip) -> Clip:
        """`image_frames` different frames of each clip."""
        if self.image_frames == clip.frames:
            return clip
        return clip.select_frames(random_frames(clip.batch, clip.frames, self.image_frames))


def _check(image: str, video: str, classes: int, frames: int, image_frames: int) -> None:
    for name, kind in (("image", image), ("video", video)):
        if kind not in ("patch", "full", "none"):
            raise ValueError(f"discriminator.{name} must be patch, full or none, not {kind!r}")
    if image == video == "none":
        raise ValueError(
            "discriminator.image and discriminator.video are both none: nothing is left to judge with"
        )
    if classes and video != "full":
        raise ValueError(
            f"discriminator.video={video} cannot tell {classes} classes apart; "
            "set discriminator.video=full, or discriminator.classes=0"
        )
    check_image_frames(image_frames, frames)


def _judge(
    shape: Sequence[int], outputs: int, kernels: Sequence[int | None], *, patch: bool, sigma: float
) -> nn.Sequential:
    """Convolutions that halve frames to a 4x4 grid: a patch judge's output, a full one's last but one map."""
    hidden = shape[:-1] if patch else shape
    layers: list[nn.Module] = []
    for i, (narrow, wide) in enumerate(pairwise(hidden)):
        layers += [InstanceNoise(sigma), _convolution(narrow, wide, kernels[i], stride=2, padding=1)]
        if i > 0:
            layers.append(BatchNorm(wide))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    stride, padding = (2, 1) if patch else (1, 0)
    last = _convolution(hidden[-1], outputs, kernels[-1], stride=stride, padding=padding)
    return nn.Sequential(*layers, InstanceNoise(sigma), last)


def _convolution(inputs: int, outputs: int, kernel: int | None, *, stride: int, padding: int) -> nn.Module:
    """4x4 in space; with `kernel` frames in time, unpadded, for clips, and without for single frames."""
    if kernel is None:
        return nn.Conv2d(inputs, outputs, 4, stride, padding, bias=False)
    strides, paddings = (1, stride, stride), (0, padding, padding)
    return nn.Conv3d(inputs, outputs, (kernel, 4, 4), strides, paddings, bias=False)


def _drop_single_positions(logits: Tensor) -> Tensor:
    """(B, n, 1, 1) -> (B, n), and (B, 1) -> (B,); grids of patches keep their shape."""
    return logits if logits.shape[-1] > 1 else logits.flatten(1).squeeze(1)
