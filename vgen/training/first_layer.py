"""What the first layer of a generator makes of one part of its latent, found by trying."""

import copy

import torch
from torch import Tensor, nn

from vgen.clip import Latent

_STEP = 1e-3
_COLUMNS = 32  # that are tried at once


class _Found(Exception):
    pass


def first_layer_matrix(
    generator: nn.Module, latent: Latent, part: str, times: Tensor, label: Tensor | None = None
) -> Tensor:
    """The matrix (outputs, width) float64 of the first layer that `part` (1, ..., width) of `latent` passes.

    The first layer is the first module with weights, and without modules inside, whose output depends on the part. Its
    response to every entry of the part's last dimension, changed at all other places of the part at once, is a column:
    exact for a linear layer, and the derivative at 0 for another one (a recurrent cell). Runs a float64 copy of the
    generator no further than that layer.

    Raises:
        ValueError: no layer reads the part.
    """
    network = copy.deepcopy(generator).double().eval()
    device = next(network.parameters()).device
    base = {name: part.double() if part.is_floating_point() else part for name, part in latent.items()}
    width = base[part].shape[-1]
    columns = []
    for begin in range(0, width, _COLUMNS):
        steps = _STEP * torch.eye(width, dtype=torch.float64)[begin : begin + _COLUMNS]
        rows = torch.cat([steps, -steps])
        count = len(rows)
        tried = {name: value.expand(count, *value.shape[1:]).to(device) for name, value in base.items()}
        shape = (count, *[1] * (base[part].dim() - 2), width)
        tried[part] = rows.to(device).view(shape).expand_as(tried[part])
        at = times.expand(count, -1).double().to(device)
        labels = None if label is None else label.expand(count).to(device)
        up, down = _response(network, tried, at, labels, part).cpu().chunk(2)
        columns.append((up - down) / (2 * _STEP))
    return torch.cat(columns).T


@torch.no_grad()
def _response(network: nn.Module, latent: Latent, times: Tensor, labels: Tensor | None, part: str) -> Tensor:
    """(N, outputs): what the first layer gives whose output is not the same for all N rows."""
    rows, heard = len(times), []

    def listen(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        for made in output if isinstance(output, tuple) else (output,):
            if isinstance(made, Tensor) and made.is_floating_point() and made.shape[0] % rows == 0:
                flat = made.reshape(rows, -1)
                if (flat != flat[:1]).any():
                    heard.append(flat)
        if heard:
            raise _Found

    layers = [m for m in network.modules() if next(m.parameters(), None) is not None and not _inner(m)]
    hooks = [layer.register_forward_hook(listen) for layer in layers]
    try:
        network(latent, times, labels)
    except _Found:
        return torch.cat(heard, 1)
    finally:
        for hook in hooks:
            hook.remove()
    raise ValueError(f"no layer of this generator reads {part}")


def _inner(module: nn.Module) -> bool:
    return any(name != "parametrizations" for name, _ in module.named_children())
