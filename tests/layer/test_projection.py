import pytest
import torch

from vgen.layer.projection import ProjectionVerdict


def test_a_linear_layer_plus_the_product_with_the_class():
    torch.manual_seed(0)
    verdict = ProjectionVerdict(4, 3)
    features, label = torch.randn(5, 4), torch.tensor([0, 2, 1, 1, 0])
    expected = [
        verdict.linear.weight[0] @ f + verdict.linear.bias[0] + verdict.embedding.weight[:, k] @ f
        for f, k in zip(features, label, strict=True)
    ]
    torch.testing.assert_close(verdict(features, label), torch.stack(expected))


def test_without_classes_labels_are_ignored():
    verdict = ProjectionVerdict(4)
    features = torch.randn(2, 4)
    assert torch.equal(verdict(features, None), verdict.linear(features)[:, 0])
    assert torch.equal(verdict(features, None), verdict(features, torch.tensor([7, 8])))


def test_with_classes_labels_are_needed():
    with pytest.raises(ValueError, match="discriminator is conditional"):
        ProjectionVerdict(4, 3)(torch.randn(2, 4), None)
