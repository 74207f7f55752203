"""Text and JSON files; every file is written atomically."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.io.file_modes import create_with_mode, kept_mode, set_mode
from hloc_lite.io.partial_files import partial_file, sync_folder
from hloc_lite.io.regular_files import check_regular

MAX_TEXT_BYTES = 2 << 30
"""Larger text files (2 GiB) are not read: no list or pose file comes near that size."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which replaces it if the block raises no error.

    An existing regular file keeps its permissions; a new one follows the umask. A link is replaced,
    not followed: ``output_links.written_file`` follows those that users name.

    Raises:
        HlocLiteError: the folder cannot be written or the disk is full.
    """
    mode = kept_mode(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_file(path) as partial:
            create_with_mode(partial, mode)
            yield partial
            with partial.open("r+b") as file:  # Windows syncs only files that are open for writing
                os.fsync(file.fileno())
            set_mode(partial, mode)
            partial.replace(path)
    except OSError as error:
        raise HlocLiteError(
            f"cannot write {path}: {error.strerror or error}. What was there before is unchanged; "
            f"free some space or choose another folder, then run again"
        ) from error
    sync_folder(path.parent)


def write_text_atomic(path: Path, text: str) -> None:
    """Write UTF-8 text; a crash leaves either the old file or the new one.

    Raises:
        HlocLiteError: the file cannot be written, or the text holds a name that is not UTF-8.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 20) : error.end]
        raise HlocLiteError(f"cannot write {path}: a name in it is not UTF-8: {around!r}") from None
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def open_regular(path: Path) -> FileIO:
    """Open a file for unbuffered reading; pipes, devices and sockets may never end.

    Raises:
        FormatError: no regular file.
        OSError: missing or unreadable.
    """
    check_regular(path)
    return path.open("rb", buffering=0)


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's content, in hex digits.

    Raises:
        FormatError: missing or unreadable.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None


def write_json_atomic(path: Path, value: Any) -> None:
    """Write JSON (UTF-8, no NaN); a crash leaves either the old file or the new one."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_text_atomic(path, text + "\n")


def read_text(path: Path) -> str:
    """Return the UTF-8 text of a file, with ``\\n`` for line ends of any kind.

    Raises:
        FormatError: missing, unreadable, too large, or not UTF-8 text.
    """
    with _reading_text(path):
        return path.read_text(encoding="utf-8-sig")


def text_lines(path: Path, *, keep_ends: bool = False) -> Iterator[str]:
    """Lines of a UTF-8 file, read as they are asked for.

    Only ``\\n`` and line ends of other systems end a line, unlike in ``str.splitlines``.

    Args:
        path: text file.
        keep_ends: True to leave the ``\\n`` at the end of each line that has one.

    Raises:
        FormatError: see ``read_text``; bytes that are no UTF-8 only when their line is reached.
    """
    with _reading_text(path), path.open(encoding="utf-8-sig") as file:
        try:
            for line in file:
                yield line if keep_ends else line.removesuffix("\n")
        except UnicodeDecodeError:
            read_text(path)  # its error counts bytes from the start of the file
            raise


@contextmanager
def _reading_text(path: Path) -> Iterator[None]:
    """Check the size of a text file, and turn errors of the block into FormatError."""
    try:
        check_regular(path)
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise FormatError(f"{path} is larger than {MAX_TEXT_BYTES >> 30} GiB; not a text list")
        yield
    except FileNotFoundError:
        raise FormatError(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None


def read_json(path: Path) -> Any:
    """Return the value in a JSON file.

    Raises:
        FormatError: missing, unreadable or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:  # both also on huge numbers and deep nesting
        raise FormatError(f"{path} is not JSON: {error}") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if it cannot be read or holds another value."""
    with suppress(FormatError):
        value = read_json(path)
        if isinstance(value, dict):
            return value
    return {}
