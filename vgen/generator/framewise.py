"""Content x motion: one content code per clip, one motion code per frame, one network that paints frames."""

from collections.abc import Callable
from typing import Literal, Protocol, cast

import torch
from torch import Tensor, nn

from vgen.clip import Latent
from vgen.layer.content_path import PATH, REACHED, along_path, draw_path, keep_some
from vgen.layer.label import one_hot
from vgen.layer.style_mixing import draw_mixing, mix_styles

LabelTo = Literal["motion", "synthesis", "both"]


class Motion(Protocol):
    """Latent -> a code of width `dim` per frame. `frames` is the only length it can make, or None for any.

    Built as `motion(content_dim=..., label_dim=...)`: the widths of what it may read besides its own latents.
    `reads_times` as in `vgen.clip.Generator`. `moves_content` is True for a walk in the latent space: its codes
    then take the content's place, frame by frame, instead of standing beside it.

    One whose noise does not stand frame by frame offers `latent_at(latent, known, times, rng) -> dict`: its parts
    of a latent that was drawn for times `known` (T,), on the CPU, as they are for `times` (B, T').

    A motion source may also offer `decompose(latent, times, label_code) -> dict` with "code" and further named
    parts, which `Framewise.decompose` hands on to regularisers; it is then called once instead of `__call__`.
    """

    dim: int
    frames: int | None
    reads_times: bool
    moves_content: bool

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """Named parts (not "content"), each with first dimension `batch`, drawn on the CPU from `rng`.

        A source that reads times gives a clip the same codes whether all its times are asked for at once, in
        chunks or one by one, with `rng` in the same state at each call.
        """
        ...

    def check_times(self, times: Tensor) -> None:
        """Raise ValueError, saying why and what to choose instead, if it cannot do `times` (B, T)."""
        ...

    def __call__(self, latent: Latent, times: Tensor, label_code: Tensor | None) -> Tensor:
        """Codes (B, T, dim) at `times` (B, T).

        `latent` also holds "content" (B, content_dim); `label_code` is (B, label_dim), None if that is 0.
        """
        ...


class Synthesis(Protocol):
    """Codes -> frames (N, C, H, W) in [-1, 1], up to what a network without a bounded last layer overshoots.

    Built as `synthesis(content_dim=..., motion_dim=..., label_dim=...)`; `motion_dim` is 0 where motion moves the
    content, and `label_dim` the width of the one-hot label that follows the content, 0 for none. One with
    `state_shape` (C, h, w) also takes a `state` (N, C, h, w), which it adds to its first map
    (`vgen.clip.Generator`).
    """

    def __call__(self, content: Tensor, motion: Tensor) -> Tensor:
        """`content` (N, content_dim + label_dim) and `motion` (N, motion_dim) of N frames."""
        ...


class Styled(Synthesis, Protocol):
    """A synthesis network whose layers each take a style: one that offers all of these.

    `style_shape` is how many layers take a style, and its width.
    """

    style_shape: tuple[int, int]

    def styles(self, content: Tensor) -> Tensor:
        """`content` (N, content_dim + label_dim) -> w (N, layers, width)."""
        ...

    def paint(self, w: Tensor, motion: Tensor) -> Tensor:
        """Frames (N, C, H, W) from styles (N, layers, width) and `motion` (N, motion_dim)."""
        ...

    def style_maps(self) -> list[Tensor]:
        """The linear maps (outputs, width) that read each layer's style, one below the other where there are two."""
        ...


