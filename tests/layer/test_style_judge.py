import pytest
import torch

from vgen.layer.style_judge import ImageJudge, JudgeBlock


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("channels", "millions"), [(3, 28.39), (7, 28.39)])
def test_parameters_of_the_judges_of_digan(channels: int, millions: float):
    with torch.device("meta"):
        judge = ImageJudge(size=128, channels=channels, base_channels=256)
    assert round(count(judge) / 1e6, 2) == millions


def test_variance_is_kept_through_a_block():
    """Of smooth maps, on which the filter takes nothing away."""
    torch.manual_seed(0)
    block = JudgeBlock(64, 64, 64, clamp=None, reduced=True)
    made = block(torch.randn(32, 64, 1, 1).expand(-1, -1, 12, 12))[:, :, 2:-2, 2:-2]
    assert 0.8 < made.square().mean().sqrt() < 1.2


def test_blocks_are_named_after_what_they_see():
    small, large = (ImageJudge(size=size, channels=1, base_channels=128 // size) for size in (16, 64))
    shared = [name for name, _ in small.blocks.named_parameters()]
    assert shared == [name for name, _ in large.blocks.named_parameters()][-len(shared) :]
    assert [name for name, _ in large.blocks.named_children()] == ["at64", "at32", "at16", "at8"]


def test_convolutions_may_see_something_else_than_the_shortcut():
    torch.manual_seed(0)
    block = JudgeBlock(3, 3, 4, clamp=None, reduced=True)
    x, other = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    assert torch.equal(block(x, x), block(x))
    ways = block(x, other) - block(other)  # the convolutions' way cancels
    half = 0.5**0.5
    torch.testing.assert_close(ways, block.shortcut(x, gain=half) - block.shortcut(other, gain=half))


def test_small_sizes_are_computed_in_full_precision():
    judge = ImageJudge(size=32, channels=2, base_channels=4, max_channels=8, reduced_sizes=1)
    kinds = []
    for block in judge.blocks:
        block.register_forward_hook(lambda _, given, made: kinds.append(made.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, _ = judge(torch.zeros(4, 2, 32, 32))
    assert kinds == [torch.bfloat16, torch.float32, torch.float32]
    assert logits.dtype == torch.float32


def test_the_clamp_bounds_what_convolutions_give():
    judge = ImageJudge(size=8, channels=2, base_channels=4, max_channels=8, clamp=0.1)
    seen = []
    judge.blocks[0].one.register_forward_hook(lambda _, given, made: seen.append(made))
    judge(100 * torch.randn(4, 2, 8, 8))
    assert seen[0].abs().max().item() == pytest.approx(0.1)


def test_the_condition_is_projected():
    """Logits are the product of features and mapped condition over the root of the width."""
    judge = ImageJudge(
        size=8, channels=2, condition_dim=3, base_channels=4, max_channels=4, group=None
    ).double()
    images, condition = torch.randn(4, 2, 8, 8).double(), torch.eye(4)[:, :3].double()
    made = {}
    judge.end.out.register_forward_hook(lambda _, given, out: made.update(features=out))
    logits, last = judge(images, condition)
    assert last.shape == (4, 4, 4, 4)
    expected = (made["features"] * judge.end.mapping(None, condition)).sum(1) / 2
    torch.testing.assert_close(logits, expected)
