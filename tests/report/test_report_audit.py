from dataclasses import asdict

import pytest

from vgen.protocol.verdict import Answer, judge
from vgen.report.audit_figure import draw_audit
from vgen.report.audit_table import audit_frame, audit_sheet, plain_table
from vgen.report.table import NOTHING

KINDS = {
    "noise": {"family": "spatial", "unit": "grey levels", "levels": [5, 10]},
    "freeze": {"family": "temporal", "unit": "share", "levels": [0.5, 1]},
}


def entry(metric, kind, values, *, better=False, error=0.1):
    answer = Answer((0.0, *KINDS[kind]["levels"]), values, (error,) * 3, better)
    verdict = judge(answer)
    return {
        "metric": metric, "corruption": kind, "family": KINDS[kind]["family"], "levels": list(answer.levels),
        "values": list(values), "standard_errors": list(answer.errors), "higher_is_better": better,
        "stamp": f"{metric}[x]", "protocol": "abc", "unit": answer.unit, "response": list(answer.response),
        "verdict": asdict(verdict) | {"noticed": list(verdict.noticed)},
    }  # fmt: skip


def result(*answers):
    names = {answer["metric"] for answer in answers}
    balance = {name: {"spatial": 1.0, "temporal": 1.0, "motion_share": 0.5} for name in names}
    return {"answers": list(answers), "corruptions": KINDS, "balance": balance}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (entry("fvd/x", "noise", (1.0, 2.0, 30.0)), "30x 2/2"),
        (entry("fvd/x", "noise", (1.0, 1.1, 1.5)), "1.50x 1/2"),
        (entry("fvd/x", "noise", (1.0, 4.0, 2.0)), "2.00x~ 2/2"),
        (entry("fvd/x", "noise", (1.0, 0.8, 0.5)), "0.50x! 0/2"),
        (entry("fvd/x", "noise", (1.0, 1.1, 1.1)), "blind"),
        (entry("kvd/x", "noise", (0.0, 1.0, 2.0), error=0.2), "7.07se 2/2"),
        (entry("fvd/x", "noise", (1.0, 2.0, 3e5)), "3.0e+05x 2/2"),
    ],
)
def test_cells_say_how_strong_and_how_many(answer, text):
    assert audit_sheet(result(answer)).cells[0][0].text == text


def test_the_sheet_has_a_row_per_number_and_names_its_direction():
    sheet = audit_sheet(
        result(
            entry("fvd/x", "noise", (1.0, 2.0, 3.0)),
            entry("recall/x", "noise", (0.9, 0.5, 0.1), better=True),
            entry("recall/x", "freeze", (0.9, 0.9, 0.9), better=True),
        )
    )
    assert sheet.names == ["fvd/x ↓", "recall/x ↑"]
    assert [heading.name for heading in sheet.headings] == ["noise", "freeze", "motion share"]
    assert [cell.text for cell in sheet.cells[0]] == ["3.00x 2/2", NOTHING, "50%"]
    lines = plain_table(sheet).splitlines()
    assert len({len(line) for line in lines}) == 1


def test_the_csv_has_a_line_per_level():
    frame = audit_frame(result(entry("fvd/x", "noise", (2.0, 2.1, 6.0))))
    assert frame["level"].tolist() == [0.0, 5.0, 10.0]
    assert frame["response"].tolist() == pytest.approx([0.0, 0.05, 2.0])
    assert frame["noticed"].tolist() == [None, False, True]


def test_the_figure_has_a_row_per_number_and_a_panel_per_family():
    figure = draw_audit(
        result(
            entry("fvd/x", "noise", (1.0, 20.0, 300.0)),
            entry("recall/x", "freeze", (0.9, 0.5, 0.1), better=True),
        )
    )
    axes = figure.get_axes()
    assert len(axes) == 4
    assert [a.get_yscale() for a in axes] == ["symlog", "symlog", "linear", "linear"]
    drawn = [line.get_ydata() for line in axes[0].get_lines() if len(line.get_ydata()) == 3]
    assert [list(line) for line in drawn] == [pytest.approx([0.0, 19.0, 299.0])]
    assert axes[3].get_lines()[-1].get_ydata()[-1] == pytest.approx(0.8 / 0.9)


def test_a_number_that_never_moves_is_a_flat_line():
    flat = draw_audit(result(entry("recall/x", "freeze", (0.9, 0.9, 0.9), better=True))).get_axes()[0]
    assert flat.get_ylim() == (-0.05, 1)
