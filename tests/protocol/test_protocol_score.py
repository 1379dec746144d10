import json
import re
from typing import ClassVar

import pytest
import torch
from clip_sets import Brightness, Colours, Tensors, pixels
from torch import Tensor

from vgen.metric.frechet import FrechetDistance, frechet_distance, frechet_jackknife
from vgen.metric.jackknife import Estimate
from vgen.metric.kernel import KernelDistance, polynomial_mmd
from vgen.protocol.score import Unmeasured, compare, look, score
from vgen.protocol.stamp import stamp
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore
from vgen.protocol.table import format_table, format_value


class Flicker:
    """A statistic of one set: the mean step between frames, with the value of the real clips beside it."""

    names, reads, stamp = ("flicker", "steadiness"), "frames", "L1"
    higher_is_better: ClassVar = {"flicker": False, "steadiness": None}

    def measure(self, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
        means = [side.double().diff(dim=1).abs().mean().item() for side in (fake, real)]
        return {"flicker": Estimate(means[0], real=means[1]), "steadiness": Estimate(1 - means[0])}

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        return [f"{len(fake)} clips flicker"]


class OfClasses(Flicker):
    names, reads_labels = ("of_classes",), True
    higher_is_better: ClassVar = {"of_classes": True}

    def measure_labelled(self, real, fake, real_labels, fake_labels):
        return {
            "of_classes": Estimate(float((real_labels[: len(fake_labels)] == fake_labels).double().mean()))
        }

    def warnings(self, real: Tensor, fake: Tensor) -> list[str]:
        return []


def protocol(**changed) -> Standard:
    return Standard(**{"frames": 4, "size": 8, "count": 40, **changed})


def run(real: Tensor, fake: Tensor, batch: int = 16, **changed):
    return score(
        Tensors(real),
        Tensors(fake),
        extractors={"colours": Colours()},
        metrics={"frechet": FrechetDistance(), "kernel": KernelDistance()},
        protocol=protocol(**changed),
        batch=batch,
    )


def test_values_are_those_of_the_metrics_and_the_result_is_plain_json():
    real, fake = pixels(40, 1), pixels(40, 2)
    result = score(
        Tensors(real, source="here", fingerprint="abc"), Tensors(fake), extractors=[Colours()],
        metrics=[FrechetDistance(), KernelDistance()], protocol=protocol(),
    )  # fmt: skip
    features = Colours()(real)["clip"], Colours()(fake)["clip"]
    fvd = result["metrics"]["fvd/colours"]
    assert fvd["value"] == frechet_distance(*features)
    assert fvd["standard_error"] == frechet_jackknife(*features).standard_error > 0
    assert fvd["higher_is_better"] is False
    assert fvd["stamp"] == stamp("fvd", protocol(), FrechetDistance(), Colours())
    assert fvd["protocol"] == protocol().id(Colours(), FrechetDistance())
    assert "real" not in fvd
    assert result["metrics"]["kvd/colours"]["value"] == pytest.approx(polynomial_mmd(*features), rel=1e-9)
    assert result["metrics"]["kvd/colours"]["protocol"] != fvd["protocol"]
    assert result["real"].items() >= {"source": "here", "fingerprint": "abc", "clips": 40}.items()
    assert result["real"]["from_cache"] == {"colours": 0}
    assert result["protocol"]["extractors"] == {"colours": {"fingerprint": "c" * 64}}
    assert result["protocol"]["count"] == 40
    assert result["versions"]["torch"]
    assert result["warnings"] == []
    assert set(result["seconds"]) == {"real", "fake", "metrics"}
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_each_metric_meets_each_extractor_that_has_its_role():
    extractors = [Colours(), Brightness()]
    real, fake = Tensors(pixels(40, 1)), Tensors(pixels(40, 2))
    result = score(
        real, fake, extractors=extractors, metrics=[FrechetDistance(), Flicker()], protocol=protocol()
    )
    assert set(result["metrics"]) == {
        "fvd/colours",
        "fvd/brightness",
        "flicker/colours",
        "steadiness/colours",
    }
    assert [e.seen for e in extractors] == [80, 80]
    assert real.reads == list(range(40))
    flicker = result["metrics"]["flicker/colours"]
    assert flicker["real"] == pytest.approx(
        Colours()(real.pixels)["frames"].double().diff(dim=1).abs().mean().item()
    )
    assert flicker["higher_is_better"] is False
    assert result["metrics"]["steadiness/colours"]["higher_is_better"] is None
    assert result["warnings"] == ["colours: 40 clips flicker"]


def test_an_extractor_that_no_metric_reads_does_not_run():
    idle = Brightness()
    score(
        Tensors(pixels(9, 1)), Tensors(pixels(9, 2)), extractors=[Colours(), idle], metrics=[Flicker()],
        protocol=protocol(),
    )  # fmt: skip
    assert idle.seen == 0


def test_other_metrics_need_no_network_later(tmp_path):
    store, sides = FeatureStore(tmp_path), (Tensors(pixels(40, 1)), Tensors(pixels(40, 2)))
    arguments = {"protocol": protocol(), "store": store}
    score(*sides, extractors=[Colours()], metrics=[FrechetDistance()], **arguments)
    extractor = Colours()
    result = score(*sides, extractors=[extractor], metrics=[KernelDistance(), Flicker()], **arguments)
    assert extractor.seen == 0
    assert result["real"]["from_cache"] == result["fake"]["from_cache"] == {"colours": 40}
    fresh = score(*sides, extractors=[Colours()], metrics=[KernelDistance(), Flicker()], protocol=protocol())
    assert result["metrics"] == fresh["metrics"]


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_batch_does_not_matter(batch):
    real, fake = pixels(40, 1), pixels(40, 2)
    assert run(real, fake, batch)["metrics"] == run(real, fake, 16)["metrics"]


def test_a_side_against_itself():
    real = pixels(40, 1)
    result = run(real, real.clone())
    assert result["metrics"]["fvd/colours"]["value"] == pytest.approx(0, abs=1e-9)
    assert result["warnings"] == ["40 clips are on both sides, pixel for pixel"]
    assert result["real"]["content"] == result["fake"]["content"]


def test_repeats_average_sets_of_fakes():
    real, fake = pixels(40, 1), pixels(120, 2)
    entry = run(real, fake, repeats=3)["metrics"]["fvd/colours"]
    single = [run(real, part)["metrics"]["fvd/colours"]["value"] for part in fake.split(40)]
    assert entry["repeats"]["values"] == single
    assert entry["value"] == pytest.approx(sum(single) / 3)
    assert entry["repeats"]["std"] == pytest.approx(torch.tensor(single, dtype=torch.float64).std().item())
    assert "repeats=3" in entry["stamp"]


def test_the_stamp_tells_how_many_sets_of_fakes_there_were():
    two, one = (run(pixels(40, 1), pixels(n, 2), repeats=3)["metrics"]["fvd/colours"] for n in (90, 40))
    assert "repeats=2" in two["stamp"]
    assert len(two["repeats"]["values"]) == 2
    assert "repeats" not in one
    assert "repeats" not in one["stamp"]


def test_classes_reach_the_metrics_that_read_them():
    labels = torch.arange(10) % 2
    sides = Tensors(pixels(10, 1), labels=labels), Tensors(pixels(10, 2), labels=1 - labels)
    arguments = {"extractors": [Colours()], "metrics": [OfClasses()], "protocol": protocol()}
    assert score(*sides, **arguments)["metrics"]["of_classes/colours"]["value"] == 0
    assert score(sides[0], sides[0], **arguments)["metrics"]["of_classes/colours"]["value"] == 1
    with pytest.raises(ValueError, match="of_classes compares classes, and the fake clips have none"):
        score(sides[0], Tensors(pixels(10, 2)), **arguments)


def test_warnings_of_numbers():
    real, fake = pixels(40, 1), pixels(5, 2)
    fake[3] = fake[0]
    result = run(real, fake)
    assert "5 fake clips where the protocol asks for 40" in result["warnings"]
    assert "1 of 5 fake clips are exact copies of others" in result["warnings"]
    assert any("5 clips for 6 features" in warning for warning in result["warnings"])
    assert result["metrics"]["fvd/colours"]["bias_corrected"] is None
    assert ",40/5x4f," in result["metrics"]["fvd/colours"]["stamp"]
    wide = run(pixels(40, 1, size=(8, 12)), pixels(40, 2, size=(8, 12)))
    assert any("not square (12x8)" in warning for warning in wide["warnings"])


@pytest.mark.parametrize(
    ("real", "fake", "changed", "said"),
    [
        (
            {"skipped": [{"path": "a.mp4", "reason": "torn"}]},
            {},
            {},
            "1 real videos could not be used, .*a.mp4: torn",
        ),
        ({}, {"lossy": True}, {}, "fake videos are stored with losses"),
        ({"lossy": False}, {"lossy": True}, {}, "one side is stored with losses and the other is not"),
        ({"mixed_fps": True}, {}, {}, "real videos differ in their frame rates"),
        (
            {"fps": 25.0},
            {"fps": 8.0},
            {},
            r"0.04 s apart in real clips \(stride 1 at 25 fps\) and 0.125 s in fake",
        ),
        ({"videos": 9}, {"videos": 9}, {"stride": 3}, "strides differ: 3 in real videos, 1 in fake ones"),
        ({"videos": 9}, {}, {}, "40 real clips come from 9 videos"),
    ],
)
def test_warnings_of_facts(real, fake, changed, said):
    def warnings(real, fake, **changed):
        sides = Tensors(pixels(40, 1), **real), Tensors(pixels(40, 2), **fake)
        arguments = {
            "extractors": [Colours()],
            "metrics": [KernelDistance()],
            "protocol": protocol(**changed),
        }
        return " | ".join(score(*sides, **arguments)["warnings"])

    assert warnings({}, {}) == ""
    assert re.search(said, warnings(real, fake, **changed))


def test_equal_times_at_other_rates_are_no_difference():
    sides = Tensors(pixels(40, 1), fps=24.0, videos=40), Tensors(pixels(40, 2), fps=8.0, videos=40)
    result = score(*sides, extractors=[Colours()], metrics=[KernelDistance()], protocol=protocol(stride=3))
    assert result["warnings"] == []


@pytest.mark.parametrize(
    ("real", "fake", "said"),
    [
        (pixels(0, 1), pixels(9, 2), "there are no real clips"),
        (pixels(9, 1), pixels(1, 2), "^kvd/colours: 1 fake clips; "),
        (pixels(9, 1), pixels(9, 2, frames=5), "fake clips have 5 frames, the protocol says frames=4"),
        (pixels(9, 1, size=(6, 6)), pixels(9, 2), "real clips are 6x6, the protocol says size=8"),
        (pixels(9, 1), pixels(9, 2, size=(8, 9)), "real clips are 8x8 .*, fake clips 9x8"),
        (pixels(9, 1)[..., :1], pixels(9, 2), "1 channels"),
    ],
)
def test_errors(real, fake, said):
    with pytest.raises(ValueError, match=said) as error:
        score(
            Tensors(real),
            Tensors(fake),
            extractors=[Colours()],
            metrics=[KernelDistance()],
            protocol=protocol(),
        )
    assert "\n" not in str(error.value)


class Impossible(Flicker):
    """A metric that these clips do not give."""

    names = ("impossible",)

    def measure(self, real, fake):
        raise ValueError("not with these clips")


def test_a_metric_that_cannot_be_measured_does_not_cost_the_others():
    sides = Tensors(pixels(9, 1)), Tensors(pixels(9, 2))
    how = {"extractors": [Colours()], "protocol": protocol()}
    result = score(*sides, metrics=[Impossible(), KernelDistance()], **how)
    assert list(result["metrics"]) == ["kvd/colours"]
    assert result["failed"] == {"impossible/colours": "impossible/colours: not with these clips"}
    assert result["metrics"] == score(*sides, metrics=[KernelDistance()], **how)["metrics"]
    assert format_table(result).endswith("\nnot measured: impossible/colours: not with these clips")
    with pytest.raises(Unmeasured, match=r"^impossible/colours: not with these clips$") as error:
        score(*sides, metrics=[Impossible()], **how)
    assert error.value.failed == result["failed"]


@pytest.mark.parametrize(
    ("extractors", "metrics", "said"),
    [
        (
            [Brightness()],
            [Flicker()],
            "flicker reads 'frames' features, which no extractor makes .brightness has clip",
        ),
        ([Colours(), Colours()], [Flicker()], "two extractors of one name"),
        ([Colours()], [Flicker(), Flicker()], "two metrics of one name"),
        ([Colours()], [], "no metric to compute"),
    ],
)
def test_what_does_not_go_together_is_said_before_a_clip_is_read(extractors, metrics, said):
    real = Tensors(pixels(9, 1))
    with pytest.raises(ValueError, match=said):
        score(real, Tensors(pixels(9, 2)), extractors=extractors, metrics=metrics, protocol=protocol())
    assert real.reads == []


def test_sizes_that_are_known_to_differ_are_said_before_a_clip_is_read():
    real, fake = Tensors(pixels(9, 1), width=8, height=8), Tensors(pixels(9, 2), width=9, height=8)
    with pytest.raises(ValueError, match=r"real videos are 8x8, fake videos 9x8; .*clip.size"):
        score(real, fake, extractors=[Colours()], metrics=[Flicker()], protocol=protocol(size=None))
    assert real.reads == []


def test_real_features_can_be_kept():
    real, fake = pixels(40, 1), pixels(40, 2)
    given = {"extractors": [Colours()], "protocol": protocol()}
    kept = look(Tensors(real), [Colours()], protocol=protocol(), side="real")
    for _ in range(2):
        other = look(Tensors(fake), [Colours()], protocol=protocol(), side="fake")
        again = compare(kept, other, metrics=[FrechetDistance()], **given)
        assert again["metrics"]["fvd/colours"] == run(real, fake)["metrics"]["fvd/colours"]


def test_table():
    sides = Tensors(pixels(40, 1)), Tensors(pixels(30, 2))
    result = score(
        *sides,
        extractors=[Colours(), Brightness()],
        metrics=[FrechetDistance(), Flicker()],
        protocol=protocol(),
    )
    lines = format_table(result).splitlines()
    assert lines[0].split() == ["metric", "value", "real", "better", "stamp"]
    rows = {line.split()[0]: line for line in lines[1:5]}
    assert set(rows) == set(result["metrics"])
    for row in rows.values():
        assert row.index("[") > lines[0].index("stamp")
    assert " lower " in rows["fvd/colours"]
    assert format_value(result["metrics"]["flicker/colours"]["real"], None) in rows["flicker/colours"]
    assert rows["fvd/colours"].endswith(result["metrics"]["fvd/colours"]["stamp"])
    assert lines[5].startswith("40 real and 30 fake clips of 4 frames at 8x8 px")
    assert "warning: 30 fake clips where the protocol asks for 40" in lines


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (12.3456, 0.4321, "12.35 +- 0.43"),
        (1234.5, 56.7, "1234 +- 57"),
        (0.00123, 0.00045, "0.00123 +- 0.00045"),
        (1.5e-6, 2e-7, "1.50e-06 +- 2.0e-07"),
        (12.3456, None, "12.35"),
        (0.0, 0.0, "0"),
        (1 + 7e-15, 4e-15, "1"),
    ],
)
def test_digits(value, error, text):
    assert format_value(value, error) == text
