"""Parts that cannot work together are refused before data is read, with the reason."""

import pytest
from commands import TINY, error_of

NO_DATA = [setting for setting in TINY if not setting.startswith("data.")] + [
    "data=videos",
    "data.path=/nowhere",
]


def test_spacings_that_change_need_a_generator_that_reads_times(capsys: pytest.CaptureFixture[str]) -> None:
    """Two frames are always equally spaced; that clips differ in their spacing must be noticed all the same."""
    error = error_of(capsys, "train", *NO_DATA, "sampler=beta_pair", "clip.frames=2")
    assert (
        "draws clips of different spacings; set sampler=consecutive, or choose a generator that reads"
        in error
    )


def test_frames_at_random_places_need_one_too(capsys: pytest.CaptureFixture[str]) -> None:
    error = error_of(capsys, "train", *NO_DATA, "sampler=sparse", "clip.frames=3")
    assert "makes equally spaced frames only" in error


def test_a_discriminator_that_wants_the_ends_too_is_told_who_cuts_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = "width=4", "clip.size=16", "clip.frames=12", "data=videos", "data.path=/nowhere"
    generator = (
        "generator=longvideogan_sres", "generator.small_size=8", "generator.cut_ends=true", "generator.context=2",
        "generator.layers=4", "generator.w_dim=6",
    )  # fmt: skip
    error = error_of(capsys, "train", *keys, *generator, "discriminator=vgan")
    assert "generator.cut_ends=true: of a clip's 12 frames the discriminator sees 8, and" in error
    assert "set generator.cut_ends=false, or discriminator.frames=8" in error
