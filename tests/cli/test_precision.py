"""trainer.precision=auto: settled once, by the machine that begins the run."""

import pytest
from omegaconf import OmegaConf

from vgen.cli import precision
from vgen.cli.precision import multiplies_bfloat16, settle_precision


def settled(wanted: str, saved: str | None = None) -> str:
    config = OmegaConf.create({"trainer": {"precision": wanted, "accelerator": "cpu"}})
    settle_precision(config, None if saved is None else {"trainer": {"precision": saved}})
    return config.trainer.precision


@pytest.mark.parametrize(("able", "chosen"), [(True, "bf16-mixed"), (False, "32-true")])
def test_the_hardware_decides(monkeypatch: pytest.MonkeyPatch, able: bool, chosen: str) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda accelerator: able)
    assert settled("auto") == chosen
    assert settled("16-mixed") == "16-mixed"
    for begun in ("32-true", "bf16-mixed"):  # a run goes on as it was begun, wherever it goes on
        assert settled("auto", saved=begun) == begun


def test_where_nothing_is_known_float32_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(f"torch.cpu.{name}", raising=False)
    assert not multiplies_bfloat16("cpu")
    assert not multiplies_bfloat16("mps")
