"""``python -m hloc_lite`` is ``hloc-lite``."""

from hloc_lite.cli.main import main

main()
