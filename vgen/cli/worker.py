"""A rank other than the first: does its part of the one job whose resolved config it is given.

python -m vgen.cli.worker train RUN/config.yaml
"""

import sys
from importlib import import_module
from pathlib import Path

from omegaconf import OmegaConf

from vgen.cli.errors import telling

if __name__ == "__main__":
    command = sys.argv[1]
    config = OmegaConf.load(Path(sys.argv[2]))
    OmegaConf.set_struct(config, True)
    with telling(command):
        getattr(import_module(f"vgen.cli.{command}"), command)(config)
