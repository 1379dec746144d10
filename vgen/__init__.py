"""vgen: one living trainer for research on video GANs."""

__version__ = "0.1.0"
