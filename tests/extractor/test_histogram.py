import pytest
import torch

from vgen.extractor.histogram import Histogram


def two_colours(*shares):
    """One clip whose frame t is red in the first `shares[t]` of its 10 rows and blue below."""
    clip = torch.zeros(1, len(shares), 10, 6, 3, dtype=torch.uint8)
    for t, rows in enumerate(shares):
        clip[0, t, :rows, :, 0] = 255
        clip[0, t, rows:, :, 2] = 255
    return clip


def test_intersection_with_the_first_frame():
    similarity = Histogram()(two_colours(5, 5, 7, 0))["histogram"]
    torch.testing.assert_close(similarity, torch.tensor([[1.0, 1.0, 0.8, 0.5]]))


def test_where_colours_lie_does_not_matter_and_clips_are_apart():
    clips = torch.cat([two_colours(5, 3), torch.randint(0, 256, (9, 2, 10, 6, 3)).to(torch.uint8)])
    clips[0, 1] = clips[0, 1].flip(0)
    torch.testing.assert_close(Histogram()(clips)["histogram"][0], torch.tensor([1.0, 0.8]))
    single = torch.cat([Histogram()(clip[None])["histogram"] for clip in clips])
    assert torch.equal(Histogram()(clips)["histogram"], single)


def test_bins():
    clip = torch.tensor([0, 12, 13], dtype=torch.uint8).reshape(1, 3, 1, 1, 1)
    # a bin of 20 is 12.8 levels wide
    assert Histogram(bins=20)(clip)["histogram"].tolist() == [[1.0, 1.0, 0.0]]
    assert Histogram(bins=1)(clip)["histogram"].tolist() == [[1.0, 1.0, 1.0]]
    assert Histogram(bins=20).fingerprint != Histogram(bins=10).fingerprint
    with pytest.raises(ValueError, match="bins=0"):
        Histogram(bins=0)
