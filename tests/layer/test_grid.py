import torch
from torch.nn.functional import grid_sample

from vgen.layer.grid import sample_bilinear


def test_equals_torch_and_can_be_differentiated_any_number_of_times() -> None:
    random = torch.Generator().manual_seed(0)
    planes = torch.rand(2, 3, 5, 4, generator=random, dtype=torch.float64, requires_grad=True)
    grid = torch.rand(2, 3, 2, 2, generator=random, dtype=torch.float64) * 2.4 - 1.2
    torch.testing.assert_close(
        sample_bilinear(planes, grid), grid_sample(planes, grid, padding_mode="border", align_corners=True)
    )
    assert torch.autograd.gradcheck(lambda x: sample_bilinear(x, grid), (planes,))
    assert torch.autograd.gradgradcheck(lambda x: sample_bilinear(x, grid).square(), (planes,))
