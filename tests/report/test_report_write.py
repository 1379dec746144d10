import base64
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from vgen.report import write_report
from vgen.report.compare import make_rows
from vgen.report.runs import read_runs
from vgen.report.videos import choose_walls

VOID = {"meta", "br", "wbr", "img", "link", "input"}


class Checker(HTMLParser):
    """Collects what is wrong with the nesting, every reference and all text."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.references, self.tags, self.text = [], [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [
            value for key, value in attrs if key in ("src", "href", "srcset", "data", "poster")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text += data


def check(html):
    checker = Checker()
    checker.feed(html)
    checker.close()
    return checker


NASTY = "<script>alert(1)</script> & 50%_\"'"


@pytest.fixture
def nasty(make_run, tmp_path):
    for n, method in enumerate((NASTY, "b")):
        make_run(
            f"x<b>&_{n}%",
            config={"seed": 0, "method": method, "note": NASTY},
            csv=f'kclips,loss/d,"loss/{NASTY.replace(chr(34), "")}",fvd/x\n1,1,2,3\n2,2,3,4\n',
            metrics={"fvd/x": 1.0 + n, "kvd/<i>": 2.0},
            stamp="<u>&",
            entries={"kvd/<i>": {"real": 3.0}},
            warnings=[NASTY],
            provenance={"command": NASTY, "failed": NASTY},
            video=True,
        )
    make_run("broken<b>", config={"seed": 0}, csv="")
    return write_report(tmp_path / "runs", tmp_path / "out", title=NASTY)


def test_page_is_well_formed_escaped_and_needs_nothing_else(nasty):
    html = nasty.html.read_text()
    page = check(html)
    assert page.wrong == []
    assert page.open == []
    assert page.tags.count("script") == 1  # the one of the play button
    assert not {"b", "i", "u", "link", "img"} & set(page.tags)
    for text in (NASTY, "real data", "x<b>&_1%", "broken<b>", "kvd/<i>", "<u>&", "metrics.csv is empty"):
        assert text in page.text
    assert page.tags.count("video") == 2
    assert all(ref.startswith(("data:video/mp4;base64,", "#")) for ref in page.references)
    assert "http://" not in html
    assert "https://" not in html
    assert not re.search(r"url\((?!#)|@import", html)


def test_videos_are_embedded_whole(nasty, tmp_path):
    data = re.findall(r"base64,([^\"]+)", nasty.html.read_text())
    file = next((tmp_path / "runs").rglob("samples/*.mp4"))
    assert base64.b64decode(data[0]) == file.read_bytes()


def test_all_files_are_written_and_agree(nasty):
    assert {path.name for path in (nasty.html, nasty.markdown, nasty.csv, nasty.latex)} == {
        "report.html",
        "table.md",
        "table.csv",
        "table.tex",
    }
    assert "broken&lt;b&gt;: metrics.csv is empty: the run ended before its first log" in (
        nasty.markdown.read_text()
    )
    assert nasty.csv.read_text().startswith("row,metric,protocol,")
    assert all(
        line.startswith("%") for line in nasty.latex.read_text().split("\\begin{tabular}")[0].splitlines()
    )


def test_small_budget_embeds_one_video_of_every_row_first(make_run, tmp_path):
    for method in "ab":
        for seed in (0, 1):
            make_run(f"{method}/{seed}", config={"seed": seed, "method": method}, video=True)
    make_run("c/0", config={"seed": 0, "method": "c"})
    empty = tmp_path / "runs" / "c" / "0" / "samples" / "000001.000.mp4"
    empty.parent.mkdir()
    empty.touch()
    rows, _ = make_rows(read_runs([tmp_path / "runs"])[0])
    cost = max(len(video.data) for wall in choose_walls(rows) for video in wall.videos)
    walls = choose_walls(rows, budget=2 * cost)
    assert [(wall.title, [(video.row, bool(video.data)) for video in wall.videos]) for wall in walls] == [
        ("seed 0", [(0, True), (1, True), (2, False)]),
        ("seed 1", [(0, False), (1, False)]),
    ]
    assert "not embedded" in walls[1].videos[0].reason
    assert walls[0].videos[2].reason == "000001.000.mp4 is empty"
    assert walls[0].videos[0].caption == "0.2 kclips"


def test_latest_sample_is_the_one_shown(make_run, tmp_path):
    path = make_run("a", config={"seed": 0}, video=True)
    (path / "samples" / "000010.000.mp4").write_bytes(b"later")
    rows, _ = make_rows(read_runs([path])[0])
    assert base64.b64decode(choose_walls(rows)[0].videos[0].data) == b"later"


def test_only_broken_runs_still_make_a_report(make_run, tmp_path):
    make_run("a", config={"seed": 0}, csv="")
    paths = write_report([tmp_path / "runs"], tmp_path / "out")
    page = check(paths.html.read_text())
    assert page.wrong == []
    assert "metrics.csv is empty: the run ended before its first log" in page.text


def test_unequal_runs_are_cautioned(make_run, tmp_path):
    for seed, end in enumerate((2, 3)):
        git = {"commit": str(seed) * 40, "diff": "x" * seed}
        make_run(str(seed), config={"seed": seed}, csv=f"kclips,loss/d\n{end},1\n", provenance={"git": git})
    text = write_report(tmp_path / "runs", tmp_path / "out").markdown.read_text()
    assert "trained for different lengths" in text
    assert "0000000000 (1 run), 1111111111+changes (1 run)" in text
    assert "2\N{EN DASH}3" in text


def test_csv_latex_markdown_and_page_say_the_same(make_run, tmp_path):
    values = {"a": (1.25, 2.5, 4.0), "b": (3.0, 3.5, 3.25), "c": (9.0,)}
    for method, those in values.items():
        for seed, value in enumerate(those):
            make_run(f"{method}/{seed}", config={"seed": seed, "method": method}, metrics={"fvd/x": value})
    paths = write_report(tmp_path / "runs", tmp_path / "out", baseline="method=a")
    table = pd.read_csv(paths.csv).set_index("row")
    html, markdown, latex = (path.read_text() for path in (paths.html, paths.markdown, paths.latex))
    intervals = (tmp_path / "out" / "intervals.tex").read_text()
    for method in "ab":
        line = table.loc[f"method={method}"]
        mean, std, low, high = (f"{line[key]:.2f}" for key in ("mean", "std", "low", "high"))
        assert f">{mean} ± {std}<small>[{low}, {high}]<".replace("-", "\N{MINUS SIGN}") in html
        assert f"{mean} ± {std}" in markdown
        assert rf"{mean} $\pm$ {std}" in latex
        assert f"{mean} {{[}}{low}, {high}{{]}}".replace("-", "$-$") in intervals
    assert np.isnan(table.loc["method=c", "std"])
    for text in (markdown, latex, check(html).text):
        assert "Rows with n = 1 have a single seed: no spread, no confidence interval and no test." in text
    differences = pd.read_csv(tmp_path / "out" / "differences.csv").set_index("row")
    assert differences.loc["method=c", "n"] == 1
    assert "no test (1)" in html
    assert f"{differences.loc['method=b', 'p_holm']:.3f} t (3)" in html


def test_one_seed_of_one_method_is_said_to_allow_no_test(make_run, tmp_path):
    make_run("a", config={"seed": 0}, metrics={"fvd/x": 1.0})
    paths = write_report(tmp_path / "runs", tmp_path / "out", baseline="runs")
    text = paths.markdown.read_text()
    assert "Every row has a single seed" in text
    assert "No test against the baseline “runs” is possible" in text
    assert not (tmp_path / "out" / "intervals.tex").exists()


def test_what_short_names_leave_out_is_cautioned(make_run, tmp_path):
    for n in range(3):
        make_run(str(n), config={"seed": 0} | dict.fromkeys("pqrst", n))
    text = write_report(tmp_path / "runs", tmp_path / "out").markdown.read_text()
    assert "| p=0 |" in text
    assert "The methods differ in more than their names say: q, r, s, t." in text
