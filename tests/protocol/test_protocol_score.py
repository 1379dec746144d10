import json

import pytest
import torch
from torch import Tensor

from vgen.metric.frechet import FrechetDistance, frechet_distance, frechet_jackknife
from vgen.metric.kernel import KernelDistance, polynomial_mmd
from vgen.protocol.features import _full_float32, extract
from vgen.protocol.score import compare, score
from vgen.protocol.standard import Standard
from vgen.protocol.table import format_table, format_value


class Colours:
    """Mean colour and brightness of the ends: enough of an extractor, and it counts the clips it sees."""

    name, dim, min_frames, fingerprint = "colours", 6, 2, "c" * 64

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pixels: Tensor) -> Tensor:
        self.seen += len(pixels)
        ends = pixels[:, [0, -1]].float().mean(dim=(2, 3)) / 255
        return ends.flatten(1)


def clips(count: int, seed: int, frames: int = 4, size: tuple[int, int] = (8, 8)) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    shade = torch.rand(count, frames, 1, 1, 3, generator=rng) * 155
    return (shade + 100 * torch.rand(count, frames, *size, 3, generator=rng)).to(torch.uint8)


def protocol(**changed) -> Standard:
    return Standard(**{"frames": 4, "size": 8, "count": 40, **changed})


def run(real: Tensor, fake: Tensor, batch: int = 16, **changed):
    return score(
        iter(real.split(batch)),
        iter(fake.split(batch)),
        extractor=Colours(),
        metrics={"frechet": FrechetDistance(), "kernel": KernelDistance()},
        protocol=protocol(**changed),
    )


def test_values_are_those_of_the_metrics_and_the_result_is_plain_json():
    real, fake = clips(40, 1), clips(40, 2)
    result = score(
        [real], [fake], extractor=Colours(), metrics=[FrechetDistance(), KernelDistance()], protocol=protocol(),
        real_info={"source": "here", "fingerprint": "abc"},
    )  # fmt: skip
    features = Colours()(real), Colours()(fake)
    fvd = result["metrics"]["fvd/colours"]
    assert fvd["value"] == frechet_distance(*features)
    assert fvd["standard_error"] == frechet_jackknife(*features).standard_error > 0
    assert fvd["higher_is_better"] is False
    assert fvd["stamp"] == "fvd[colours-cccccccc,N-1,40x4f,s1/s1]"
    assert result["metrics"]["kvd/colours"]["value"] == pytest.approx(polynomial_mmd(*features), rel=1e-9)
    assert result["real"].items() >= {"source": "here", "fingerprint": "abc", "clips": 40}.items()
    assert result["protocol"]["id"] == protocol().id("c" * 64)
    assert result["protocol"]["count"] == 40
    assert result["versions"]["torch"]
    assert result["warnings"] == []
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_batch_does_not_matter(batch):
    real, fake = clips(40, 1), clips(40, 2)
    assert run(real, fake, batch)["metrics"] == run(real, fake, 16)["metrics"]


def test_each_clip_passes_the_extractor_once_and_no_more_are_drawn_than_needed():
    def endless():
        for seed in range(10):
            yield clips(12, seed)
        raise AssertionError("drew more clips than the protocol asks for")

    extractor = Colours()
    result = score(
        endless(),
        endless(),
        extractor=extractor,
        metrics=[FrechetDistance(), KernelDistance()],
        protocol=protocol(),
    )
    assert extractor.seen == 80
    assert result["real"]["clips"] == result["fake"]["clips"] == 40
    assert result["warnings"] == ["40 clips are on both sides, pixel for pixel"]
    assert (
        result["real"]["content"]
        == result["fake"]["content"]
        != run(clips(40, 1), clips(40, 2))["real"]["content"]
    )


def test_repeats_average_sets_of_fakes():
    real, fake = clips(40, 1), clips(120, 2)
    entry = run(real, fake, repeats=3)["metrics"]["fvd/colours"]
    single = [run(real, part)["metrics"]["fvd/colours"]["value"] for part in fake.split(40)]
    assert entry["repeats"]["values"] == single
    assert entry["value"] == pytest.approx(sum(single) / 3)
    assert entry["repeats"]["std"] == pytest.approx(torch.tensor(single, dtype=torch.float64).std().item())


