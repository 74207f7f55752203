"""Records which files of a room a call enters, to test that its flow reads from top to bottom."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


def record_walk(room: Path, call: Callable[[], T]) -> tuple[T, list[str]]:
    """Run a function, and list the files of a room that function calls enter, in any thread.

    Args:
        room: folder of the package.

    Returns:
        The result of ``call``, and the file names in order, consecutive equal ones once.
    """
    prefix, entered = f"{room}/", []

    def profile(frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(prefix) and frame.f_code.co_name != "<module>":
            entered.append(file.removeprefix(prefix))

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        result = call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return result, [file for file, _ in groupby(entered)]


def steps_back(walk: Sequence[str], hub: str) -> list[tuple[str, str]]:
    """Steps of a walk into a file that was left before: (file that is left, file that is entered).

    Args:
        hub: file that calls the others; it may be entered again.
    """
    files = [file for file, _ in groupby(file for file in walk if file != hub)]
    return [(files[i - 1], file) for i, file in enumerate(files) if file in files[:i]]
