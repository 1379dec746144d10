"""Protocols by name, for programs: what `protocol=NAME` is on the command line."""

import hydra

from vgen.config import CONF_DIR, instantiate
from vgen.protocol.standard import Standard


def preset(name: str, *changes: str, frames: int = 16, size: int | None = None, stride: int = 1) -> Standard:
    """The protocol `name` of conf/protocol, with changes as on the command line: `preset("cdfvd", "fakes=512")`.

    Args:
        frames, size, stride: of the clips, for protocols that leave these to the data ("standard", "quick").

    Raises:
        ConfigError: a change that cannot be.
        hydra.errors.HydraException: no such protocol (the message lists them), or no such key.
    """
    clip = [f"clip.frames={frames}", f"clip.size={'null' if size is None else size}", f"clip.stride={stride}"]
    overrides = [f"protocol={name}", *(f"protocol.{change}" for change in changes), *clip]
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return instantiate(hydra.compose("evaluate", overrides=overrides).protocol)
