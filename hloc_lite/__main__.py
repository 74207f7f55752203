"""Runs the command line for ``python -m hloc_lite``."""

import os
import sys

# Python has put the current folder first on the module path: photos from elsewhere may lie there,
# beside a torch.py. Modules of this package are found without it.
if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
    del sys.path[0]

from hloc_lite.cli.main import main

main()
