"""Folder of named arrays (.npy) with a header.

FOLDER/map.json      schema, the writer's own entries, size and CRC-32 of each file; written last
FOLDER/GROUP/X.npy   one array each (``array_file``)

A new folder is written whole in FOLDER/.new before it replaces the old content (``io.staging``): a
process that is killed leaves the old content or the new one. All bytes are compared with their
checksums when a folder is opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.io.array_file import read_array, write_array
from hloc_lite.io.files import read_json_object, write_json_atomic
from hloc_lite.io.locks import exclusive_lock
from hloc_lite.io.schemas import read_header_file, with_checksum
from hloc_lite.io.staging import (
    HEADER,
    LOCK,
    STAGED,
    check_no_links,
    current_file,
    delete_files,
    foreign_files,
    in_use,
    move_staged_files,
)

_NAME = re.compile(r"[a-z_]+(/[A-Za-z0-9_-]+)+")

Arrays = Mapping[str, np.ndarray]


def write_array_folder(
    folder: Path, schema: str, arrays: Arrays, header: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Write arrays under names such as ``landmarks/xyz``.

    Args:
        folder: new, empty, or with an array folder of this schema.
        schema: name and version of the content, for the header.
        arrays: by name.
        header: further JSON entries.
        overwrite: replace an array folder that is there.

    Raises:
        HlocLiteError: the folder holds other files, or an array folder and ``overwrite`` is false;
            another process is writing there; or it cannot be written.
    """
    bad = [name for name in arrays if not _NAME.fullmatch(name)]
    if bad:
        raise FormatError(f"array names are GROUP/NAME in letters, digits, _ and -; got {bad[:3]}")
    files = [f"{name}.npy" for name in arrays]
    _check_replaceable(folder, schema, files, overwrite=overwrite)
    with _locked(folder):
        # again: another process may have finished meanwhile
        _check_replaceable(folder, schema, files, overwrite=overwrite)
        _write(folder, schema, arrays, header)


def _write(folder: Path, schema: str, arrays: Arrays, header: Mapping[str, Any]) -> None:
    staged = folder / STAGED
    check_no_links(folder, [f"{name}.npy" for name in arrays])
    try:
        left = {name for name in _listed(staged) if (staged / name).is_file()}
        # complete, but its writer was killed while moving it
        if _schema(staged) == schema and not _replace_files(folder, left):
            raise in_use(folder)
        delete_files(staged, {*(f"{name}.npy" for name in arrays), HEADER})
        recorded = {}
        for name, array in arrays.items():
            recorded[f"{name}.npy"] = write_array(staged / f"{name}.npy", array)
        whole = {"schema": schema, **header, "files": recorded}
        write_json_atomic(staged / HEADER, with_checksum(whole))
        _replace_files(folder, set(recorded))
    except OSError as error:
        raise HlocLiteError(f"cannot write {folder}: {error}") from error


def read_array_folder(folder: Path, schema: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays, read-only.

    Raises:
        FormatError: no such folder, another schema, or a file that is missing, damaged or changed.
    """
    header = read_header(folder, schema)
    names = [name.removesuffix(".npy") for name in header["files"]]
    return header, {name: read_listed_array(folder, header, name) for name in names}


def read_header(folder: Path, schema: str) -> dict[str, Any]:
    """Return the header, for folders whose arrays are opened one by one.

    Raises:
        FormatError: no such folder, another schema, or a damaged header.
    """
    header = read_header_file(current_file(folder, HEADER), schema, folder / HEADER)
    for name, recorded in header["files"].items():
        if not _NAME.fullmatch(name.removesuffix(".npy")):
            raise FormatError(f"{folder / HEADER} names {name!r}, which is no file of a map")
        if not isinstance(recorded, dict) or not {"bytes", "crc32"} <= recorded.keys():
            raise FormatError(f"{folder / HEADER} has no size and checksum of {name}")
    return header


def read_listed_array(folder: Path, header: Mapping[str, Any], name: str) -> np.ndarray:
    """Return one array, read-only, after comparing its bytes with their checksum.

    Raises:
        FormatError: the header does not list it, or its file is missing, damaged or changed.
    """
    return read_array(*listed_file(folder, header, name))


def listed_file(
    folder: Path, header: Mapping[str, Any], name: str
) -> tuple[Path, Mapping[str, Any]]:
    """Path of an array, and the size and checksum that the header records (``array_file``).

    Raises:
        FormatError: the header does not list it.
    """
    recorded = header["files"].get(f"{name}.npy")
    if recorded is None:
        raise FormatError(f"{folder / HEADER} lists no array {name!r}")
    return current_file(folder, f"{name}.npy"), recorded


def delete_array_folder(folder: Path) -> None:
    """Delete the files of an array folder, and the folder if it is then empty."""
    for each in (folder / STAGED, folder):
        delete_files(each, [*_listed(each), HEADER])
    with suppress(OSError):
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()


def _check_replaceable(folder: Path, schema: str, files: list[str], *, overwrite: bool) -> None:
    """Raise HlocLiteError unless an array folder may be written there."""
    if folder.exists() and not folder.is_dir():
        raise HlocLiteError(f"{folder} is a file, expected a new or empty folder")
    is_complete = _schema(folder) == schema
    if is_complete and not overwrite:
        raise HlocLiteError(f"{folder} holds one already; give --overwrite to replace it")
    if is_complete or _schema(folder / STAGED) == schema:
        return  # an array folder, or one whose writer was killed while moving files
    own = {LOCK, *(f"{STAGED}/{name}" for name in (*files, HEADER))}
    foreign = next(foreign_files(folder, own), None)
    if foreign is not None:
        raise HlocLiteError(
            f"{folder} is not empty (there is {foreign!r}), and must not be mixed with other "
            f"files; choose a new folder"
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    busy = f"another process is writing {folder}; wait for it, or choose another folder"
    try:
        with exclusive_lock(folder / LOCK, HlocLiteError(busy), lambda e: _unwritable(folder, e)):
            yield
    finally:
        with suppress(OSError):  # empty if nothing was written
            folder.rmdir()


def _unwritable(folder: Path, error: OSError) -> HlocLiteError:
    return HlocLiteError(f"cannot write {folder}: {error.strerror or error}")


def _replace_files(folder: Path, unmoved: set[str]) -> bool:
    """Replace the content by the staged one, of which these files are not moved yet.

    Returns:
        True if all could be moved.
    """
    old, new = _listed(folder), _listed(folder / STAGED)
    # the old header stays until the end: it lists the old files
    if not move_staged_files(folder, unmoved):
        return False
    delete_files(folder, old - new)
    if not move_staged_files(folder, [HEADER]):
        return False
    delete_files(folder / STAGED, new)
    return True


def _listed(folder: Path) -> set[str]:
    """Return the files that a folder's header lists; empty without a readable header."""
    files = read_json_object(folder / HEADER).get("files")
    if not isinstance(files, dict):
        return set()
    return {name for name in files if _NAME.fullmatch(name.removesuffix(".npy"))}


def _schema(folder: Path) -> object:
    return read_json_object(folder / HEADER).get("schema")


def json_array(value: Any) -> np.ndarray:
    """Encode JSON as an array of bytes, to store text among the arrays."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return np.frombuffer(text.encode(), np.uint8)


def json_of(array: np.ndarray) -> Any:
    """Decode the value that ``json_array`` encoded.

    Raises:
        FormatError: the bytes are not JSON.
    """
    try:
        return json.loads(bytes(array))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"these bytes are not JSON: {error}") from None
