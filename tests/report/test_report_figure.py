import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from vgen.report.compare import make_rows
from vgen.report.figure import (
    band_curve,
    colour,
    curve_panels,
    draw_curves,
    marker,
    mean_curve,
    thin,
    write_curves,
)
from vgen.report.runs import read_runs


@pytest.fixture
def panels(tmp_path):
    def make():
        rows, _ = make_rows(read_runs([tmp_path / "runs"])[0])
        return curve_panels(rows)

    return make


def test_mean_curve_interpolates_where_all_seeds_have_numbers():
    first = pd.Series([0.0, 10.0], index=[0.0, 10.0])
    second = pd.Series([4.0, 2.0, 0.0], index=[2.0, 4.0, 6.0])
    mean = mean_curve([first, second])
    assert mean.to_dict() == {2.0: 3.0, 4.0: 3.0, 6.0: 3.0}
    assert len(mean_curve([first, second + 0, pd.Series([1.0], index=[99.0])])) == 0


def test_the_band_is_the_interval_of_students_t():
    seeds = [pd.Series([1.0 * k, 5.0], index=[0.0, 2.0]) for k in (1, 2, 3)]
    band = band_curve(seeds)
    np.testing.assert_allclose(band, [4.302652729749464 / np.sqrt(3), 0.0])
    np.testing.assert_allclose(band.index, [0.0, 2.0])


def test_a_band_needs_three_seeds(make_run, tmp_path):
    for method, seeds in (("a", 2), ("b", 3)):
        for seed in range(seeds):
            csv = f"kclips,fvd/x\n1,{seed + 5}\n2,{seed * 3 + 4}\n"
            make_run(f"{method}/{seed}", config={"seed": seed, "method": method}, csv=csv)
    rows, _ = make_rows(read_runs([tmp_path / "runs"])[0])
    figure, _ = draw_curves(rows, ["fvd/x"])
    (band,) = figure.axes[0].collections
    assert band.get_facecolor()[0, :3] == pytest.approx([0xD5 / 255, 0x5E / 255, 0])
    top = band.get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(7 + 4.302652729749464 * 3 / np.sqrt(3))


def test_pdf_files_are_whole_and_bear_the_names_of_rows(make_run, tmp_path):
    for method in ("a", "$x_"):
        make_run(
            method, config={"seed": 0, "method": method}, csv="kclips,loss/d,fvd/x,fvd-x\n1,1,2,3\n2,3,4,5\n"
        )
    rows, _ = make_rows(read_runs([tmp_path / "runs"])[0])
    paths = write_curves(rows, tmp_path)
    assert [path.name for path in paths] == ["loss.pdf", "fvd_x.pdf"]
    first = [path.read_bytes() for path in paths]
    assert all(content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF") for content in first)
    assert [path.read_bytes() for path in write_curves(rows, tmp_path)] == first
    legend = draw_curves(rows, ["fvd/x"], title="fvd/x")[0].legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["method=$x_", "method=a"]


def test_thin_keeps_means_and_ends_of_short_curves():
    curve = pd.Series(np.arange(1000.0), index=np.arange(1000.0) / 2)
    thinned = thin(curve, 100)
    assert len(thinned) == 100
    np.testing.assert_allclose(thinned.iloc[:2], [4.5, 14.5])
    np.testing.assert_allclose(thinned.index[:2], [2.25, 7.25])
    assert thin(curve, 1000) is curve


def test_panels_are_those_of_the_columns_that_exist(make_run, panels):
    header = "kclips,iteration,loss/d,loss/g,regularizer/r1,fvd/x,never"
    make_run("a", config={"seed": 0}, csv=f"{header}\n1,1,1,2,3,400,\n2,2,1,2,3,4,\n")
    main, other = panels()
    assert [panel.title for panel in main] == ["loss", "fvd/x"]
    assert [panel.title for panel in other] == ["regularizer/r1"]
    assert main[1].note == "logarithmic axis"
    assert "loss/d" in main[0].svg
    assert "kclips (thousand real clips shown to D)" in main[0].svg


def test_an_outburst_does_not_flatten_the_rest(make_run, panels):
    lines = [f"{k},{1e12 if k == 70 else k % 7}" for k in range(1, 201)]
    make_run("a", config={"seed": 0}, csv="kclips,loss/d\n" + "\n".join(lines) + "\n")
    (panel,), _ = panels()
    assert "axis cut" in panel.note
    assert "1e+12" in panel.note


def test_svg_is_self_contained_and_has_ids_of_its_own(make_run, panels):
    make_run("a", config={"seed": 0}, csv='kclips,loss/d,loss/$x<&"\n1,1,2\n2,2,3\n'.replace('"', ""))
    make_run("b", config={"seed": 0, "a": 1}, csv="kclips,fvd/x,b/$\\frac\n1,1,2\n")
    main, other = panels()
    ids = []
    for panel in main + other:
        assert "http" not in panel.svg
        assert "#010203" not in panel.svg
        root = ElementTree.fromstring(panel.svg)
        ids += [element.get("id") for element in root.iter() if element.get("id")]
    assert len(main + other) == 3
    assert len(ids) == len(set(ids))


def test_many_rows_stay_apart():
    looks = {(colour(i), marker(i)) for i in range(40)}
    assert len(looks) == 40
