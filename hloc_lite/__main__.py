"""Runs the command line for ``python -m hloc_lite``."""

from hloc_lite.cli.main import main

main()
