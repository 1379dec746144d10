import json

import pandas as pd
import pytest
import torch
from torch import Tensor

from vgen.data.shapes import Shapes
from vgen.metric.frechet import FrechetDistance
from vgen.metric.kernel import KernelDistance
from vgen.protocol.audit import audit
from vgen.protocol.halves import real_halves
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore
from vgen.report.audit import format_audit, write_audit
from vgen.report.audit_table import audit_sheet
from vgen.report.table import NOTHING

PROTOCOL = Standard(name="tiny", frames=8, size=16, count=64)
DAMAGE = {"noise": [10, 60], "shuffle": [0.5, 1]}


class Pictures:
    """Sees the mean and the roughness of frames, in any order."""

    name = "pictures"
    roles = ("clip",)
    min_frames = 2
    fingerprint = "a" * 64

    def __init__(self) -> None:
        self.clips = 0

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        self.clips += len(pixels)
        video = pixels.float() / 255
        rough = video.diff(dim=2).abs()
        return {"clip": torch.stack([video.mean(dim=(1, 2, 3, 4)), rough.mean(dim=(1, 2, 3, 4))], dim=1)}


class Steps(Pictures):
    """Sees differences between frames alone."""

    name = "steps"
    fingerprint = "b" * 64

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        steps = pixels.float().diff(dim=1).abs().mean(dim=(2, 3, 4)) / 255
        return {"clip": torch.stack([steps.mean(dim=1), steps.std(dim=1)], dim=1)}


class Fussy(FrechetDistance):
    """A metric that has no value for some clips."""

    def measure(self, real: Tensor, fake: Tensor):
        if fake[:, 1].mean() > 6 * real[:, 1].mean():
            raise ValueError("too rough to say")
        return super().measure(real, fake)


def halves(videos: int = 140, **changes):
    return real_halves(Shapes(size=16, frames=10, videos=videos, **changes), PROTOCOL)


def run(store=None, extractors=None, metrics=None, corruptions=DAMAGE):
    reference, clean = halves()
    return audit(
        reference,
        clean,
        extractors=extractors or [Pictures(), Steps()],
        metrics=metrics or [FrechetDistance(), KernelDistance()],
        protocol=PROTOCOL,
        corruptions=corruptions,
        store=store,
    )


@pytest.fixture(scope="module")
def result():
    return run()


def entry(result, metric, corruption):
    return next(e for e in result["answers"] if (e["metric"], e["corruption"]) == (metric, corruption))


def test_halves_share_no_video_and_have_the_same_classes():
    first, second = halves(videos=41)
    videos = [
        {clips.source.chosen[clips.locate(k)[0]] for k in range(len(clips))} for clips in (first, second)
    ]
    assert not videos[0] & videos[1]
    assert len(first) == len(second) == 64
    assert first.identity != second.identity
    counts = [
        torch.bincount(torch.tensor([c.source.label(i) for i in range(len(c.source))]))
        for c in (first, second)
    ]
    assert (counts[0] - counts[1]).abs().max() <= 1


def test_warnings_name_the_halves():
    reference, clean = halves(videos=100)
    result = audit(
        reference,
        clean,
        extractors=[Pictures()],
        metrics=[FrechetDistance()],
        protocol=PROTOCOL,
        corruptions={"noise": [60]},
    )
    said = " ".join(result["warnings"])
    assert "64 reference clips come from 50 videos" in said
    assert "64 clean clips come from 50 videos" in said
    assert "fake" not in said


def test_too_few_videos_are_refused_in_one_line():
    with pytest.raises(ValueError, match=r"shapes has 3 videos of 8 frames or more; an audit needs 4"):
        halves(videos=3)


def test_every_number_answers_every_corruption(result):
    assert len(result["answers"]) == 4 * 2
    for answer in result["answers"]:
        assert answer["levels"] == [0.0, *DAMAGE[answer["corruption"]]]
        assert len(answer["values"]) == len(answer["standard_errors"]) == len(answer["response"]) == 3
        assert answer["stamp"].startswith(answer["metric"].split("/")[0] + "[")
        assert len(answer["protocol"]) == 12


