"""Options of all groups together: each trains among others, every pair in slow tests, and what cannot be is refused.

A new option takes part from the moment its YAML exists.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import torch
from test_config import TINY, build, compose, every, options, train_steps

from vgen.clip import GIVEN, Clip, given_part, is_given, regular_times
from vgen.config import instantiate

PARTS = ("generator", "condition", "discriminator", "loss", "regularizer", "augment", "sampler")

Row = dict[str, str]


@dataclass(frozen=True)
class Need:
    """A row that has one of the options (apart by spaces) of every group in `when` takes its other parts from
    `only`, or none of `never`, and sets the keys of `bring`. A run that does not is refused with `refusal`.
    """

    when: Row
    refusal: str
    only: Row = field(default_factory=dict)
    never: Row = field(default_factory=dict)
    bring: tuple[str, ...] = ()

    def met_by(self, row: Row) -> bool:
        return all(row.get(group) in options.split() for group, options in self.when.items())

    def forbids(self, row: Row) -> bool:
        outside = any(row.get(g) not in (None, *options.split()) for g, options in self.only.items())
        inside = any(row.get(g) in options.split() for g, options in self.never.items())
        return self.met_by(row) and (outside or inside)


SPACED = "sparse stretch coarse_to_fine beta_pair"  # clips whose frames lie at different distances
NAMED = "classification acgan infogan"
NEEDS = (
    Need(
        {"sampler": SPACED},
        "sampler=consecutive",
        only={"generator": "framewise styleganv digan stylesv longvideogan longvideogan_sres"},
    ),
    Need(
        {"sampler": SPACED, "generator": "framewise"},
        "sampler=consecutive",
        bring=("generator/motion=fourier",),
    ),
    Need({"generator": "longvideogan_sres"}, "given small clips", never={"condition": "frames"}),
    Need(
        {"generator": "longvideogan", "condition": "frames codes"},
        "content_dim",
        bring=("generator.content_dim=4",),
    ),
    Need({"sampler": "beta_pair"}, r"clip\.frames=2", bring=("clip.frames=2",)),
    Need(
        {"sampler": "beta_pair", "discriminator": "dvdgan"},
        "image_frames=8",
        bring=("discriminator.image_frames=2",),
    ),
    Need({"sampler": "beta_pair", "discriminator": "tganv2"}, "levels=4", bring=("discriminator.levels=2",)),
    Need({"regularizer": NAMED}, "class", bring=("clip.classes=auto",)),
    Need({"regularizer": NAMED}, "class logits", only={"discriminator": "mocogan tgan g3an tsm multi"}),
    Need(
        {"regularizer": NAMED, "discriminator": "tsm"},
        "class logits",
        bring=("discriminator.label_by=auxiliary",),
    ),
    Need(
        {"regularizer": NAMED, "discriminator": "multi"},
        "class logits",
        bring=("discriminator@discriminator.heads.video.judge=tgan",),
    ),
    Need({"regularizer": "free_codes"}, "condition=codes", only={"condition": "codes"}),
    Need({"regularizer": "free_codes"}, "guesses", only={"discriminator": "mocogan tgan g3an tsm multi"}),
    Need(
        {"regularizer": "free_codes", "discriminator": "mocogan tgan g3an tsm"},
        "guesses",
        bring=("discriminator.classes=12",),
    ),
    Need(
        {"regularizer": "free_codes", "discriminator": "tsm"},
        "12 classes",
        bring=("discriminator.label_by=auxiliary",),
    ),
    Need(
        {"regularizer": "free_codes", "discriminator": "multi"},
        "guesses",
        bring=(
            "discriminator@discriminator.heads.video.judge=tgan",
            "discriminator.heads.video.judge.classes=12",
        ),
    ),
    Need({"regularizer": "first_frame"}, "condition=frames", only={"condition": "frames"}),
    Need({"regularizer": "mask_sparsity"}, "mask", only={"generator": "vgan"}),
    Need({"regularizer": "mutual_information"}, "lstm_residual", only={"generator": "framewise"}),
    Need(
        {"regularizer": "mutual_information", "generator": "framewise"},
        "lstm_residual",
        bring=("generator/motion=lstm_residual",),
    ),
    Need({"regularizer": "mutual_information"}, "sampler=consecutive", never={"sampler": SPACED}),
    Need(
        {"regularizer": "spectral_norm spectral_norm_both"}, "starts at 0", never={"discriminator": "r3gan3d"}
    ),
    # A fix-up residual block's last weight and the turns of StyleGAN3's waves.
    Need({"regularizer": "spectral_norm_both"}, "starts at 0", never={"generator": "r3gan3d stylesv"}),
    Need(
        {"regularizer": "singular_value_clipping", "discriminator": "g3an dvdgan"},
        "spectral norm already",
        bring=("discriminator.spectral=false",),
    ),
)


def fits(row: Row) -> bool:
    return not any(need.forbids(row) for need in NEEDS)


def overrides_of(row: Row, *, without: Need | None = None) -> list[str]:
    chosen = [f"{group}={option}" for group, option in row.items()]
    return chosen + [key for need in NEEDS if need.met_by(row) and need is not without for key in need.bring]


def parts_of(row: Row) -> list[frozenset[tuple[str, str]]]:
    """The options and the pairs of options of a row."""
    return [frozenset(part) for size in (1, 2) for part in itertools.combinations(row.items(), size)]


def completed(row: Row, factors: dict[str, list[str]], seen: Counter) -> Row | None:
    """`row` with an option of every further factor, those least seen so far first; None if nothing fits."""
    name = next((name for name in factors if name not in row), None)
    if name is None:
        return row
    wider = filter(fits, (row | {name: option} for option in factors[name]))
    for candidate in sorted(wider, key=lambda row: sum(seen[part] for part in parts_of(row))):
        whole = completed(candidate, factors, seen)
        if whole is not None:
            return whole
    return None


@cache
def covering_rows(size: int) -> tuple[Row, ...]:
    """Rows in which every option (size 1) or every pair of options (2) that can be meets at least once, greedily."""
    factors = {group: list(options()[group]) for group in PARTS}
    wanted = [
        dict(zip(groups, chosen, strict=True))
        for groups in itertools.combinations(sorted(factors, key=lambda g: -len(factors[g])), size)
        for chosen in itertools.product(*(factors[group] for group in groups))
    ]
    rows: list[Row] = []
    seen: Counter = Counter()
    for part in wanted:
        if any(part.items() <= row.items() for row in rows):
            continue
        row = completed(part, factors, seen) if fits(part) else None
        if row is not None:
            seen.update(parts_of(row))
            rows.append(row)
    return tuple(rows)


def row_name(row: Row) -> str:
    return "-".join(row[group] for group in PARTS)


# 14 layers with a margin of 10 pixels take most of a minute, and show no more.
FEWER_LAYERS = ("generator.synthesis.layers=4", "generator.synthesis.margin=4")
LIGHTER = {
    "stylesv": FEWER_LAYERS,
    "longvideogan_sres": ("generator.layers=4", "generator.context=1"),
}


def train_row(folder: Path, row: Row) -> None:
    train_steps(folder, *overrides_of(row), "width=8", *LIGHTER.get(row["generator"], ()))


@pytest.mark.parametrize("row", covering_rows(1), ids=row_name)
def test_every_option_trains_among_others(tmp_path: Path, row: Row) -> None:
    train_row(tmp_path, row)


@pytest.mark.slow
@pytest.mark.parametrize("row", covering_rows(2), ids=row_name)
def test_every_pair_of_options_trains(tmp_path: Path, row: Row) -> None:
    train_row(tmp_path, row)


def violations(need: Need) -> Iterator[list[str]]:
    """Overrides of runs that lack what `need` asks for, and nothing else."""
    for chosen in itertools.product(*(named.split() for named in need.when.values())):
        row = dict(zip(need.when, chosen, strict=True))
        others = {g: [o for o in options()[g] if o not in only.split()] for g, only in need.only.items()}
        others |= {group: never.split() for group, never in need.never.items()}
        for bad in [row | {group: option} for group, rest in others.items() for option in rest] or [row]:
            met = [other for other in NEEDS if other is not need and other.met_by(bad)]
            for other in met:
                bad = {group: only.split()[0] for group, only in other.only.items()} | bad
            yield overrides_of(bad, without=need)


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: "-".join(need.when.values()).replace(" ", "+"))
def test_what_does_not_fit_is_refused_at_start(need: Need) -> None:
    first, *rest = violations(need)
    for overrides in (first, *rest[-1:]):
        with pytest.raises(ValueError, match=need.refusal) as raised:
            build("width=8", *overrides)
        assert "\n" not in str(raised.value)


def test_rows_cover_what_can_be() -> None:
    for group in PARTS:
        assert {row[group] for row in covering_rows(1)} == set(options()[group])
    assert all(fits(row) for row in covering_rows(2))


@pytest.mark.parametrize(
    ("size", "frames", "classes"),
    [
        (32, 8, 0),
        (64, 16, 3),
        *(
            pytest.param(*facts, marks=pytest.mark.slow)
            for facts in ((32, 16, 3), (64, 8, 0), (128, 8, 3), (128, 16, 0))
        ),
    ],
)
@pytest.mark.parametrize(
    ("group", "option"), every("generator", "generator/motion", "generator/synthesis", "discriminator")
)
def test_networks_of_other_sizes(group: str, option: str, size: int, frames: int, classes: int) -> None:
    facts = (f"clip.size={size}", f"clip.frames={frames}", f"clip.classes={classes}")
    around = ["generator=framewise"] if "/" in group else []
    config = compose(*TINY, *around, f"{group}={option}", *facts, "width=2")
    network = instantiate(config[group.split("/")[0]]).eval()
    label = torch.tensor([1]) if classes else None
    times = regular_times(1, frames)
    if group == "discriminator":
        judged = network(Clip(torch.zeros(1, 3, frames, size, size), times, label))
        assert all(logits.shape[0] == 1 and logits.isfinite().all() for logits in judged.logits.values())
    elif network.frames in (None, frames):
        latent = network.sample_latent(1, times, torch.Generator().manual_seed(0))
        if is_given(network):
            latent[GIVEN] = given_part(network, torch.zeros(1, 3, frames, size, size))
        video = network(latent, times, label)
        assert video.shape == (1, 3, frames, size, size)
        assert video.isfinite().all()
    else:  # of one length only
        with pytest.raises(ValueError, match=rf"clip\.frames={network.frames}"):
            network.check_times(times)


@pytest.mark.parametrize(
    ("group", "option"),
    every("generator/motion", "generator/synthesis", "discriminator/head", "training", "optimizer"),
)
def test_inner_options_train(tmp_path: Path, group: str, option: str) -> None:
    places = {
        "optimizer": f"optimizer@optimizer.generator={option}",
        "discriminator/head": f"discriminator/head@discriminator.heads.video={option}",
    }
    outer = {"generator": "generator=framewise", "discriminator": "discriminator=multi"}
    around = [outer[group.split("/")[0]]] if "/" in group else []
    around += FEWER_LAYERS if option == "stylegan3" else ()
    train_steps(tmp_path, *around, places.get(group, f"{group}={option}"), "width=8", steps=1)


def test_heads_are_added_and_taken_out_on_the_command_line(tmp_path: Path) -> None:
    keys = (
        "discriminator=multi",
        "~discriminator/head@discriminator.heads.image",
        "discriminator@discriminator.heads.video.judge=g3an",
        "+discriminator/head@discriminator.heads.small=half",
        "discriminator@discriminator.heads.small.judge=tgan",
        "discriminator.heads.small.weight=0.5",
        "discriminator.heads.small.frames=8",
    )
    config, _, model = build(*keys, "width=8")
    assert config.discriminator.heads.small.judge.size == 8
    clip = Clip(torch.zeros(2, 3, 16, 16, 16), regular_times(2, 16))
    judged = model.discriminator(clip)
    assert {head: judged.weights[head] for head in judged.logits} == {
        "video_image": 1.0,
        "video_video": 1.0,
        "small": 0.5,
    }
    train_steps(tmp_path, *keys, "width=8", steps=1)


def test_conditional_training(tmp_path: Path) -> None:
    for label_to in ("motion", "synthesis"):
        train_steps(
            tmp_path,
            "clip.classes=auto",
            f"generator.label_to={label_to}",
            "regularizer=[classification,r1]",
            "training.d_steps=2",
            "training.accumulate=2",
            steps=2,
        )
