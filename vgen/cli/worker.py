"""A rank other than the first: trains the one job whose resolved config it is given.

python -m vgen.cli.worker RUN/config.yaml
"""

import sys
from pathlib import Path

from omegaconf import OmegaConf

from vgen.cli.errors import telling
from vgen.cli.train import train

if __name__ == "__main__":
    config = OmegaConf.load(Path(sys.argv[1]))
    OmegaConf.set_struct(config, True)
    with telling("train"):
        train(config)  # type: ignore[arg-type]
