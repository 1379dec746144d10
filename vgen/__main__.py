"""`python -m vgen` is `vgen`."""

from vgen.cli.main import main

main()
