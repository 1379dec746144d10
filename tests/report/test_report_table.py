import io
import math
from dataclasses import replace

import pandas as pd
import pytest

from vgen.report.compare import make_rows
from vgen.report.markup import escape_latex, escape_markdown, latex_table, markdown_table
from vgen.report.runs import read_runs
from vgen.report.table import (
    NOTHING,
    Cell,
    Heading,
    Sheet,
    decimals,
    interval_sheet,
    make_sheet,
    score_table,
)

SPEED = "kclips,speed/clips_per_s\n1,100\n2,300\n3,200\n"


@pytest.fixture
def table(tmp_path):
    def make():
        rows, _ = make_rows(read_runs([tmp_path / "runs"])[0])
        scores = score_table(rows)
        return scores, make_sheet(rows, scores)

    return make


def add(make_run, method, values, **facts):
    for seed, value in enumerate(values):
        make_run(
            f"{method}/{seed}", config={"seed": seed, "method": method}, metrics={"fvd/x": value}, **facts
        )


def test_statistics_over_seeds(make_run, table):
    add(make_run, "a", [1.0, 2.0, 6.0], csv=SPEED)
    add(make_run, "b", [5.0], csv=SPEED)
    scores, sheet = table()
    a, b = scores.to_dict("records")
    assert (a["n"], a["mean"], a["best"], a["seeds"], a["values"]) == (3, 3.0, True, "0;1;2", "1.0;2.0;6.0")
    assert a["std"] == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert math.isnan(a["standard_error"])
    assert (b["n"], b["mean"], b["standard_error"], b["best"]) == (1, 5.0, 0.5, False)
    assert math.isnan(b["std"])
    assert (a["kclips"], a["clips_per_s"]) == (3, 200)
    assert [heading.name for heading in sheet.headings] == ["n", "fvd/x", "kclips", "clips/s"]
    assert sheet.headings[1].arrow == "↓"
    assert [[cell.text for cell in line] for line in sheet.cells] == [
        ["3", "3.0 ± 2.6", "3", "200"],
        ["1", "5.0 (se 0.5)", "3", "200"],
    ]


def test_intervals_are_students_and_need_two_seeds(make_run, table):
    add(make_run, "a", [1.0, 2.0, 6.0])
    add(make_run, "b", [5.0])
    scores, sheet = table()
    a, b = scores.to_dict("records")
    half = 4.302652729911275 * math.sqrt(7 / 3)  # t of 97.5 % with two degrees of freedom
    assert (a["low"], a["high"]) == (pytest.approx(3 - half), pytest.approx(3 + half))
    assert math.isnan(b["low"])
    assert math.isnan(b["high"])
    assert [line[1].interval for line in sheet.cells] == ["[\N{MINUS SIGN}3.6, 9.6]", ""]
    assert "3.0 ± 2.6**<br>\\[\N{MINUS SIGN}3.6, 9.6\\]" in markdown_table(sheet)
    intervals = interval_sheet(sheet)
    assert intervals is not None
    assert [line[1].text for line in intervals.cells] == ["3.0 [\N{MINUS SIGN}3.6, 9.6]", "5.0 (se 0.5)"]
    assert "±" not in latex_table(intervals)


def test_what_stands_beside_a_mean_stays_beside_its_interval():
    sheet = Sheet([Heading("x")], ["a", "b"], [[Cell("3.0 ± 2.6 [n=2]†", True, "[1, 5]")], [Cell("4")]])
    assert interval_sheet(sheet) == Sheet(
        [Heading("x")], ["a", "b"], [[Cell("3.0 [1, 5] [n=2]†", True)], [Cell("4")]]
    )
    assert interval_sheet(Sheet([Heading("x")], ["b"], [[Cell("4")]])) is None


def test_ties_are_all_best_and_direction_counts(make_run, table):
    for method, value in (("a", 0.5), ("b", 0.9), ("c", 0.9)):
        add(make_run, method, [value], higher_is_better=True)
    assert table()[0]["best"].tolist() == [False, True, True]


def test_one_row_is_best_of_nothing(make_run, table):
    add(make_run, "a", [1.0, 2.0])
    assert table()[0]["best"].tolist() == [False]


