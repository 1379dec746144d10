import json
import zlib

import numpy as np
import pytest
import torch

from vgen.cli.audit import preset_ids
from vgen.protocol import selftest
from vgen.protocol.selftest import GOLDEN, Check, Golden, format_selftest, made_i3d_weights, run_selftest


@pytest.fixture(scope="module")
def golden():
    return Golden()


@pytest.fixture
def without_i3d(monkeypatch, golden):
    """The network itself takes seconds: tests/extractor and the slow test below run it."""
    monkeypatch.setattr(selftest, "_i3d_logits", lambda pixels: golden.arrays["i3d_logits"])


def test_every_check_passes(without_i3d):
    checks = run_selftest(preset_ids())
    assert [check for check in checks if not check.ok] == []
    assert {check.name for check in checks} >= {"frechet, N", "kvd, degree 3, gamma 1/D", "jedi", "vendi"}
    assert sum(check.name.startswith("protocol ") for check in checks) == len(preset_ids())


def test_every_golden_number_is_checked(without_i3d, golden):
    names = {check.name for check in run_selftest()}
    assert golden.expected["numbers"].keys() <= names


def test_a_moved_number_and_a_broken_part_fail(monkeypatch, without_i3d):
    def broken(*_, **__):
        raise RuntimeError("no\nBLAS")

    monkeypatch.setattr(selftest, "jedi_distance", broken)
    monkeypatch.setattr(selftest, "vendi_score", lambda features: 36.4657)
    checks = run_selftest({"quick": "0" * 12})
    failed = {check.name: check.got for check in checks if not check.ok}
    assert failed["jedi"] == "RuntimeError: no BLAS"
    assert failed["vendi"] == 36.4657
    assert failed["protocol quick"] == "0" * 12
    assert failed["protocol standard"] == "missing"
    said = format_selftest(checks).splitlines()
    assert said[-1].startswith(f"{len(failed)} of {len(checks)} checks failed: jedi, vendi")
    assert sum(line.endswith("FAILED") for line in said) == len(failed)


@pytest.mark.parametrize(
    ("expected", "got", "tolerance", "ok"),
    [
        (100.0, 100.009, 1e-4, True),
        (100.0, 100.011, 1e-4, False),
        (0.0, 9e-5, 1e-4, True),
        (0.0, 2e-4, 1e-4, False),
        (1.0, float("nan"), 1e-4, False),
        ("a", "a", None, True),
        ("a", "b", None, False),
        (1.0, "ValueError: x", 1e-4, False),
    ],
)
def test_tolerances(expected, got, tolerance, ok):
    assert Check("x", expected, got, tolerance).ok is ok


def test_made_weights_follow_the_recipe():
    made = made_i3d_weights()
    assert len(made) == 344 - 57
    name = "Conv3d_1a_7x7.conv3d.weight"
    drawn = (
        np.random.RandomState(zlib.crc32(name.encode())).standard_normal((64, 3, 7, 7, 7)).astype(np.float32)
    )
    np.testing.assert_allclose(made[name].numpy(), drawn * np.sqrt(2 / (3 * 7**3)), rtol=1e-6)
    assert made["Conv3d_1a_7x7.bn.running_var"].min() >= 1
    assert abs(float(made["Conv3d_1a_7x7.bn.weight"].mean()) - 1) < 0.1
    assert all(value.dtype == torch.float32 for value in made.values())


def test_the_package_carries_less_than_a_megabyte_of_golden_files():
    assert sum(file.stat().st_size for file in GOLDEN.iterdir()) < 1_000_000
    json.loads((GOLDEN / "expected.json").read_text())


@pytest.mark.slow
def test_i3d_reproduces_the_reference_logits(golden):
    found = selftest._i3d_logits(golden.arrays["pixels"])
    assert (found - golden.arrays["i3d_logits"]).abs().max() < 1e-4
