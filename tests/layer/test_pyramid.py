import pytest
import torch

from vgen.layer.pyramid import check_video, doublings, temporal_kernels, widths


def test_doublings():
    assert [doublings(size) for size in (8, 32, 64, 128)] == [1, 3, 4, 5]


@pytest.mark.parametrize("size", [4, 48, 63, 0])
def test_other_sizes_are_refused(size: int):
    with pytest.raises(ValueError, match=rf"clip\.size={size} .*32, 64, 128"):
        doublings(size)


def test_widths_double_up_to_the_limit():
    assert widths(5, 64, 512) == [64, 128, 256, 512, 512]


@pytest.mark.parametrize("frames", range(1, 20))
def test_kernels_in_time_span_the_clip_as_far_as_four_frames_each_go(frames: int):
    kernels = temporal_kernels(frames, 5)
    assert 1 + sum(kernel - 1 for kernel in kernels) == min(frames, 16)
    assert max(kernels) - min(kernels) <= 1


def test_video_of_another_shape_is_refused():
    facts = {"channels": 3, "size": 8, "least_frames": 4}
    check_video(torch.zeros(1, 3, 9, 8, 8), **facts)
    for shape in [(1, 3, 3, 8, 8), (1, 1, 4, 8, 8), (1, 3, 4, 16, 8)]:
        with pytest.raises(ValueError, match=r"at least 4 frames of 3x8x8 .*clip\.frames"):
            check_video(torch.zeros(shape), **facts)
    with pytest.raises(ValueError, match="for 4 frames"):
        check_video(torch.zeros(1, 3, 9, 8, 8), **facts, most_frames=4)
