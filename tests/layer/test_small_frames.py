import pytest
import torch

from vgen.layer.small_frames import enlarge, neighbourhoods, resampled, shrink


def slope(rate: int, size: int) -> torch.Tensor:
    """Where the samples of a map lie, x + 2 y, the picture's side being 1; (1, 1, size, size)."""
    at = (torch.arange(size, dtype=torch.float64) + 0.5 - size / 2) / rate
    return (at + 2 * at[:, None])[None, None]


@pytest.mark.parametrize(
    ("rate", "size"), [(8, 8), (8, 28), (16, 20), (32, 32), (32, 36), (64, 64), (64, 84)]
)
def test_resampled_frames_stay_where_they_are(rate: int, size: int):
    """With or without a margin, away from the border that is repeated there."""
    made = resampled(slope(32, 32), rate=rate, size=size)
    assert made.shape == (1, 1, size, size)
    inner = slice((size - rate) // 2 + rate * 3 // 8, (size + rate) // 2 - rate * 3 // 8)
    torch.testing.assert_close(
        made[..., inner, inner], slope(rate, size)[..., inner, inner], atol=4e-3, rtol=0
    )
    still = resampled(torch.full((2, 3, 32, 32), 0.7), rate=rate, size=size)
    torch.testing.assert_close(still, torch.full_like(still, 0.7), atol=5e-3, rtol=0)


def test_resampling_is_the_same_from_every_side():
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64)
    for rate, size in ((4, 24), (8, 8), (64, 84)):
        mirrored = resampled(x.flip(2, 3), rate=rate, size=size)
        torch.testing.assert_close(mirrored, resampled(x, rate=rate, size=size).flip(2, 3))


def test_neighbourhoods_of_long_short_and_single_clips():
    video = torch.arange(10.0).view(1, 1, 10, 1, 1).expand(2, -1, -1, -1, -1)
    wide = neighbourhoods(video, 6, 2)[:, :, 0, 0]
    assert wide.shape == (12, 5)
    assert torch.equal(wide[:6], torch.arange(6.0)[:, None] + torch.arange(5.0))
    edge = neighbourhoods(video[:, :, :4], 4, 2)[:4, :, 0, 0]
    assert torch.equal(edge[0], torch.tensor([0.0, 0, 0, 1, 2]))
    assert torch.equal(edge[3], torch.tensor([1.0, 2, 3, 3, 3]))
    each = neighbourhoods(video, 2, 2)[:2, :, 0, 0]
    assert torch.equal(each, torch.arange(10.0).view(2, 5))
    with pytest.raises(ValueError, match="need 4, 8 or 20 small ones, not 10"):
        neighbourhoods(video, 4, 2)


def test_small_and_large_again():
    video = torch.rand(2, 3, 4, 16, 16)
    small = shrink(video, 4)
    assert small.shape == (2, 3, 4, 4, 4)
    torch.testing.assert_close(shrink(torch.ones(1, 3, 2, 16, 16), 8), torch.ones(1, 3, 2, 8, 8))
    assert enlarge(small, 16).shape == video.shape
    assert enlarge(video, 16) is video
    assert shrink(video.bfloat16(), 4).dtype == torch.bfloat16
