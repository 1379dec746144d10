"""Packages that only some extractors need."""

from importlib import import_module
from types import ModuleType


def need(module: str, *, extractor: str, extra: str) -> ModuleType:
    """Import `module`, or raise a ValueError of one line with the command that installs it."""
    package = module.split(".")[0].replace("_", "-")
    command = f"pip install 'vgen[{extra}]' (or: pip install {package})"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module.split(".")[0]:
            raise ValueError(f"extractor {extractor} needs the package {package}: {command}") from None
        raise ValueError(
            f"extractor {extractor}: {package} needs {error.name}, which is missing: {command}"
        ) from None
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        # a torchvision built for another torch dies in one of these ways
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"extractor {extractor}: {package} is installed but cannot be imported: {reason}"
        ) from None
