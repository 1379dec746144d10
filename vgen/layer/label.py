"""Class labels as vectors."""

import torch
import torch.nn.functional as F
from torch import Tensor


def one_hot(label: Tensor | None, classes: int, *, dtype: torch.dtype, who: str = "generator") -> Tensor:
    """Labels (B,) int64 -> (B, K) of 0 and 1, for a conditional generator or discriminator (`who`).

    Labels must lie in [0, K). That is checked on the CPU only: on an accelerator it would stop the device.
    """
    if label is None:
        raise ValueError(
            f"the {who} is conditional ({classes} classes) but got no labels; "
            f"use labelled data, or set {who}.classes=0"
        )
    if label.device.type == "cpu":
        least, most = (int(bound) for bound in label.aminmax())
        if least < 0 or most >= classes:
            raise ValueError(
                f"labels lie in [{least}, {most}] but the {who} has {classes} classes; "
                "set clip.classes to the number of classes of the data"
            )
    return F.one_hot(label, classes).to(dtype)


def append_label(codes: Tensor, label_code: Tensor | None) -> Tensor:
    """Codes (B, T, D) with the label code (B, L), if there is one, beside each: (B, T, D + L)."""
    if label_code is None:
        return codes
    return torch.cat([codes, label_code[:, None].expand(-1, codes.shape[1], -1)], 2)