@pytest.mark.parametrize(
    ("other", "label"),
    [
        ({"protocol": {"id": "ffffffffffff"}}, "protocol ffffffffffff"),
        ({"real": "beef"}, "real data beef"),
        ({"stamp": "fvd[other]"}, "fvd[other]"),
        ({"entries": {"fvd/x": {"protocol": "eeeeeeeeeeee"}}}, "protocol eeeeeeeeeeee"),
        ({"standard_error": 1.0}, None),
    ],
)
def test_numbers_under_different_protocols_never_share_a_column(make_run, table, other, label):
    add(make_run, "a", [1.0])
    add(make_run, "b", [2.0])
    add(make_run, "c", [0.1], **other)
    scores, sheet = table()
    columns = [heading for heading in sheet.headings if heading.name == "fvd/x"]
    best = scores.set_index("row")["best"].to_dict()
    if label is None:
        assert len(columns) == 1
        assert best == {"method=a": False, "method=b": False, "method=c": True}
    else:
        assert len(columns) == 2
        assert label in columns[1].stamp
        assert columns[0].stamp != columns[1].stamp
        assert best == {"method=a": True, "method=b": False, "method=c": False}
        assert [line[2].text for line in sheet.cells[:2]] == [NOTHING, NOTHING]


def test_the_real_clips_have_a_row_where_a_metric_knows_them(make_run, table):
    for method, offset in (("a", 0.0), ("b", 1e-9)):
        real = {"temporal_flickering/x": {"real": 0.75 + offset, "standard_error": 0.01}}
        make_run(
            f"{method}/0",
            config={"seed": 0, "method": method},
            metrics={"fvd/x": 2.0, "temporal_flickering/x": 0.5},
            entries=real,
        )
    scores, sheet = table()
    assert [heading.name for heading in sheet.headings] == ["n", "fvd/x", "temporal_flickering/x", "kclips"]
    assert [cell.text for cell in sheet.real] == [NOTHING, NOTHING, "0.750", NOTHING]
    assert scores["real_value"].dropna().tolist() == [0.75, 0.75 + 1e-9]
    assert not any(cell.best for cell in sheet.real)
    assert (
        markdown_table(sheet).splitlines()[-1]
        == f"| *real data* | {NOTHING} | {NOTHING} | 0.750 | {NOTHING} |"
    )
    lines = latex_table(sheet).splitlines()
    assert lines[lines.index(r"\bottomrule") - 2 :][:2] == [
        r"\midrule",
        r"real data & -- & -- & 0.750 & -- \\",
    ]


def test_without_real_values_there_is_no_row_of_them(make_run, table):
    add(make_run, "a", [1.0])
    assert table()[1].real == []


def test_training_numbers_stand_apart_and_last(make_run, table):
    csv = "kclips,fvd/x\n1,0.001\n"
    add(make_run, "a", [1.0, 3.0], csv=csv)
    make_run("b/0", config={"seed": 0, "method": "b"}, csv=csv)
    sheet = table()[1]
    assert [heading.stamp for heading in sheet.headings][2] == "during training"
    assert [[cell.text for cell in line[:3]] for line in sheet.cells] == [
        ["2", "2.0 ± 1.4", "0.001000 ± 0.000000"],
        ["1", NOTHING, "0.001000"],
    ]


def test_training_numbers_of_other_settings_stand_apart(make_run, table):
    for n, count in enumerate((64, 64, 256)):
        online = {
            "_target_": "vgen.callback.metrics.OnlineMetrics",
            "protocol": {"count": count, "seed": n},
            "every": n,
        }
        make_run(str(n), config={"seed": n, "callback": {"metrics": online}}, csv="kclips,fvd/x\n1,5\n")
    scores, sheet = table()
    assert len({heading.stamp for heading in sheet.headings if heading.name == "fvd/x"}) == 2
    assert scores["n"].tolist() == [2, 1]


def test_a_mean_over_fewer_seeds_says_so(make_run, table):
    add(make_run, "a", [1.0, 2.0])
    make_run("a/2", config={"seed": 2, "method": "a"})
    assert table()[1].cells[0][1].text == "1.50 ± 0.71 [n=2]"