def test_what_an_extractor_cannot_see_is_not_noticed(result):
    for metric in ("fvd", "kvd"):
        assert entry(result, f"{metric}/pictures", "shuffle")["verdict"]["judgement"] == "blind"
        assert entry(result, f"{metric}/pictures", "noise")["verdict"]["noticed"][-1] == 60
        assert entry(result, f"{metric}/steps", "shuffle")["verdict"]["judgement"] == "graded"
    share = {name: balance["motion_share"] for name, balance in result["balance"].items()}
    assert share["fvd/pictures"] < 0.01
    assert share["fvd/steps"] > 0.1


def test_each_clip_passes_each_extractor_once_and_kept_features_are_not_made_again(tmp_path):
    seen = Pictures()
    first = run(FeatureStore(tmp_path), extractors=[seen])
    assert seen.clips == 64 * (2 + 4)
    again = Pictures()
    second = run(FeatureStore(tmp_path), extractors=[again])
    assert again.clips == 0
    assert first["answers"] == second["answers"]
    run(FeatureStore(tmp_path), extractors=[again], corruptions={"noise": [10, 30, 60]})
    assert again.clips == 64


def test_a_level_without_value_is_left_out_and_said():
    result = run(extractors=[Pictures()], metrics=[Fussy()])
    assert entry(result, "fvd/pictures", "noise")["levels"] == [0.0, 10.0]
    assert any("no value for noise 60: fvd/pictures: too rough to say" in w for w in result["warnings"])


def test_a_number_without_any_value_for_a_corruption_has_no_answer():
    result = run(extractors=[Pictures()], metrics=[Fussy()], corruptions={"noise": [60], "shuffle": [1]})
    assert [e["corruption"] for e in result["answers"]] == ["shuffle"]
    assert audit_sheet(result).cells[0][0].text == NOTHING
    assert result["balance"]["fvd/pictures"]["motion_share"] is None


@pytest.mark.parametrize(
    ("corruptions", "message"),
    [
        ({}, "no corruption"),
        ({"noise": []}, r"levels\.noise=\[\]"),
        ({"noise": [0, 1]}, r"levels\.noise=\[0, 1\]: expected rising levels above 0"),
        ({"noise": [2, 1]}, r"levels\.noise"),
        ({"rain": [1]}, "no corruption 'rain'"),
        ({"shuffle": [2]}, r"levels\.shuffle=\[2\]: .* up to 1 \(share"),
    ],
)
def test_impossible_corruptions_are_refused(corruptions, message):
    with pytest.raises(ValueError, match=message) as raised:
        run(corruptions=corruptions)
    assert "\n" not in str(raised.value)


def test_the_folder_holds_everything(result, tmp_path):
    paths = write_audit(result, tmp_path / "audit")
    assert json.loads(paths.json.read_text())["answers"] == result["answers"]
    table = pd.read_csv(paths.csv)
    assert len(table) == 8 * 3
    assert table.loc[table["level"] == 0, "response"].tolist() == [0.0] * 8
    assert paths.png.read_bytes()[:4] == b"\x89PNG"
    assert paths.pdf.read_bytes()[:4] == b"%PDF"
    assert paths.markdown.read_text().count("\n| fvd/") == 2
    for e in result["answers"]:
        assert e["stamp"] in paths.latex.read_text()


def test_the_table_says_strength_and_levels(result):
    text = format_audit(result)
    line = next(line for line in text.splitlines() if line.startswith("fvd/pictures"))
    noise = entry(result, "fvd/pictures", "noise")
    assert noise["verdict"]["ratio"] is None
    assert f"{noise['verdict']['sigmas']:.0f}se" in line
    assert f"{len(noise['verdict']['noticed'])}/2" in line
    assert "blind" in line
    assert "Clean clips: 64, reference: 64, of different videos; 8 frames of 16x16, protocol tiny" in text
