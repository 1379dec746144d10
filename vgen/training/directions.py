"""Directions in latent space that change what a generator makes most, from its weights alone."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vgen.clip import Latent, as_generator, noise_parts, style_shape
from vgen.training.first_layer import first_layer_matrix
from vgen.training.generated_clips import GeneratedClips
from vgen.training.mean_style import mean_style
from vgen.training.stored_codes import drawing

SAMPLES = 1024  # draws that tell the unit of a part


class Directions(NamedTuple):
    """Directions of one part of the latent, the one that changes its first layer most to begin with.

    Attributes:
        part: its name; "w" for styles.
        vectors: (k, width), of length 1 and at right angles to each other.
        gains: (k,): how far the layers' output moves when the part moves by 1 along each.
        unit: root mean square of the part's entries around their mean: the length that strengths count in.
        layers: of style, that are moved; empty for other parts.
    """

    part: str
    vectors: Tensor
    gains: Tensor
    unit: float
    layers: tuple[int, ...] = ()


def factorize(matrix: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The first `count` eigenvectors (k, width) of A^T A, A = `matrix` (outputs, width), and roots of eigenvalues (k,).

    They are the unit vectors n, one after the other, along which |A n| is largest. Their largest entry is positive.

    Source: SeFa, Shen & Zhou 2021, arXiv 2007.06600, eqs. 3 to 6. (Its code divides each row of A by its length.)
    """
    wide = matrix.double()
    values, vectors = torch.linalg.eigh(wide.T @ wide)
    values, vectors = values.flip(0)[:count], vectors.flip(1).T[:count]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign(), values.clamp(min=0).sqrt()


def find_directions(
    clips: GeneratedClips, *, part: str = "content", layers: Sequence[int] | None = None, count: int = 5
) -> Directions:
    """The directions of a part of the latent of the generator of `clips`.

    Args:
        part: "content": the styles of a generator that has them, with the maps of `layers` (all by default); else the
            noise that is no motion. "motion": the motion's noise. Or the name of a part.
        layers: of style.
        count: how many, at most the part's width.

    Raises:
        ValueError: no such part, layers that are not there or of a generator without styles.
    """
    generator, times = clips.generator, clips.times[None]
    label = None if clips.labels is None else clips.labels[:1]
    free = drawing(generator)
    latent = clips.latents([0], "sample")
    shape = style_shape(generator)
    name = "w" if part == "content" and shape is not None else _part(latent, part)
    if name == "w":
        if shape is None:
            raise ValueError("directions.part=w: this generator has no styles")
        chosen = tuple(range(shape[0]) if layers is None else layers)
        if not chosen or not all(0 <= layer < shape[0] for layer in chosen):
            raise ValueError(
                f"directions.layers={list(chosen)}: this generator has layers 0 to {shape[0] - 1}"
            )
        maps = generator.style_maps()  # pyright: ignore[reportCallIssue]
        matrix = torch.cat([maps[layer].detach() for layer in chosen]).cpu()
        given = {n: p for n, p in latent.items() if n == "given"}
        unit = mean_style(
            free, times=times, label=label, fixed=given, seed=clips.seed, count=SAMPLES
        ).radius / (shape[1] ** 0.5)
        return Directions(name, *factorize(matrix, count), unit, chosen)
    if layers is not None:
        raise ValueError(f"directions.layers={list(layers)}: {name} is no style, and passes one first layer")
    contract = as_generator(free)
    shortest = times if contract.frames is not None else _shortest(free, times)
    probe = {n: p for n, p in latent.items() if n not in contract.sample_latent(1, times, torch.Generator())}
    probe |= contract.sample_latent(1, shortest, torch.Generator().manual_seed(0))
    matrix = first_layer_matrix(free, probe, name, shortest, label)
    drawn = contract.sample_latent(SAMPLES if probe[name].numel() < 4096 else 1, shortest, torch.Generator())
    return Directions(name, *factorize(matrix, count), float(drawn[name].double().std()))


def moved(
    clips: GeneratedClips, latent: Latent, directions: Directions, number: int, strengths: Tensor
) -> Latent:
    """`latent` (1, ...) moved along direction `number` by each of `strengths` (S,) units: parts (S, ...)."""
    count = len(strengths)
    base = {name: part.expand(count, *part.shape[1:]) for name, part in latent.items()}
    step = (directions.unit * strengths.double())[:, None] * directions.vectors[number]  # (S, width)
    if directions.part != "w":
        part = base[directions.part]
        shape = (count, *[1] * (part.dim() - 2), -1)
        return base | {directions.part: part + step.view(shape).to(part)}
    w = clips.styles(latent, [0])
    layered = torch.zeros(w.shape[1], 1, dtype=w.dtype)
    layered[list(directions.layers)] = 1
    return base | {"w": w + step[:, None].to(w) * layered}


def directed_clips(clips: GeneratedClips, directions: Directions, strengths: Tensor) -> Tensor:
    """Clips (k, S, T, H, W, C) uint8 on the CPU: clip 0 moved along each direction (row) by each strength (column)."""
    latent = clips.latents([0], "sample")
    rows = [
        clips.make(moved(clips, latent, directions, number, strengths), [0] * len(strengths))
        for number in range(len(directions.vectors))
    ]
    return torch.stack(rows)


def _part(latent: Latent, wanted: str) -> str:
    numbers = {name: part for name, part in noise_parts(latent).items() if part.dim() > 1 and part.numel()}
    moving = [name for name in numbers if name == "motion" or name.startswith("motion_")]
    if wanted == "motion":
        found = sorted(moving, key=lambda name: name != "motion_noise")
    elif wanted == "content":
        found = [name for name in numbers if name not in moving]
    else:
        found = [name for name in numbers if name == wanted]
    if not found:
        has = ", ".join(numbers)
        raise ValueError(f"directions.part={wanted}: this generator's latent has no such part; it has {has}")
    return found[0]


def _shortest(generator: torch.nn.Module, times: Tensor) -> Tensor:
    """The first of `times`, as many as make the shortest clip: what more frames would repeat is left out."""
    for frames in range(1, times.shape[1]):
        try:
            as_generator(generator).check_times(times[:, :frames])
        except ValueError:
            continue
        return times[:, :frames]
    return times