def test_csv_is_read_back_as_it_was(make_run, table):
    add(make_run, 'a,"<&', [0.1, 0.2])
    scores, _ = table()
    back = pd.read_csv(io.StringIO(scores.to_csv(index=False)))
    assert back["row"].tolist() == scores["row"].tolist()
    assert [float(value) for value in back["values"][0].split(";")] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("values", "spreads", "digits"),
    [
        ([100], [12.0], 0),
        ([100], [1.2], 1),
        ([0.1], [0.0012], 4),
        ([123.4], [], 1),
        ([0.01234], [0.0], 5),
        ([0], [], 1),
    ],
)
def test_decimals(values, spreads, digits):
    assert decimals(values, spreads) == digits


NASTY = "a_b & 50% <x> $y$ #1 {z} \\c ~ ^ [q] | `m` *"
SHEET = Sheet(
    [Heading("n"), Heading("fvd_x", "↓", "s[1]"), Heading("kvd", "↑", "s|2")],
    [NASTY, "b"],
    [[Cell("1"), Cell("1.0 ± 0.5", True), Cell("\N{MINUS SIGN}2")], [Cell("2"), Cell(NOTHING), Cell("3")]],
)


def test_latex_is_escaped_and_balanced():
    assert escape_latex("a_b & 50% $ #{}") == r"a\_b \& 50\% \$ \#\{\}"
    assert escape_latex("\\") == r"$\backslash$"
    assert escape_latex("Fréchet λ") == r"Fréchet \texttt{U+03BB}"
    text = latex_table(SHEET, ["50% of\nall"])
    lines = text.splitlines()
    assert lines[0] == "% 50% of all"
    assert r"\begin{tabular}{lrrr}" in lines
    assert r" & n & fvd\_x $\downarrow$$^{a}$ & kvd $\uparrow$$^{b}$ \\" in lines
    assert r"b & 2 & -- & 3 \\" in lines
    assert r"\textbf{1.0 $\pm$ 0.5}" in text
    assert r"\multicolumn{4}{l}{\footnotesize $^{b}$ s$|$2} \\" in lines
    bare = text.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    assert bare.replace(r"\$", "").count("$") % 2 == 0
    # A row that begins with [ would be read as the argument of the \\ before it.
    assert not any(line.startswith("[") for line in latex_table(Sheet([], ["[a]"], [[]])).splitlines())


def test_markdown_is_escaped():
    assert escape_markdown("a_b|<x>\n*") == r"a\_b\|&lt;x&gt; \*"
    lines = markdown_table(SHEET).splitlines()
    assert len(lines) == 4
    assert lines[0] == r"|  | n | fvd\_x ↓<br>s\[1\] | kvd ↑<br>s\|2 |"
    assert all(line.replace(r"\|", "").count("|") == 5 for line in lines)
    assert "**1.0 ± 0.5**" in lines[2]


def test_latex_gives_each_crossed_factor_a_column(make_run, table):
    for loss in ("hinge", "wgan"):
        for weight in (1, 10):
            config = {"seed": 0, "loss": loss, "weight": weight}
            make_run(f"{loss}/{weight}", config=config, csv=SPEED, metrics={"fvd/x": 1.0})
    sheet = table()[1]
    assert sheet.names[0] == "loss=hinge, weight=1"
    lines = latex_table(replace(sheet, corner="minus x")).splitlines()
    assert lines[0] == r"\begin{tabular}{llrrrr}"
    assert [line.split(" &")[:3] for line in (lines[2], lines[4])] == [
        ["loss", " weight", " n"],
        ["hinge", " 1", " 1"],
    ]
    assert lines[-2] == r"\multicolumn{6}{l}{\footnotesize minus x} \\"


def test_a_method_that_always_failed_keeps_its_row(make_run, table):
    add(make_run, "a", [1.0, 2.0])
    for seed in range(2):
        make_run(f"b/{seed}", config={"seed": seed, "method": "b"}, csv=None)
    sheet = table()[1]
    assert sheet.names == ["method=a", "method=b"]
    assert [heading.name for heading in sheet.headings][:2] == ["n", "fvd/x"]
    assert [cell.text for cell in sheet.cells[1][:2]] == ["2", NOTHING]
    assert not any(heading.stamp.startswith("during") for heading in sheet.headings)
