"""A verdict on features, which may depend on the class: the projection discriminator's last layer."""

from torch import Tensor, nn

from vgen.layer.label import one_hot


class ProjectionVerdict(nn.Module):
    """Features (N, D), labels (N,) -> logits (N,): a linear layer, plus features times the class's embedding.

    Without classes the linear layer alone. Source: Miyato & Koyama 2018, arXiv 1802.05637, eq. 4.
    """

    def __init__(self, width: int, classes: int = 0):
        super().__init__()
        self.classes = classes
        self.linear = nn.Linear(width, 1)
        self.embedding = nn.Linear(classes, width, bias=False) if classes else None

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        verdict = self.linear(features)[:, 0]
        if self.embedding is None:
            return verdict
        chosen = self.embedding(one_hot(label, self.classes, dtype=features.dtype, who="discriminator"))
        return verdict + (features * chosen).sum(1)
