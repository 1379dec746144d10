import pytest
import torch

from vgen.extractor.frames import check_pixels, fit_frames, in_parts, rgb_frames


def frames(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_tensorflow_1_doubling():
    """Even outputs are the inputs, odd ones the means of neighbours."""
    small = frames(2, 3, 112, 112)
    doubled = fit_frames(small, 224, kernel="tf1")
    torch.testing.assert_close(doubled[..., ::2, ::2], small)
    torch.testing.assert_close(doubled[..., ::2, 1:-1:2], (small[..., :-1] + small[..., 1:]) / 2)
    torch.testing.assert_close(doubled[..., -1, ::2], small[..., -1, :])


def test_half_pixel_centres():
    doubled = fit_frames(torch.tensor([[[[0.0, 4.0], [0.0, 4.0]]]]), 4, kernel="torch")
    assert doubled[0, 0, 0].tolist() == [0, 1, 3, 4]


def test_corners_stay_corners():
    line = torch.arange(5.0).expand(5, 5)[None, None]
    torch.testing.assert_close(fit_frames(line, 9, kernel="corners")[0, 0, 3], torch.arange(9) / 2)


@pytest.mark.parametrize("kernel", ["torch", "tf1", "corners"])
def test_fit(kernel):
    wide = frames(1, 3, 224, 300)
    assert torch.equal(fit_frames(wide, 224, kernel=kernel, fit="crop"), wide[..., 38:262])
    square = frames(1, 3, 64, 64)
    assert fit_frames(square, 64, kernel=kernel) is not None
    assert torch.equal(fit_frames(square, 64, kernel=kernel), square)
    for fit in ("squash", "crop"):
        for height, width in ((48, 64), (65, 48)):
            assert fit_frames(frames(1, 3, height, width), 112, kernel=kernel, fit=fit).shape == (
                1,
                3,
                112,
                112,
            )


def test_grey_becomes_rgb():
    pixels = torch.arange(8, dtype=torch.uint8).reshape(1, 2, 2, 2, 1)
    found = rgb_frames(pixels)
    assert found.shape == (2, 3, 2, 2)
    assert found[1, 2].tolist() == [[4, 5], [6, 7]]


def test_what_does_not_fit_is_said():
    pixels = torch.zeros(1, 5, 4, 4, 3, dtype=torch.uint8)
    check_pixels(pixels, "X", frames=5)
    with pytest.raises(ValueError, match="X extractor needs clips of at least 6 frames, got 5"):
        check_pixels(pixels, "X", frames=6)
    with pytest.raises(ValueError, match="multiple of 2 frames, got 5"):
        check_pixels(pixels, "X", frames=2, every=2)
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        check_pixels(pixels[..., :2], "X", frames=2)


def test_parts_are_of_one_size_and_keep_their_order():
    sizes = []

    def compute(clips: torch.Tensor) -> dict[str, torch.Tensor]:
        sizes.append(len(clips))
        return {"clip": clips.double().mean(dim=(1, 2, 3, 4))[:, None]}

    pixels = torch.arange(5, dtype=torch.uint8)[:, None, None, None, None].expand(5, 2, 3, 3, 1)
    found = in_parts(pixels, torch.device("cpu"), compute)["clip"]
    assert found.dtype == torch.float32
    assert found[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert sizes == [2, 2, 2]
