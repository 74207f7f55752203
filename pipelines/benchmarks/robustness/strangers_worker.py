"""Localizes a photo in each map of a folder; ``strangers_maps`` runs it under strace."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

from hloc_lite.errors import HlocLiteError
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map

MAX_SECONDS = 60
"""Time after which a map counts as one that hangs; a good one takes a second."""


def localize_each(folder: Path, photo: Path) -> None:
    """Localize a photo in each map of a folder, each in a forked process; print the outcomes."""
    Localizer.open(folder / "good").localize(photo)  # all that is needed is imported
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os._exit(_localize_one(each, photo))
        code, usage = _wait(pid, start + MAX_SECONDS)
        seconds = time.monotonic() - start
        print("OUTCOME", each.name, code, f"{seconds:.1f}", usage, sep="\t", flush=True)


def _localize_one(folder: Path, photo: Path) -> int:
    try:
        result = Localizer.open(folder).localize(photo)
        list(Map.open(folder).features.values())
        print("GIVEN" if result.pose else "withheld", flush=True)
    except HlocLiteError as error:
        print("refused:", str(error)[:300].encode("ascii", "replace").decode(), flush=True)
        return 2
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _wait(pid: int, end: float) -> tuple[int, int]:
    """Exit code (-9 if it was killed after its time) and peak memory in MB."""
    while True:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss >> 10
        if time.monotonic() > end:
            os.kill(pid, 9)
        time.sleep(0.01)


if __name__ == "__main__":
    localize_each(Path(sys.argv[1]), Path(sys.argv[2]))
