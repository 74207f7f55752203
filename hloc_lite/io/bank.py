"""Arrays of many items in one HDF5 file, and folders of such files that survive a kill.

A *bank* holds, for each field, the items' arrays one after another plus their offsets: one dataset
a field however many items there are, and any item is read alone. Item keys are any Unicode text.
A *sharded store* is a folder of small banks: each is written under a temporary name and renamed, so
what was computed before a kill is there afterwards, whole.

All data and HDF5's own structures carry checksums: a damaged file is an error, never wrong numbers.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hloc_lite.errors import FormatError, ShapeError, StaleArtefactError
from hloc_lite.io.error_deferring_file import ErrorDeferringFile
from hloc_lite.io.files import atomic_path, read_json, write_json_atomic

logger = logging.getLogger(__name__)
Arrays = Mapping[str, np.ndarray]
BANK_SCHEMA = "hloc_lite.bank/1"
FILE_VERSION = ("v110", "v110")
"""HDF5's layout since 1.10, the first with checksums of its own structures."""
BUFFER_BYTES = 4_000_000
"""Written at once: each write costs HDF5 0.3 ms, whatever its size."""
MAX_OPEN_SHARDS = 32
"""Far below the usual limit of 1024 open files a process."""


def write_bank(path: Path, items: Iterable[tuple[str, Arrays]], attrs: Mapping[str, Any]) -> None:
    """Write items (key, field -> (N, ...) array); memory holds ``BUFFER_BYTES`` and one of them.

    All items have the same fields, dtypes and trailing shapes.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    with atomic_path(path) as partial, partial.open("w+b", buffering=0) as raw:
        target = ErrorDeferringFile(raw)
        with h5py.File(target, "w", libver=FILE_VERSION) as file:
            _write_items(file, target.checked(items), attrs)
        target.check()


def _write_items(
    file: h5py.File, items: Iterable[tuple[str, Arrays]], attrs: Mapping[str, Any]
) -> None:
    keys: list[str] = []
    offsets: dict[str, list[int]] = {}
    waiting: dict[str, list[np.ndarray]] = {}
    waiting_bytes = 0
    for key, arrays in items:
        for field, array in arrays.items() if not keys else ():
            offsets[field], waiting[field] = [0], []
            shape, maxshape = (0, *array.shape[1:]), (None, *array.shape[1:])
            file.create_dataset(
                field, shape, array.dtype, maxshape=maxshape, chunks=True, fletcher32=True
            )
        if arrays.keys() != offsets.keys():
            raise ShapeError(f"{key!r} has fields {[*arrays]}, others have {[*offsets]}")
        keys.append(key)
        for field, array in arrays.items():
            offsets[field].append(offsets[field][-1] + len(array))
            waiting[field].append(array)
            waiting_bytes += array.nbytes
        if waiting_bytes > BUFFER_BYTES:
            waiting_bytes = _append(file, waiting)
    _append(file, waiting)
    for field, values in offsets.items():
        _write_whole(file, f"offsets/{field}", np.array(values, np.int64))
    header = {"schema": BANK_SCHEMA, "keys": keys, "attrs": dict(attrs)}
    # a dataset, not an attribute: those end at 64 KiB
    encoded = json.dumps(header, ensure_ascii=False).encode()
    _write_whole(file, "header", np.frombuffer(encoded, np.uint8))


def _append(file: h5py.File, waiting: Mapping[str, list[np.ndarray]]) -> int:
    """Write and forget the arrays that wait for each field; 0, the bytes still waiting."""
    for field, arrays in waiting.items():
        if not arrays:
            continue
        rows, dataset = np.concatenate(arrays), file[field]
        start = len(dataset)
        dataset.resize(start + len(rows), axis=0)
        dataset[start:] = rows
        arrays.clear()
    return 0


def _write_whole(file: h5py.File, name: str, array: np.ndarray) -> None:
    file.create_dataset(name, data=array, chunks=True, fletcher32=True)


_READ_ERRORS = (OSError, RuntimeError, KeyError, IndexError, ValueError, TypeError)
"""What h5py and a header of another layout raise."""


class Bank(Mapping[str, dict[str, np.ndarray]]):
    """Reads a bank: a mapping from key to its arrays, read from disk when asked for."""

    def __init__(self, path: Path) -> None:
        """Raises FormatError if the file is not a whole bank."""
        try:
            self._file = h5py.File(path, "r")
        except (OSError, RuntimeError) as error:
            raise FormatError(f"{path} is not a readable bank of arrays: {error}") from None
        try:
            header = json.loads(bytes(self._file["header"][()]))
            if header["schema"] != BANK_SCHEMA:
                raise FormatError(f"{path}: expected schema {BANK_SCHEMA}, got {header['schema']}")
            self.attrs: dict[str, Any] = header["attrs"]
            self._rows = {key: row for row, key in enumerate(header["keys"])}
            offsets = self._file.get("offsets", {})
            self._offsets = {field: offsets[field][()] for field in offsets}
            # opened once: it takes as long as reading an item
            self._fields = {field: self._file[field] for field in offsets}
        except (*_READ_ERRORS, FormatError) as error:
            self._file.close()
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"{path} is not a readable bank of arrays: {error!r}") from None
        self.path = path

    def __getitem__(self, key: str) -> dict[str, np.ndarray]:
        return self.read(key)

    def read(self, key: str, fields: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """The arrays of an item, or only some of its fields."""
        row = self._rows[key]
        wanted = self._offsets if fields is None else fields
        try:
            return {
                f: self._fields[f][self._offsets[f][row] : self._offsets[f][row + 1]]
                for f in wanted
            }
        except _READ_ERRORS as error:
            raise FormatError(f"{self.path}: cannot read {key!r}: {error}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def close(self) -> None:
        self._file.close()


_SHARD = re.compile(r"shard-([0-9]{6,})\.(?:h5|broken)")
_OWN_FILE = re.compile(rf"{_SHARD.pattern}|store\.json|\..+\.partial")


class ShardedStore(Mapping[str, dict[str, np.ndarray]]):
    """Key -> arrays on disk, added to in the course of a long computation."""

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        what: str,
        *,
        flush_s: float = 10.0,
        flush_mb: float = 64,
    ) -> None:
        """Open or begin the store of ``what`` made with ``fingerprint``.

        Items are committed when ``flush_mb`` megabytes or ``flush_s`` seconds have gathered: that
        much is at risk when the process is killed.

        Raises:
            StaleArtefactError: the folder was made with another fingerprint.
        """
        self._folder, self._flush_s, self._flush_mb = folder, flush_s, flush_mb
        check_fingerprint(folder / "store.json", fingerprint, what)
        self._where: dict[str, Path] = {}
        self._open: OrderedDict[Path, Bank] = OrderedDict()
        self._pending: dict[str, Arrays] = {}
        self._pending_bytes = 0
        self._last_flush = time.monotonic()
        for path in sorted(folder.glob("*.h5")):
            if _SHARD.fullmatch(path.name):
                self._adopt(path)
        for path in folder.glob(".*.partial"):
            path.unlink(missing_ok=True)

    def _adopt(self, path: Path) -> None:
        try:
            bank = Bank(path)
        except FormatError as error:
            logger.warning("%s; its items are computed again", error)
            path.replace(path.with_suffix(".broken"))
            return
        self._where.update(dict.fromkeys(bank, path))
        self._keep_open(path, bank)

    def _bank(self, path: Path) -> Bank:
        bank = self._open.pop(path) if path in self._open else Bank(path)
        return self._keep_open(path, bank)

    def _keep_open(self, path: Path, bank: Bank) -> Bank:
        self._open[path] = bank
        if len(self._open) > MAX_OPEN_SHARDS:
            self._open.popitem(last=False)[1].close()
        return bank

    def add(self, key: str, arrays: Arrays) -> None:
        """Keep an item; on disk at the latest with the next ``flush``."""
        self._pending[key] = arrays
        self._pending_bytes += sum(array.nbytes for array in arrays.values())
        if (
            self._pending_bytes > 1e6 * self._flush_mb
            or time.monotonic() - self._last_flush > self._flush_s
        ):
            self.flush()

    def flush(self) -> None:
        """Commit what was added since the last time."""
        self._last_flush = time.monotonic()
        if not self._pending:
            return
        found = (_SHARD.fullmatch(path.name) for path in self._folder.iterdir())
        last = max((int(match[1]) for match in found if match), default=-1)
        path = self._folder / f"shard-{last + 1:06d}.h5"
        write_bank(path, self._pending.items(), {})
        bank = Bank(path)  # a disk that does not give back what it took is an error now
        self._where.update(dict.fromkeys(bank, path))
        self._keep_open(path, bank)
        self._pending, self._pending_bytes = {}, 0

    def read(self, key: str, fields: Iterable[str]) -> dict[str, np.ndarray]:
        """Some of an item's arrays."""
        if key in self._pending:
            return {field: self._pending[key][field] for field in fields}
        return self._read(key, fields)

    def __getitem__(self, key: str) -> dict[str, np.ndarray]:
        if key in self._pending:
            return dict(self._pending[key])
        return self._read(key, None)

    def _read(self, key: str, fields: Iterable[str] | None) -> dict[str, np.ndarray]:
        path = self._where[key]
        try:
            return self._bank(path).read(key, fields)
        except FormatError as error:
            if path.is_file():  # it must not be met again
                path.replace(path.with_suffix(".broken"))
            raise FormatError(f"{error}. Run again: what was in this file is made anew") from None

    def __iter__(self) -> Iterator[str]:
        return iter({**self._where, **self._pending})

    def __len__(self) -> int:
        return len({**self._where, **self._pending})

    def __contains__(self, key: object) -> bool:
        return key in self._pending or key in self._where

    def clear(self) -> None:
        """Delete all items."""
        self._pending, self._pending_bytes = {}, 0
        for bank in self._open.values():
            bank.close()
        self._open.clear()
        self._where.clear()
        for path in list(self._folder.iterdir()):
            if _SHARD.fullmatch(path.name):
                path.unlink()

    def close(self) -> None:
        """Commit and close all files."""
        self.flush()
        for bank in self._open.values():
            bank.close()
        self._open.clear()


def is_store(folder: Path) -> bool:
    """Whether the folder is a ``ShardedStore``'s."""
    try:
        header = read_json(folder / "store.json")
    except FormatError:
        return False
    return isinstance(header, dict) and header.get("schema") == BANK_SCHEMA


def delete_store(folder: Path) -> None:
    """Delete a closed store's files, and its folder if it holds no others."""
    for path in list(folder.iterdir()):
        if _OWN_FILE.fullmatch(path.name) and path.is_file():
            path.unlink()
    with suppress(OSError):
        folder.rmdir()


def check_fingerprint(path: Path, fingerprint: str, what: str) -> None:
    """Record ``fingerprint`` in a JSON file, or compare with the one recorded.

    Raises:
        StaleArtefactError: with both, if they differ.
    """
    if path.is_file():
        header = read_json(path)
        found = header.get("fingerprint") if isinstance(header, dict) else None
        if found != fingerprint:
            raise StaleArtefactError(
                f"{what} in {path.parent} were made with other settings, weights or images: "
                f"fingerprint {found} there, {fingerprint} asked for. Use --overwrite to compute "
                f"them again, or another output folder"
            )
        return
    write_json_atomic(path, {"schema": BANK_SCHEMA, "what": what, "fingerprint": fingerprint})
