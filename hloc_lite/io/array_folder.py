"""A folder of named arrays (.npy) with a header: opened by mapping its files into memory.

FOLDER/map.json      schema, the writer's own words, size and CRC-32 of each file; written last
FOLDER/GROUP/X.npy   one array each (``array_file``)

A new folder is written whole in FOLDER/.new before it takes the place of what is there, so that a
kill leaves the old one or the new one, or says that it left neither. All bytes are compared with
their checksums when a folder is opened.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import fingerprint
from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.io.array_file import read_array, write_array
from hloc_lite.io.files import read_json, write_json_atomic
from hloc_lite.io.locks import only_process

HEADER = "map.json"
STAGED = ".new"
LOCK = ".lock"
"""There while a process writes; what a killed one leaves of it locks nothing."""
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""What file managers leave in empty folders."""
_NAME = re.compile(r"[a-z_]+(/[A-Za-z0-9_-]+)+")

Arrays = Mapping[str, np.ndarray]


def write_array_folder(
    folder: Path, schema: str, arrays: Arrays, header: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Write arrays, by names such as ``landmarks/xyz``.

    Raises:
        HlocLiteError: the folder holds other files than one of this schema, or a whole one and
            ``overwrite`` is false; another process is writing there; or it cannot be written.
    """
    bad = [name for name in arrays if not _NAME.fullmatch(name)]
    if bad:
        raise FormatError(f"array names are GROUP/NAME in letters, digits, _ and -; got {bad[:3]}")
    files = [f"{name}.npy" for name in arrays]
    check_replaceable(folder, schema, files, overwrite=overwrite)
    with _locked(folder):
        check_replaceable(folder, schema, files, overwrite=overwrite)  # another may have finished
        _write(folder, schema, arrays, header)


def _write(folder: Path, schema: str, arrays: Arrays, header: Mapping[str, Any]) -> None:
    files = [f"{name}.npy" for name in arrays]
    staged = folder / STAGED
    try:
        _delete(folder, _listed(staged) - _listed(folder))  # put there by a run that was killed
        _delete(staged, {*files, *_listed(staged)})
        recorded = {}
        for name, array in arrays.items():
            recorded[f"{name}.npy"] = write_array(staged / f"{name}.npy", array)
        whole = {"schema": schema, **header, "files": recorded}
        write_json_atomic(staged / HEADER, {**whole, "checksum": fingerprint(whole)})
        _put_in_place(folder, staged, files)
    except OSError as error:
        raise HlocLiteError(f"cannot write {folder}: {error}") from error


def read_array_folder(folder: Path, schema: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header, and the arrays, read-only.

    Raises:
        FormatError: no such folder, another schema, or a file that is missing, damaged or changed.
    """
    header = read_json(folder / HEADER)
    if not isinstance(header, dict) or header.get("schema") != schema:
        found = header.get("schema") if isinstance(header, dict) else header
        raise FormatError(f"{folder / HEADER}: expected schema {schema}, got {found!r}")
    plain = {key: value for key, value in header.items() if key != "checksum"}
    files = header.get("files")
    if not isinstance(files, dict) or header.get("checksum") != fingerprint(plain):
        raise FormatError(f"{folder / HEADER} is damaged or was changed")
    arrays = {}
    for name, recorded in files.items():
        if not _NAME.fullmatch(name.removesuffix(".npy")):
            raise FormatError(f"{folder / HEADER} names {name!r}, which is no file of a map")
        arrays[name.removesuffix(".npy")] = read_array(folder / name, recorded)
    return header, arrays


def check_replaceable(folder: Path, schema: str, files: list[str], *, overwrite: bool) -> None:
    """Raises HlocLiteError unless an array folder may be written there."""
    if folder.exists() and not folder.is_dir():
        raise HlocLiteError(f"{folder} is a file, expected a new or empty folder")
    whole = _schema(folder) == schema
    if whole and not overwrite:
        raise HlocLiteError(f"{folder} holds one already; give --overwrite to replace it")
    if whole or _schema(folder / STAGED) == schema:
        return  # ours, or a swap that was killed
    ours = {LOCK, *(f"{STAGED}/{name}" for name in (*files, HEADER))}
    foreign = next((name for name in _files(folder) if name not in ours), None)
    if foreign is not None:
        raise HlocLiteError(
            f"{folder} is not empty (there is {foreign!r}), and must not be mixed with other "
            f"files; choose a new folder"
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    busy = f"another process is writing {folder}; wait for it, or choose another folder"
    try:
        with only_process(folder / LOCK, busy, lambda error: _unwritable(folder, error)):
            yield
    finally:
        with suppress(OSError):  # nothing came of it
            folder.rmdir()


def _unwritable(folder: Path, error: OSError) -> HlocLiteError:
    return HlocLiteError(f"cannot write {folder}: {error.strerror or error}")


def _put_in_place(folder: Path, staged: Path, files: list[str]) -> None:
    old = _listed(folder)
    # the old header stays until the end: it says whose files these are, and that they are not whole
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).replace(folder / name)
    _delete(folder, old - set(files))
    (staged / HEADER).replace(folder / HEADER)
    _delete(staged, set(files))


def _delete(folder: Path, files: set[str]) -> None:
    """These files, and folders that are empty without them."""
    for name in files | {HEADER} if folder.name == STAGED else files:
        path = folder / name
        for each in (path, *path.parent.glob(f".{path.name}.*.partial")):
            each.unlink(missing_ok=True)
    for each in sorted({(folder / name).parent for name in files} | {folder}, reverse=True):
        with suppress(OSError):
            each.rmdir()


def _listed(folder: Path) -> set[str]:
    """Files that the header in a folder names as its own."""
    files = _header(folder).get("files")
    if not isinstance(files, dict):
        return set()
    return {name for name in files if _NAME.fullmatch(name.removesuffix(".npy"))}


def _schema(folder: Path) -> object:
    return _header(folder).get("schema")


def _header(folder: Path) -> dict[str, Any]:
    """As it stands, unchecked; empty where there is none to be read."""
    with suppress(FormatError):
        header = read_json(folder / HEADER)
        if isinstance(header, dict):
            return header
    return {}


def _files(folder: Path) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            partial = name.startswith(".") and name.endswith(".partial")
            if name not in _LITTER and not partial:
                yield Path(parent, name).relative_to(folder).as_posix()


def json_array(value: Any) -> np.ndarray:
    """JSON as bytes, for text among the arrays."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return np.frombuffer(text.encode(), np.uint8)


def json_of(array: np.ndarray) -> Any:
    """What ``json_array`` was given.

    Raises:
        FormatError: the bytes are no JSON.
    """
    try:
        return json.loads(bytes(array))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"these bytes are not JSON: {error}") from None
