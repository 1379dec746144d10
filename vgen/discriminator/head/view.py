"""What one judge among several sees of a clip: which frames, at which size, and how much it counts."""

from typing import Literal

import torch.nn.functional as F
from torch import nn

from vgen.clip import Clip, Judgement
from vgen.layer.frame_choice import random_frames, random_stretch

Choice = Literal["random", "stretch"]


class View(nn.Module):
    """Hands a discriminator `frames` frames of each clip (B, C, T, H, W), at height and width `size`.

    `choice` "random" takes any different frames, in the order of time; "stretch" takes neighbours from a random first
    frame, or every `step`-th one. Both choose anew for each judgement and take the whole clip where it has no more
    frames than asked for. A smaller size is made by averaging areas. Frames keep their times.

    Args:
        judge: the discriminator, built for `frames` and `size`.
        frames: of a clip that the judge sees.
        size: height and width that the judge sees.
        choice: "random" or "stretch".
        step: frames of the clip between two that the judge sees; of a stretch.
        weight: factor of the adversarial loss of the judge's heads.
    """

    def __init__(
        self,
        *,
        judge: nn.Module,
        frames: int,
        size: int,
        choice: Choice = "stretch",
        step: int = 1,
        weight: float = 1.0,
    ):
        super().__init__()
        if choice not in ("random", "stretch"):
            raise ValueError(f"choice={choice} of a head: random or stretch")
        if frames < 1 or step < 1:
            raise ValueError(f"a head's frames={frames} and step={step} must be at least 1")
        if weight <= 0:
            raise ValueError(f"weight={weight} of a head: must be above 0; take the head out instead")
        self.judge = judge
        self.frames = frames
        self.size = size
        self.choice = choice
        self.step = step
        self.weight = weight

    def forward(self, clip: Clip) -> Judgement:
        return self.judge(self.look(clip))

    def look(self, clip: Clip) -> Clip:
        """What the judge sees: video (B, C, frames, size, size).

        Raises ValueError for a clip with too few or too small frames.
        """
        span = 1 + (self.frames - 1) * self.step
        size = clip.video.shape[-1]
        if clip.frames < span or size < self.size:
            raise ValueError(
                f"a head sees {self.frames} frames, {self.step} apart, of size {self.size}, but clips have "
                f"{clip.frames} of size {size}; set the head's frames, step and size to no more"
            )
        if self.choice == "random" and self.frames < clip.frames:
            index = random_frames(clip.batch, clip.frames, self.frames).sort(1).values
            clip = clip.select_frames(index)
        elif self.frames < clip.frames:
            clip = clip.select_frames(random_stretch(clip.batch, clip.frames, self.frames, step=self.step))
        if self.size == size:
            return clip
        area = (clip.frames, self.size, self.size)
        return clip.with_video(F.interpolate(clip.video, area, mode="area"))
