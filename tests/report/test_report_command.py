import shutil
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from vgen.cli.report import as_text
from vgen.report import write_report

NASTY = "a_b & 50% <x> $y$ #1 {z} \\c ~ ^ [q] | é λ"


@pytest.mark.parametrize(
    "name", ["loss=hinge", "loss=hinge, lr=0.1", "it's {a: [b", "a\\b", "a\\'b", "ends\\", "x", "${a}"]
)
def test_any_row_name_can_be_given_as_baseline(name):
    (override,) = OverridesParser.create().parse_overrides([as_text(f"baseline={name}")])
    assert (override.key_or_group, override.value()) == ("baseline", name)


@pytest.mark.parametrize("argument", ["runs=a,b", "baseline=null", "baseline='a b'", "--help", "baseline="])
def test_everything_else_stays_as_it_is(argument):
    assert as_text(argument) == argument


@pytest.fixture
def ablation(make_run, tmp_path):
    for a in (NASTY, "plain"):
        for b in (1, 2):
            for seed in (0, 1):
                make_run(
                    f"{len(a)}_{b}_{seed}",
                    config={"seed": seed, "a": a, "b": b},
                    metrics={"fvd/x": b + seed / (7 + b + len(a))},
                    video=True,
                )
    return write_report(tmp_path / "runs", tmp_path / "out", title=NASTY, baseline="a=plain, b=1")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
def test_all_tables_compile(ablation, tmp_path):
    inputs = "\n\n".join(rf"\input{{out/{file.name}}}" for file in ablation.all() if file.suffix == ".tex")
    assert inputs.count("input") == 4  # table, intervals, differences, matrices
    document = (
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{inputs}" "\n\\end{document}\n"
    )
    (tmp_path / "all.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium")
def test_a_browser_shows_every_part(ablation, tmp_path):
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
    ]
    done = subprocess.run(
        [*command, ablation.html.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    for part in ("table", "differences", "matrices", "curves", "samples", "runs"):
        assert f'<section id="{part}">' in done.stdout
    assert done.stdout.count("<video") == 8
