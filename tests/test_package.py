"""The wheel works outside the checkout, configuration included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout and unpacked into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    wheel = next(folder.glob("vgen-*.whl"))
    target = folder / "site"
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(target), str(wheel)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return target


def run(installed: Path, folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    finished = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    return finished.stdout


def test_the_wheel_finds_its_own_configuration(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import vgen.config; print(vgen.config.CONF_DIR)").strip()
    assert where == str(installed / "vgen" / "conf")
    text = run(installed, tmp_path, "-m", "vgen", "train", "--cfg", "job", "generator=vgan", "seed=7")
    assert "_target_: vgen.generator.vgan.VGAN" in text
    assert "seed: 7" in text
    assert (installed / "bin" / "vgen").exists()
    assert (installed / "vgen" / "report" / "page.html.jinja").exists()


def test_a_folder_of_ones_own_adds_options_to_the_wheel(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "steep.yaml").write_text("_target_: somewhere.Steep\n")
    arguments = ["-m", "vgen", "train", "--config-dir", "mine", "loss=steep", "--cfg", "job"]
    assert "_target_: somewhere.Steep" in run(installed, tmp_path, *arguments)
