import numpy as np
import pytest
import torch

from vgen.layer.kaiser import kaiser_lowpass


def response(filter: torch.Tensor, frequency: np.ndarray, rate: float) -> np.ndarray:
    n = np.arange(len(filter))
    return np.abs(np.exp(-2j * np.pi * frequency[:, None] / rate * n) @ filter.double().numpy())


@pytest.mark.parametrize(("taps", "cutoff", "width"), [(12, 2.0, 3.0), (33, 1.0, 1.5), (101, 3.0, 0.6)])
def test_by_its_formula(taps: int, cutoff: float, width: float):
    """Numpy's window and sinc; alpha and beta as Kaiser gives them."""
    rate = 16.0
    attenuation = 2.285 * (taps - 1) * np.pi * width / (rate / 2) + 7.95
    shape = 0.1102 * (attenuation - 8.7)
    if attenuation <= 50:
        shape = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    n = np.arange(taps) - (taps - 1) / 2
    expected = np.kaiser(taps, shape) * np.sinc(2 * cutoff / rate * n)
    made = kaiser_lowpass(taps, cutoff=cutoff, width=width, rate=rate)
    np.testing.assert_allclose(made, expected / expected.sum(), atol=1e-6)


def test_low_frequencies_pass_and_high_ones_do_not():
    filter = kaiser_lowpass(64, cutoff=2.0, width=1.0, rate=16.0)
    torch.testing.assert_close(filter, filter.flip(0))
    passed, stopped = np.linspace(0, 1.4, 40), np.linspace(2.6, 8, 100)
    np.testing.assert_allclose(response(filter, passed, 16.0), 1, atol=0.02)
    assert response(filter, stopped, 16.0).max() < 0.02
    assert response(filter, np.array([2.0]), 16.0)[0] == pytest.approx(0.5, abs=0.02)


def test_one_tap_does_nothing_and_what_cannot_be():
    assert kaiser_lowpass(1, cutoff=1.0, width=1.0, rate=4.0).tolist() == [1.0]
    for arguments, message in (
        ({"taps": 0}, "taps=0"),
        ({"cutoff": 2.0}, r"cutoff=2\.0"),
        ({"width": 0.0}, r"width=0\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            kaiser_lowpass(**{"taps": 5, "cutoff": 1.0, "width": 1.0, "rate": 4.0} | arguments)
