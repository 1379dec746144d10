"""Against what the official program prints of its networks."""

from itertools import pairwise

import pytest

from vgen.layer.band_plan import Band, band_plan

# Sizes and widths of the layers of StyleGAN3-T, from their names.
T_256 = ((36, 512), (36, 512), (36, 512), (52, 512), (52, 512), (84, 512), (84, 512), (148, 362), (148, 256),
         (148, 181), (276, 128), (276, 91), (276, 64), (256, 64))  # fmt: skip
T_1024 = ((36, 512), (36, 512), (52, 512), (52, 512), (84, 512), (148, 512), (148, 512), (276, 323), (276, 203),
          (532, 128), (1044, 81), (1044, 51), (1044, 32), (1024, 32))  # fmt: skip


@pytest.mark.parametrize(("size", "base", "layers"), [(256, 16384, T_256), (1024, 32768, T_1024)])
def test_layers_of_config_t(size: int, base: int, layers: tuple) -> None:
    bands = band_plan(size, base_channels=base // size, max_channels=512)
    assert [(band.size, band.width) for band in bands[:-1]] == list(layers)


def parameters(bands: list[Band], kernel: int) -> int:
    """Of mapping, input, layers and pixels of a StyleGAN3 with w of 512 numbers."""
    inputs = [bands[0].width, *(band.width for band in bands[:-1])]
    outputs = [*(band.width for band in bands[:-1]), 3]
    kernels = [kernel] * (len(bands) - 1) + [1]
    layers = sum(i * o * k**2 + o + 513 * i for i, o, k in zip(inputs, outputs, kernels, strict=True))
    return 2 * 513 * 512 + 513 * 4 + inputs[0] ** 2 + layers


@pytest.mark.parametrize(("size", "total"), [(512, 16665594), (1024, 15093151)])
def test_config_r_has_as_many_parameters_as_printed(size: int, total: int) -> None:
    """R has 1x1 kernels and twice the width: the same plan."""
    bands = band_plan(size, base_channels=65536 // size, max_channels=1024)
    assert parameters(bands, kernel=1) == total


@pytest.mark.parametrize("size", [8, 16, 64, 512])
def test_every_layer_has_room_for_its_frequencies(size: int) -> None:
    bands = band_plan(size, base_channels=16, max_channels=64)
    assert bands[0].cutoff == 2
    assert bands[-1].cutoff == bands[-3].cutoff == size / 2
    ratios = [after.cutoff / before.cutoff for before, after in pairwise(bands[:13])]
    assert ratios == pytest.approx([(size / 4) ** (1 / 12)] * 12)
    for band in bands:
        assert band.cutoff <= band.rate / 2 <= band.cutoff + band.half + 1e-9
        assert band.rate <= size
    assert bands[-1].size == bands[-2].size == size


def test_critical_layers_are_fewer_than_layers() -> None:
    with pytest.raises(ValueError, match="critical=14"):
        band_plan(64, base_channels=8, max_channels=8, critical=14)
