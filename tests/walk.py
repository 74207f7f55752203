"""Walks: the files of the package that a call enters, to test that a flow reads top to bottom."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from types import FrameType

import hloc_lite

PACKAGE = Path(hloc_lite.__file__).parent


def record_walk(call: Callable[[], object]) -> list[str]:
    """Files of the package whose functions a call enters, in order; paths within the package.

    Functions count in all threads, and consecutive entries of one file count once. Comprehensions
    are read where they stand, and code that a decorator generates has no file: neither counts.
    """
    files: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and not frame.f_code.co_name.startswith("<"):
            files.append(frame.f_code.co_filename)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    paths = (Path(file) for file in files)
    return _collapsed(
        path.relative_to(PACKAGE).as_posix() for path in paths if path.is_relative_to(PACKAGE)
    )


def files_of(room: str, walk: Sequence[str], hub: str = "") -> list[str]:
    """Files of a room in a walk, by name; other rooms in between do not count.

    Args:
        hub: file that calls the others; returns to it do not count either.
    """
    names = (file.removeprefix(f"{room}/") for file in walk if file.startswith(f"{room}/"))
    return _collapsed(name for name in names if name != hub)


def repeated(files: Sequence[str]) -> list[str]:
    """Files that are entered again after they were left."""
    return sorted({name for name in files if files.count(name) > 1})


def _collapsed(files: Iterable[str]) -> list[str]:
    return [file for file, _ in groupby(files)]