class Framewise(nn.Module):
    """Any motion source drives any synthesis network (scheme: MoCoGAN, Tulyakov et al. 2018, §3).

    A frame is painted from the content code and its motion code. With `label_to="synthesis"`, or "both",
    the content code is followed by the label.

    Args:
        motion: called as `motion(content_dim=..., label_dim=...)`, gives a `Motion`.
        synthesis: called as `synthesis(content_dim=..., motion_dim=..., label_dim=...)`, gives a `Synthesis`.
        content_dim: width of the content code, one per clip.
        content_law: "normal" draws the content from N(0, I), "uniform" from U(-1, 1) as TGAN does.
        classes: number of classes; 0 is unconditional, and labels are then ignored.
        label_to: where a one-hot label enters. "motion" feeds the motion source at every frame: the paper's
            "z_A -> R_M", which it reports as the better one (motion control score 0.581 against 0.355).
            "synthesis" feeds every frame's code: "z_A -> G_I", what the published code does. "both" is what StyleGAN-V
            does.
        style_mixing: probability with which, in training, the later layers of a `Styled` synthesis take the style of a
            second content: 0.9 in StyleGAN2, 0 in the video GANs that follow it.
        content_change: probability with which, in training, the content of a clip changes while it lasts: the styles of
            a `Styled` synthesis then go from those of one drawn content to those of the next, and so on (StyleSV's
            `interp_p`, 0 in its scripts).
        content_distance: frames from one content to the next, in training (StyleSV's `interp_len`).
    """

    def __init__(
        self,
        *,
        motion: Callable[..., Motion],
        synthesis: Callable[..., Synthesis],
        content_dim: int = 50,
        content_law: Literal["normal", "uniform"] = "normal",
        classes: int = 0,
        label_to: LabelTo = "motion",
        style_mixing: float = 0.0,
        content_change: float = 0.0,
        content_distance: float = 256.0,
    ):
        super().__init__()
        if label_to not in ("motion", "synthesis", "both"):
            raise ValueError(f"generator.label_to must be motion, synthesis or both, not {label_to!r}")
        if content_law not in ("normal", "uniform"):
            raise ValueError(f"generator.content_law must be normal or uniform, not {content_law!r}")
        self.classes = classes
        self.label_to = label_to
        to_motion, to_synthesis = (classes if self._label_to(part) else 0 for part in ("motion", "synthesis"))
        self.content_dim = content_dim
        self.content_law = content_law
        self.motion = motion(content_dim=content_dim, label_dim=to_motion)
        self.synthesis = synthesis(
            content_dim=content_dim,
            motion_dim=0 if self.motion.moves_content else self.motion.dim,
            label_dim=to_synthesis,
        )
        shape: tuple[int, int] | None = getattr(self.synthesis, "style_shape", None)
        self.style_shape = None if self.motion.moves_content else shape  # a walk has no one style for a clip
        self.style_mixing, self.content_change = style_mixing, content_change
        for name, chance in {"style_mixing": style_mixing, "content_change": content_change}.items():
            if not 0 <= chance <= 1:
                raise ValueError(f"generator.{name}={chance}: must lie between 0 and 1")
            if chance and self.style_shape is None:
                raise ValueError(
                    f"generator.{name}={chance}: {type(self.synthesis).__name__} driven by "
                    f"{type(self.motion).__name__} has no style for each layer of a clip; set it to 0"
                )
        self.content_distance = content_distance
        if content_distance <= 0:
            raise ValueError(f"generator.content_distance={content_distance}: must be more than 0 frames")
        self.state_shape: tuple[int, int, int] | None = getattr(self.synthesis, "state_shape", None)
        self.frames = self.motion.frames
        self.reads_times = self.motion.reads_times

    def _label_to(self, part: str) -> bool:
        return self.label_to in (part, "both")

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        """The part "content" (B, content_dim) and the parts of the motion source.

        In training with style mixing also "content_mixed", like "content", and "content_mixed_from" (B,) int64
        (`draw_mixing`); with content change also "content_path" and "content_path_times" (`draw_path`, `keep_some`).
        """
        content = self.draw_content(batch, rng)
        # A copy, so that motion and mixing are drawn as they are without change.
        aside = rng.clone_state() if self.training and self.content_change else None
        latent = {"content": content, **self.motion.sample_latent(batch, times, rng)}
        if not self.training or self.style_shape is None:
            return latent
        if self.style_mixing:
            second = self.draw_content(batch, rng)
            mixed, begin = draw_mixing(content, second, self.style_shape[0], self.style_mixing, rng)
            latent |= {"content_mixed": mixed, "content_mixed_from": begin}
        if aside is not None:
            path = draw_path(self.draw_content, times, aside, batch=batch, distance=self.content_distance)
            latent |= keep_some(path, content, aside, probability=self.content_change)
        return latent

    def draw_content(self, batch: int, rng: torch.Generator) -> Tensor:
        """Contents (B, content_dim)."""
        if self.content_law == "uniform":
            return 2 * torch.rand(batch, self.content_dim, generator=rng) - 1
        return torch.randn(batch, self.content_dim, generator=rng)

    def latent_at(self, latent: Latent, known: Tensor, times: Tensor, rng: torch.Generator) -> Latent:
        """Those parts that the motion source itself can tell for other times (`Motion`)."""
        move = getattr(self.motion, "latent_at", None)
        return {} if move is None else move(latent, known, times, rng)

    def check_times(self, times: Tensor) -> None:
        self.motion.check_times(times)

    def decompose(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """The video at `times` (B, T) and what the motion source tells beside its codes.

        Returns:
            "video": (B, C, T, H, W) in [-1, 1], and the motion's further parts under their own names.
        """
        batch, frames = times.shape
        label_code = self._label_code(latent, label)
        code, parts = self._codes(latent, times, label_code if self._label_to("motion") else None)
        # The frames of a clip side by side: (B*T, ...)
        state = [latent["state"].repeat_interleave(frames, 0)] if "state" in latent else []
        by_style = "w" in latent or "content_mixed" in latent or PATH in latent
        if self.style_shape is not None and by_style:
            w = self.styles(latent, times, label)
            w = w.flatten(0, 1) if w.dim() == 4 else w.repeat_interleave(frames, 0)
            images = cast(Styled, self.synthesis).paint(w, code.flatten(0, 1), *state)
            return {"video": images.unflatten(0, (batch, frames)).transpose(1, 2), **parts}
        if self.motion.moves_content:
            content, motion = code, code[:, :, :0]
        else:
            content, motion = latent["content"][:, None].expand(-1, frames, -1), code
        if label_code is not None and self._label_to("synthesis"):
            content = torch.cat([content, label_code[:, None].expand(-1, frames, -1)], 2)
        images = self.synthesis(content.flatten(0, 1), motion.flatten(0, 1), *state)
        return {"video": images.unflatten(0, (batch, frames)).transpose(1, 2), **parts}

    def styles(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """The styles that `latent` stands for (`vgen.clip.Generator`): of every layer (B, *style_shape), and where the
        content changes, of every frame and layer (B, T, *style_shape).
        """
        if "w" in latent:
            return latent["w"]
        contents = latent[PATH] if PATH in latent else latent["content"][:, None]  # (B, K, content_dim)
        if "content_mixed" in latent:
            contents = torch.cat([contents, latent["content_mixed"][:, None]], 1)
        label_code = self._label_code(latent, label)
        if label_code is not None and self._label_to("synthesis"):
            contents = torch.cat([contents, label_code[:, None].expand(-1, contents.shape[1], -1)], 2)
        w = cast(Styled, self.synthesis).styles(contents.flatten(0, 1)).unflatten(0, contents.shape[:2])
        if "content_mixed" in latent:
            w = mix_styles(w[:, :-1], w[:, -1:], latent["content_mixed_from"])
        return along_path(w, latent[REACHED], times) if PATH in latent else w[:, 0]

    def style_maps(self) -> list[Tensor]:
        """As of the synthesis network (`Styled`)."""
        return cast(Styled, self.synthesis).style_maps()

    def _label_code(self, latent: Latent, label: Tensor | None) -> Tensor | None:
        return one_hot(label, self.classes, dtype=latent["content"].dtype) if self.classes else None

    def _codes(
        self, latent: Latent, times: Tensor, label_code: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        decompose = getattr(self.motion, "decompose", None)
        if decompose is None:
            return self.motion(latent, times, label_code), {}
        parts = decompose(latent, times, label_code)
        return parts.pop("code"), parts

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        """Frames at `times` (B, T) -> video (B, C, T, H, W) in [-1, 1]."""
        return self.decompose(latent, times, label)["video"]