def test_warnings():
    real, fake = clips(40, 1), clips(5, 2)
    fake[3] = fake[0]
    result = run(real, fake)
    assert "5 fake clips where the protocol asks for 40" in result["warnings"]
    assert "1 of 5 fake clips are exact copies of others" in result["warnings"]
    assert any("5 clips for 6 features" in warning for warning in result["warnings"])
    assert result["metrics"]["fvd/colours"]["bias_corrected"] is None
    assert ",40/5x4f," in result["metrics"]["fvd/colours"]["stamp"]
    wide = run(clips(40, 1, size=(8, 12)), clips(40, 2, size=(8, 12)))
    assert any("not square (12x8)" in warning for warning in wide["warnings"])


@pytest.mark.parametrize(
    ("real", "fake", "said"),
    [
        (clips(0, 1), clips(9, 2), "there are no real clips"),
        (clips(9, 1), clips(1, 2), "1 fake clip; "),
        (clips(9, 1), clips(9, 2, frames=5), "fake clips have 5 frames, the protocol says frames=4"),
        (clips(9, 1), clips(9, 2, frames=1), "needs at least 2"),
        (clips(9, 1, size=(6, 6)), clips(9, 2), "real clips are 6x6, the protocol says size=8"),
        (clips(9, 1), clips(9, 2, size=(8, 9)), "real clips are 8x8 .*, fake clips 9x8"),
        (clips(9, 1)[..., :1], clips(9, 2), "1 channels"),
        (clips(9, 1).float(), clips(9, 2), "expected uint8"),
    ],
)
def test_errors(real, fake, said):
    with pytest.raises(ValueError, match=said) as error:
        score(
            [real] if len(real) else [],
            [fake],
            extractor=Colours(),
            metrics=[KernelDistance()],
            protocol=protocol(),
        )
    assert "\n" not in str(error.value)


def test_clips_of_different_sizes_on_one_side():
    with pytest.raises(ValueError, match="differ among themselves"):
        extract([clips(2, 1), clips(2, 1, size=(8, 9))], Colours(), count=4)


def test_broken_features_name_their_side():
    class Broken(Colours):
        def __call__(self, pixels: Tensor) -> Tensor:
            return super().__call__(pixels) / 0

    with pytest.raises(ValueError, match="3 fake clips have NaN or infinite colours features"):
        extract([clips(3, 1)], Broken(), count=3, side="fake")


def test_tf32_is_off_inside_and_as_before_after():
    switches = torch.backends.cuda.matmul, torch.backends.cudnn.conv  # pyright: ignore[reportAttributeAccessIssue]
    before = [switch.fp32_precision for switch in switches]
    try:
        switches[0].fp32_precision = "tf32"
        with _full_float32(torch.device("cuda")):
            assert [switch.fp32_precision for switch in switches] == ["ieee", "ieee"]
        assert [switch.fp32_precision for switch in switches] == ["tf32", before[1]]
    finally:
        switches[0].fp32_precision = before[0]


def test_real_features_can_be_kept():
    real, fake = clips(40, 1), clips(40, 2)
    kept = extract([real], Colours(), count=40)
    for _ in range(2):
        again = compare(
            kept, extract([fake], Colours(), count=40), extractor=Colours(), metrics=[FrechetDistance()],
            protocol=protocol(),
        )  # fmt: skip
        assert again["metrics"]["fvd/colours"] == run(real, fake)["metrics"]["fvd/colours"]


def test_table():
    lines = format_table(run(clips(40, 1), clips(30, 2))).splitlines()
    assert lines[0].startswith("fvd/colours")
    assert lines[0].index("lower is better") == lines[1].index("lower is better")
    assert "fvd[colours-cccccccc,N-1,40/30x4f,s1/s1]" in lines[0]
    assert lines[2].startswith("40 real and 30 fake clips of 4 frames at 8 px")
    assert lines[3] == "warning: 30 fake clips where the protocol asks for 40"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (12.3456, 0.4321, "12.35 +- 0.43"),
        (1234.5, 56.7, "1234 +- 57"),
        (0.00123, 0.00045, "0.00123 +- 0.00045"),
        (1.5e-6, 2e-7, "1.50e-06 +- 2.0e-07"),
        (12.3456, None, "12.35"),
        (0.0, 0.0, "0"),
    ],
)
def test_digits(value, error, text):
    assert format_value(value, error) == text
