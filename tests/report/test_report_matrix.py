import pytest

from vgen.report import write_report
from vgen.report.compare import make_rows
from vgen.report.markup import latex_table, markdown_table
from vgen.report.matrix import make_matrices
from vgen.report.runs import read_runs
from vgen.report.table import NOTHING, make_sheet, score_table


@pytest.fixture
def matrices(make_run, tmp_path):
    def make(settings):
        for n, (config, value) in enumerate(settings):
            make_run(str(n), config={"seed": 0} | config, metrics={"fvd/x": value})
        rows, _ = make_rows(read_runs([tmp_path / "runs"])[0])
        return make_matrices(rows, make_sheet(rows, score_table(rows)))

    return make


def texts(matrix):
    return [[cell.text.split(" ")[0] for cell in line] for line in matrix.sheet.cells]


def test_two_factors_make_one_matrix_with_the_best_marked(matrices):
    grid = [({"lr": lr, "beta": beta}, 10 * lr + beta) for lr in (1, 2, 3) for beta in (5, 4)]
    (matrix,) = matrices(grid)
    assert (matrix.title, matrix.sheet.corner, matrix.sheet.span) == ("fvd/x ↓", "lr", "beta")
    assert matrix.sheet.names == ["1", "2", "3"]
    assert [heading.name for heading in matrix.sheet.headings] == ["5", "4"]
    assert texts(matrix) == [["15.00", "14.00"], ["25.00", "24.00"], ["35.00", "34.00"]]
    assert [[cell.best for cell in line] for line in matrix.sheet.cells] == [
        [False, True],
        [False, False],
        [False, False],
    ]


def test_a_missing_corner_is_left_empty(matrices):
    (matrix,) = matrices([({"a": 1, "b": 1}, 1.0), ({"a": 1, "b": 2}, 2.0), ({"a": 2, "b": 1}, 3.0)])
    assert texts(matrix) == [["1.00", "2.00"], ["3.00", NOTHING]]


@pytest.mark.parametrize(
    "settings",
    [
        [{"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 3, "b": 3}],  # change together
        [{"a": 1}, {"a": 2}],
        [
            {"a": 1, "b": 1, "c": 1, "d": 1},
            {"a": 2, "b": 1, "c": 1, "d": 1},
            {"a": 1, "b": 2, "c": 2, "d": 2},
        ],
        [{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 3, "b": 2}],  # b never moves alone
    ],
)
def test_what_does_not_cross_makes_no_matrix(matrices, settings):
    assert matrices([(config, float(n)) for n, config in enumerate(settings)]) == []


def test_three_factors_make_one_matrix_per_value_of_the_shortest(matrices):
    grid = [
        ({"a": a, "b": b, "c": c}, 100.0 * a + 10 * b + c)
        for a in (1, 2, 3)
        for b in (1, 2)
        for c in (1, 2, 3)
    ]
    first, second = matrices(grid)
    assert [matrix.title for matrix in (first, second)] == ["fvd/x ↓, b=1", "fvd/x ↓, b=2"]
    assert (first.sheet.corner, first.sheet.span) == ("a", "c")
    assert texts(second)[2] == ["321.00", "322.00", "323.00"]
    best = [
        cell.text for matrix in (first, second) for line in matrix.sheet.cells for cell in line if cell.best
    ]
    assert [text.split(" ")[0] for text in best] == ["111.00"]  # of all matrices of the measure


def test_markdown_and_latex_name_both_factors(matrices):
    (matrix,) = matrices([({"a_x": a, "b": b}, float(a + b)) for a in (1, 2) for b in (1, 3)])
    assert markdown_table(matrix.sheet).splitlines()[0] == r"| a\_x \\ b | 1 | 3 |"
    lines = latex_table(matrix.sheet).splitlines()
    assert lines[2:5] == [r" & \multicolumn{2}{c}{b} \\", r"\cmidrule(lr){2-3}", r"a\_x & 1 & 3 \\"]


def test_the_report_has_the_matrices_in_every_format(matrices, tmp_path):
    matrices([({"a": a, "b": b}, float(a + b)) for a in (1, 2) for b in (1, 3)])
    paths = write_report(tmp_path / "runs", tmp_path / "out")
    assert r"| a \\ b | 1 | 3 |" in paths.markdown.read_text()
    assert r"\multicolumn{2}{c}{b}" in (tmp_path / "out" / "matrices.tex").read_text()
    assert '<th class="span" scope="colgroup" colspan="2">b</th>' in paths.html.read_text()
