"""Server with a stand-in localizer: python -m tests.serve.server PAUSE_S CONFIG_JSON [TOKEN]

Each photo takes PAUSE_S seconds. Opening a map fails while a file FAIL is in the working folder.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

from hloc_lite.cli.main import main as _  # noqa: F401  imports what the real server imports
from hloc_lite.errors import FormatError
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.server import serve
from tests.serve.stand_ins import FakeLocalizer


class SlowLocalizer(FakeLocalizer):
    def __init__(self, pause_s: float) -> None:
        super().__init__()
        self.pause_s = pause_s

    def localize(self, image, camera=None, **options):  # type: ignore[no-untyped-def, override]
        time.sleep(self.pause_s)
        return super().localize(image, camera, **options)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    pause_s = float(sys.argv[1])

    def open_localizer(folder: Path) -> FakeLocalizer:
        if Path("FAIL").exists():
            raise FormatError("the map is broken")
        return SlowLocalizer(pause_s)

    config = ServeConfig.model_validate_json(sys.argv[2])
    serve(
        {"a": Path("a")}, config, open_localizer, json.loads(sys.argv[3]) if sys.argv[3:] else None
    )


if __name__ == "__main__":
    main()
