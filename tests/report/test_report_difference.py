import math

import pytest

from vgen.report import write_report
from vgen.report.compare import make_rows
from vgen.report.difference import difference_notes, difference_sheet, difference_table, find_baseline
from vgen.report.runs import read_runs
from vgen.report.table import NOTHING


@pytest.fixture
def rows(tmp_path):
    return lambda: make_rows(read_runs([tmp_path / "runs"])[0])[0]


def add(make_run, method, values, **facts):
    """`values`: seed -> value."""
    for seed, value in values.items():
        config = {"seed": seed, "method": method, "loss": {"weight": len(method)}}
        make_run(f"{method}/{seed}", config=config, metrics={"fvd/x": value}, **facts)


def compare(rows, baseline):
    base = find_baseline(rows, baseline)
    table = difference_table(rows, base)
    return table, difference_sheet(rows, base, table), difference_notes(base, table)


def test_only_common_seeds_are_paired(make_run, rows):
    add(make_run, "base", {0: 10.0, 1: 20.0, 2: 30.0, 7: 1e6})
    add(make_run, "other", {2: 33.0, 1: 22.0, 0: 11.0, 8: -1e6})
    table, sheet, notes = compare(rows(), "base")
    (line,) = table.to_dict("records")
    assert (line["row"], line["n"], line["seeds"], line["difference"]) == (
        "method=other, loss.weight=5",
        3,
        "0;1;2",
        2,
    )
    assert line["p"] == line["p_t"] == line["p_holm"] == pytest.approx(1 - math.sqrt(12 / 14))
    assert (line["test"], line["marked"]) == ("paired t", False)
    assert [cell.text for cell in sheet.cells[0]] == ["+2.00 [\N{MINUS SIGN}0.48, +4.48]", "0.074 t (3)"]
    assert any("paired t test" in note for note in notes)


def test_fewer_than_two_common_seeds_make_no_test(make_run, rows):
    add(make_run, "base", {0: 10.0, 1: 20.0})
    add(make_run, "one", {1: 22.0, 5: 9.0})
    add(make_run, "none", {8: 5.0})
    table, sheet, notes = compare(rows(), "base")
    texts = {
        name: [cell.text for cell in cells] for name, cells in zip(sheet.names, sheet.cells, strict=True)
    }
    assert [line[1] for line in texts.values()] == ["no test (0)", "no test (1)"]
    assert table["marked"].tolist() == [False, False]
    assert table["difference"].tolist() == [-10.0, 2.0]  # of the means where no seed is common
    assert any("fewer than 2 common seeds" in note for note in notes)


def test_the_exact_test_is_taken_where_seeds_are_enough(make_run, rows):
    add(make_run, "base", dict.fromkeys(range(6), 0.0))
    add(make_run, "other", {seed: 1.0 + seed for seed in range(6)})
    table, sheet, notes = compare(rows(), "base")
    (line,) = table.to_dict("records")
    assert (line["test"], line["p"], line["marked"]) == ("sign-flip", 2 / 64, True)
    assert sheet.cells[0][0].text.endswith("]†")
    assert sheet.cells[0][1].text == "0.031 exact (6)"
    assert any("sign-flip permutation test" in note for note in notes)


def test_p_is_corrected_over_the_rows(make_run, rows):
    add(make_run, "base", {0: 0.0, 1: 0.0, 2: 0.0})
    add(make_run, "near", {0: 1.0, 1: 1.2, 2: 1.4})
    add(make_run, "noise", {0: -1.0, 1: 1.0, 2: 0.5})
    table = compare(rows(), "base")[0].set_index("row")
    near, noise = table.iloc[0], table.iloc[1]
    assert near["p_holm"] == pytest.approx(2 * near["p_t"])
    assert noise["p_holm"] == noise["p_t"]


def test_other_protocols_are_never_subtracted(make_run, rows):
    add(make_run, "base", {0: 1.0, 1: 2.0})
    add(make_run, "other", {0: 1.0, 1: 2.5}, protocol={"id": "ffffffffffff"})
    table, sheet, notes = compare(rows(), "base")
    assert table.empty
    assert sheet.headings == []
    assert notes == ["No row shares a measure with the baseline “method=base, loss.weight=4”."]


def test_a_baseline_is_found_by_enough_of_its_name(make_run, rows):
    for method in ("a", "ab", "abc"):
        add(make_run, method, {0: 1.0})
    add(make_run, "zzz", {0: 1.0})
    found = rows()
    assert find_baseline(found, "method=a, loss.weight=1").name == "method=a, loss.weight=1"
    assert find_baseline(found, "method=a").name == "method=a, loss.weight=1"  # a setting, not part of abc's
    assert find_baseline(found, "loss.weight=3,method=abc").name == "method=abc, loss.weight=3"
    assert find_baseline(found, "Z").name == "method=zzz, loss.weight=3"
    assert find_baseline(found, "weight=3, abc").name == "method=abc, loss.weight=3"
    with pytest.raises(
        ValueError, match=r'^baseline="b" could be "method=ab.*"method=abc.*the rows are "method=a,'
    ):
        find_baseline(found, "b")
    for missing in ("nothing", "", " "):
        with pytest.raises(ValueError, match=r'is no row; the rows are "method=a, .*"method=zzz') as error:
            find_baseline(found, missing)
        assert "\n" not in str(error.value)


def test_a_report_with_a_baseline_marks_its_table(make_run, tmp_path):
    add(make_run, "base", {0: 0.0, 1: 0.1, 2: 0.05})
    add(make_run, "other", {0: 9.0, 1: 9.1, 2: 9.07})
    paths = write_report(tmp_path / "runs", tmp_path / "out", baseline="base")
    names = [path.name for path in paths.all()]
    assert {"differences.csv", "differences.tex"} <= set(names)
    assert all(path.exists() for path in paths.all())
    text = paths.markdown.read_text()
    assert "± 0.051†<br>" in text
    assert "## Against the baseline" in text
    assert "† differs from the baseline “method=base" in text
    assert r"$^{\dagger}$" in paths.latex.read_text()
    assert "Against the baseline" in paths.html.read_text()
    # Without a baseline nothing of it stays behind.
    again = write_report(tmp_path / "runs", tmp_path / "out")
    assert "†" not in again.markdown.read_text()
    assert not (tmp_path / "out" / "differences.csv").exists()


def test_a_measure_that_the_baseline_lacks_has_no_cell(make_run, rows):
    add(make_run, "base", {0: 1.0, 1: 2.0})
    add(make_run, "other", {0: 1.0, 1: 2.5})
    for seed in (0, 1):
        make_run(f"third/{seed}", config={"seed": seed, "method": "third"}, metrics={"kvd/x": 1.0})
    sheet = compare(rows(), "base")[1]
    assert [heading.name for heading in sheet.headings] == ["Δ fvd/x", "p"]
    assert [cell.text for cell in sheet.cells[1]] == [NOTHING, NOTHING]
