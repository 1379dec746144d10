"""Models of the `transformers` package: found in a folder, else fetched file by file like other weights."""

from pathlib import Path
from typing import Any

from torch import nn

from vgen.extractor.weights import Source, Weights, find_or_fetch

_CONFIG, _TENSORS = "config.json", "model.safetensors"


def find_model(model: str, folder: str | None, *, download: bool) -> Weights:
    """The tensors of `model`, a folder or a name on huggingface.co (owner/name), with its configuration beside them.

    A name is looked for in the weights folder, as owner/name/model.safetensors.

    Raises:
        FileNotFoundError: the folder lacks a file; the name is not in the weights folder and cannot be fetched.
    """
    if Path(model).expanduser().is_dir():
        here = Path(model).expanduser()
        for file in (_CONFIG, _TENSORS):
            if not (here / file).is_file():
                raise FileNotFoundError(f"{here} has no {file}; expected a model as transformers saves it")
        return find_or_fetch(Source(_TENSORS, (str(here / _TENSORS),)), str(here), download=False)
    if model.count("/") != 1 or model.startswith(("/", ".", "~")):
        raise FileNotFoundError(f"{model} is neither a folder nor a name owner/model on huggingface.co")
    sources = [
        Source(f"{model}/{file}", (f"https://huggingface.co/{model}/resolve/main/{file}",))
        for file in (_CONFIG, _TENSORS)
    ]
    return [find_or_fetch(source, folder, download=download) for source in sources][-1]


def load_model(kind: Any, weights: Weights, *, unread: tuple[str, ...] = ()) -> nn.Module:
    """A transformers model of class `kind`, in evaluation mode and frozen; `unread` may be missing in the file.

    Raises:
        ValueError: a file of another model.
    """
    folder = weights.path.parent
    try:
        model, found = kind.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{folder} holds no {kind.__name__} that transformers can load: {reason}") from None
    missing = sorted(key for key in found["missing_keys"] if not key.endswith(unread))
    if missing:
        raise ValueError(
            f"{weights.path} is no {kind.__name__}: {len(missing)} keys missing (first: {missing[0]})"
        )
    return model.eval().requires_grad_(False)
