"""Small faults of every kind, each in its share of the clips: what an imperfect generator's frames may show."""

import math

import torch
from torch import Tensor, nn

from vgen.augment.ada_geometry import warp
from vgen.augment.chance import Chance, change_where
from vgen.clip import Clip
from vgen.rng import draw_rows

_OPERATIONS = ("scale", "stretch", "rotation", "rotation_after", "shift", "shift_y", "noise")


class Distortion(nn.Module):
    """Each operation changes a clip, all its frames alike, with probability `p`.

    Scale x 2 ** N(0, (0.01 s)^2); stretch of the width against the height by 2 ** N(0, (0.01 s)^2); rotation by
    U(-0.002 s, 0.002 s) half turns, before or after the stretch; shift by N(0, (0.002 s)^2) of the frame; noise of
    standard deviation |N(0, (0.01 s)^2)|, one pattern for all frames. s is the `strength`.

    LongVideoGAN distorts small frames in this way before they are made large, so that its super-resolution stage, which
    learns from real small frames, does not rely on what its low-resolution stage gets wrong.

    Source: Brooks et al. 2022, arXiv 2206.03429, §3.3; NVlabs/long-video-gan: model/video_gan_sres.py (p 0.5, strength
    8), after ADA (`vgen.augment.ada`).

    Raises:
        ValueError: p outside [0, 1], or a negative strength.
    """

    p: Tensor

    def __init__(self, *, p: float = 0.5, strength: float = 8.0):
        super().__init__()
        if not 0 <= p <= 1 or strength < 0:
            raise ValueError(f"p={p} must lie in [0, 1] and strength={strength} be at least 0")
        self.strength = strength
        self.register_buffer("p", torch.tensor(float(p)), persistent=False)

    def forward(self, clip: Clip) -> Clip:
        chance = Chance(clip.batch, _OPERATIONS, self.p, clip.video.device)
        with torch.autocast(clip.video.device.type, enabled=False):
            video = clip.video.to(torch.promote_types(clip.video.dtype, torch.float32))
            video = self._noisy(self._moved(video, chance), chance)
        return clip.with_video(video.to(clip.video.dtype))

    def _moved(self, video: Tensor, chance: Chance) -> Tensor:
        happens = {name: chance.happens(name, 1.0) for name in ("scale", "stretch", "shift")}
        for name in ("rotation", "rotation_after"):
            happens[name] = chance.happens_in_one_of_two(name, 1.0)

        def drawn(name: str, value: Tensor) -> Tensor:
            return torch.where(happens[name], value, torch.zeros_like(value))

        by = self.strength
        zoom = drawn("scale", chance.normal("scale") * 0.01 * by).exp2()
        wider = drawn("stretch", chance.normal("stretch") * 0.01 * by).exp2()
        before, after = (
            drawn(name, (chance.uniform(name) * 2 - 1) * math.pi * 0.002 * by)
            for name in ("rotation", "rotation_after")
        )
        stretch = torch.diag_embed(torch.stack([1 / wider, wider], 1))
        back = _turn(-before) @ stretch @ _turn(-after) / zoom[:, None, None]
        shift = torch.stack([chance.normal("shift"), chance.normal("shift_y")], 1)
        moved = drawn("shift", shift.T).T * 0.002 * by * video.shape[4]
        chosen = torch.stack(list(happens.values())).any(0)
        return change_where(chosen, video, warp, back, moved)

    def _noisy(self, video: Tensor, chance: Chance) -> Tensor:
        batch, channels, _, height, width = video.shape
        pattern = draw_rows(
            batch, lambda rows, rng: torch.randn(rows, channels, 1, height, width, generator=rng)
        ).to(video.device, video.dtype)
        deviation = chance.normal("noise").abs().to(video.dtype).view(-1, 1, 1, 1, 1) * 0.01 * self.strength
        happens = chance.happens("noise", 1.0)
        return change_where(happens, video, lambda v, d, n: v + d * n, deviation, pattern)


def _turn(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # (B, 2, 2)
