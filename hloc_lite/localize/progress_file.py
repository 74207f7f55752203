"""Answers that are kept in a file as they come, a JSON line each, so that a killed run resumes."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hloc_lite.errors import FormatError, HlocLiteError

logger = logging.getLogger(__name__)
T = TypeVar("T")


def read_progress(
    path: Path, run: str, parse: Callable[[dict[str, object]], tuple[str, T]]
) -> dict[str, T]:
    """Answers of an earlier run with the same fingerprint; a truncated last line is dropped.

    A file of another run, or a damaged one, is started anew, with a warning.

    Args:
        run: fingerprint of all that the answers depend on.
        parse: makes the name and the answer of a line's JSON object.

    Raises:
        HlocLiteError: the file cannot be read or written.
    """
    if not path.exists():
        append_line(path, json.dumps({"run": run}) + "\n")
        return {}
    try:
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]  # drop a line that was being written
        head, *lines = whole.decode("utf-8").split("\n")[:-1]
        if json.loads(head)["run"] == run:
            answers = dict(parse(_json_object(line)) for line in lines)
            os.truncate(path, len(whole))
            return answers
        logger.warning("%s is from a run with other settings, map or images: starting over", path)
    except (KeyError, TypeError, ValueError, RecursionError, FormatError):
        logger.warning("%s is not readable: starting over", path)
    except OSError as error:
        raise unwritable(path, error) from error
    path.unlink()
    return read_progress(path, run, parse)


def append_line(path: Path, line: str) -> None:
    """Append a line, with its line break, to a file.

    Raises:
        HlocLiteError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(line)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> HlocLiteError:
    """Error about a file that cannot be read or written, with the remedy."""
    return HlocLiteError(
        f"cannot write {path}: {error.strerror or error}. The queries done so far are kept: "
        f"fix the cause and run the same command again; it resumes"
    )


def _json_object(line: str) -> dict[str, object]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise FormatError(f"expected a JSON object, got {line[:80]!r}")
    return value
