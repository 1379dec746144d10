"""ADA: as much augmentation as keeps the discriminator from memorising, and no more."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vgen.augment.ada_color import COLOR, change_color
from vgen.augment.ada_corruption import CORRUPTION, add_noise, cut_out, filter_bands
from vgen.augment.ada_geometry import AFFINE, FLIPS, affine, move_pixels
from vgen.augment.ada_time import TIME, change_time
from vgen.augment.chance import Chance
from vgen.clip import Clip
from vgen.layer.processes import global_mean

_NAMES = (*FLIPS, *AFFINE, *COLOR, *CORRUPTION, *TIME)


class AdaptiveAugment(nn.Module):
    """Each operation changes a clip, all its frames alike, with probability p times its rate.

    p follows r = E[sign D(real)], over heads, patches and processes: every `interval` discriminator updates it grows
    if r has been above `target` and shrinks if below, at a pace that takes it from 0 to 1 in `ada_kclips`. Clips to
    which nothing happens stay as they are, bit for bit. Random numbers are drawn for the whole batch of all
    processes; p and what r has been so far are buffers, so that a resumed run goes on as it was.

    Source: Karras et al. 2020, arXiv 2006.06676, section 3 and appendix B; NVlabs/stylegan2-ada-pytorch:
    training/augment.py ("bgc" is the first twelve rates at 1). There, moves by whole pixels are resampled with the
    rest and at most one frame is mirrored beyond an edge; here, they are exact, and mirroring goes on. Reversal and
    speed are not in the paper.

    Args:
        p: its first value; with `target` null, its value throughout (or what training.schedules.augment_p makes of it).
        target: of r; null switches the adaptation off.
        ada_kclips: thousand real clips in which p changes by 1. The paper's 500 are thousand images.
        interval: discriminator updates between two changes of p.
        p_max: the most that p may become. Augmentations leak into what is generated when p comes near 1.
        flip: left-right, in half of the cases.
        quarter_turn: by 0, 90, 180 or 270 degrees.
        translation: by whole pixels, up to 1/8 of the frame.
        scale: by 2 ** N(0, 0.2^2).
        rotation: by any angle, before or after the stretch.
        stretch: wider and as much lower, by 2 ** N(0, 0.2^2).
        fraction: by N(0, 1/8) of the frame.
        brightness: + N(0, 0.2^2).
        contrast: x 2 ** N(0, 0.5^2).
        luma_flip: light for dark, colours kept, in half of the cases.
        hue: turned by any angle.
        saturation: x 2 ** N(0, 1).
        filtering: each of four octaves x 2 ** N(0, 1), overall power kept.
        noise: of standard deviation |N(0, 0.1^2)|, the same for all frames.
        cutout: of a square of half the frame's side.
        reversal: in time, in half of the cases. Wrong for data with an arrow of time.
        speed: x 2 ** U(-1, 1).
    """

    p: Tensor
    sign_sum: Tensor
    updates: Tensor

    def __init__(
        self,
        *,
        p: float = 0.0,
        target: float | None = 0.6,
        ada_kclips: float = 500.0,
        interval: int = 4,
        p_max: float = 1.0,
        flip: float = 1.0,
        quarter_turn: float = 1.0,
        translation: float = 1.0,
        scale: float = 1.0,
        rotation: float = 1.0,
        stretch: float = 1.0,
        fraction: float = 1.0,
        brightness: float = 1.0,
        contrast: float = 1.0,
        luma_flip: float = 1.0,
        hue: float = 1.0,
        saturation: float = 1.0,
        filtering: float = 0.0,
        noise: float = 0.0,
        cutout: float = 0.0,
        reversal: float = 0.0,
        speed: float = 0.0,
    ):
        super().__init__()
        if not 0 <= p_max <= 1:
            raise ValueError(f"augment.p_max={p_max}: must lie in [0, 1]")
        if not 0 <= p <= p_max:
            raise ValueError(f"augment.p={p}: must lie between 0 and augment.p_max={p_max}")
        if target is not None and not -1 < target < 1:
            raise ValueError(f"augment.target={target}: must lie in (-1, 1), or be null for a fixed p")
        if ada_kclips <= 0 or interval < 1:
            raise ValueError(
                f"augment.ada_kclips={ada_kclips} must be above 0 and augment.interval={interval} at least 1"
            )
        self.configured_p, self.p_max, self.target = p, p_max, target
        self.ada_kclips, self.interval = ada_kclips, interval
        self.pixel_moves = {"flip": flip, "quarter_turn": quarter_turn, "translation": translation}
        self.affine = {"scale": scale, "rotation": rotation, "stretch": stretch, "fraction": fraction}
        self.color = {
            "brightness": brightness, "contrast": contrast, "luma_flip": luma_flip, "hue": hue,
            "saturation": saturation,
        }  # fmt: skip
        self.corruption = {"filtering": filtering, "noise": noise, "cutout": cutout}
        self.time = {"reversal": reversal, "speed": speed}
        for name, rate in self.rates.items():
            if not 0 <= rate <= 1:
                raise ValueError(f"augment.{name}={rate}: a rate lies in [0, 1]")
        self.register_buffer("p", torch.tensor(float(p)))
        self.register_buffer("sign_sum", torch.zeros(()))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @property
    def rates(self) -> dict[str, float]:
        """Operation -> its rate."""
        return self.pixel_moves | self.affine | self.color | self.corruption | self.time

    def forward(self, clip: Clip) -> Clip:
        if any(self.color.values()) and clip.video.shape[1] not in (1, 3):
            raise ValueError(
                f"augment=ada changes colours of 1 or 3 channels, not of {clip.video.shape[1]}; set "
                f"{', '.join(f'augment.{name}=0' for name in COLOR)}"
            )
        chance = Chance(clip.batch, _NAMES, self.p, clip.video.device)
        dtype = clip.video.dtype
        # Not in half precision: filters and colour matrices would lose digits.
        with torch.autocast(clip.video.device.type, enabled=False):
            wide = clip.with_video(clip.video.to(torch.promote_types(dtype, torch.float32)))
            changed = self._change(wide, chance)
        return changed.with_video(changed.video.to(dtype))

    def _change(self, clip: Clip, chance: Chance) -> Clip:
        if any(self.time.values()):
            clip = change_time(clip, chance, **self.time)
        video = move_pixels(clip.video, chance, **self.pixel_moves)
        if any(self.affine.values()):
            video = affine(video, chance, **self.affine)
        if any(self.color.values()):
            video = change_color(video, chance, **self.color)
        if self.corruption["filtering"]:
            video = filter_bands(video, chance, filtering=self.corruption["filtering"])
        video = add_noise(video, chance, noise=self.corruption["noise"])
        video = cut_out(video, chance, cutout=self.corruption["cutout"])
        return clip.with_video(video)

    @torch.no_grad()
    def adapt(self, real_logits: Sequence[Tensor], clips: int) -> dict[str, Tensor]:
        """Take in one discriminator update on `clips` real clips over all processes; returns what is worth logging."""
        sign = global_mean(torch.stack([logits.sign().float().mean() for logits in real_logits]).mean())
        if self.target is None:
            return {"augment/p": self.p.clone(), "augment/real_sign": sign}
        self.sign_sum += sign
        self.updates += 1
        change = (
            clips
            * self.interval
            / (self.ada_kclips * 1000)
            * (self.sign_sum / self.interval - self.target).sign()
        )
        due = self.updates == self.interval
        self.p.copy_(torch.where(due, (self.p + change).clamp(0, self.p_max), self.p))
        self.sign_sum *= ~due
        self.updates *= ~due
        return {"augment/p": self.p.clone(), "augment/real_sign": sign}

    def check_schedulable(self) -> None:
        """Raise ValueError if p adapts itself and cannot follow a schedule."""
        if self.target is not None:
            raise ValueError(
                "training.schedules.augment_p: p already follows augment.target; set augment.target=null"
            )

    def extra_repr(self) -> str:
        on = ", ".join(f"{name}={rate:g}" for name, rate in self.rates.items() if rate)
        return f"p={float(self.p):g}, target={self.target}, {on}"
