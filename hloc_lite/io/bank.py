"""Bank: arrays of many items in one HDF5 file.

For each field a bank holds the items' arrays one after another, and their offsets. So a field is
one dataset however many items there are, and any item is read alone. Item keys are any Unicode
text.

All data and HDF5's own structures carry checksums: a damaged file is an error and never gives wrong
numbers. Besides, each array of each item has a digest, which is compared whenever it is read, and
``Bank.digest`` is that of them all: a file that was changed, though it is whole, is an error, too.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.io.error_deferring_file import ErrorDeferringFile
from hloc_lite.io.files import atomic_path
from hloc_lite.io.regular_files import check_regular
from hloc_lite.io.schemas import check_schema

Arrays = Mapping[str, np.ndarray]


class ArrayReader(Protocol):
    """Items of arrays that are read one field at a time: a bank, a store, or a part of one."""

    def read(self, key: str, fields: Iterable[str]) -> dict[str, np.ndarray]:
        """Some of an item's arrays."""

    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int: ...

    def __contains__(self, key: object, /) -> bool: ...


BANK_SCHEMA = "hloc_lite.bank/1"
FILE_VERSION = ("v110", "v110")
"""HDF5's layout since 1.10, the first to have checksums of its own structures."""
DIGEST_BYTES = 8
"""Bytes kept of the sha256 of an array (1.4 GB/s): enough against changes, and 32 bytes a photo."""
MAX_CHUNK_BYTES = 1 << 26
"""Largest chunk of a dataset that is read (64 MB): HDF5 reads chunks whole. Ours have 1 MB."""
BUFFER_BYTES = 4_000_000
"""Arrays are gathered up to this size: each write costs HDF5 0.3 ms, whatever its size."""


def write_bank(path: Path, items: Iterable[tuple[str, Arrays]], attrs: Mapping[str, Any]) -> None:
    """Write a bank atomically; memory holds ``BUFFER_BYTES`` and one item.

    Args:
        path: HDF5 file to write.
        items: key and field -> (N, ...) array. All items have the same fields, dtypes and trailing
            shapes.
        attrs: JSON values to store with them.

    Raises:
        ShapeError: an item has other fields than the first.
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
    digests: dict[str, list[bytes]] = {}
    pending: dict[str, list[np.ndarray]] = {}
    pending_bytes = 0
    for key, arrays in items:
        for field, array in arrays.items() if not keys else ():
            offsets[field], digests[field], pending[field] = [0], [], []
            shape, maxshape = (0, *array.shape[1:]), (None, *array.shape[1:])
            file.create_dataset(
                field, shape, array.dtype, maxshape=maxshape, chunks=True, fletcher32=True
            )
        if arrays.keys() != offsets.keys():
            raise ShapeError(f"{key!r} has fields {[*arrays]}, others have {[*offsets]}")
        keys.append(key)
        for field, array in arrays.items():
            stored = np.ascontiguousarray(array, file[field].dtype)
            offsets[field].append(offsets[field][-1] + len(stored))
            digests[field].append(_digest(stored))
            pending[field].append(stored)
            pending_bytes += array.nbytes
        if pending_bytes > BUFFER_BYTES:
            _append(file, pending)
            pending_bytes = 0
    _append(file, pending)
    for field, values in offsets.items():
        _write_whole(file, f"offsets/{field}", np.array(values, np.int64))
        rows = np.frombuffer(b"".join(digests[field]), np.uint8).reshape(-1, DIGEST_BYTES)
        _write_whole(file, f"digests/{field}", rows)
    header = {"schema": BANK_SCHEMA, "keys": keys, "attrs": dict(attrs)}
    # a dataset, not an attribute: those end at 64 KiB
    encoded = json.dumps(header, ensure_ascii=False).encode()
    _write_whole(file, "header", np.frombuffer(encoded, np.uint8))


def _digest(array: np.ndarray) -> bytes:
    return hashlib.sha256(array.ravel().view(np.uint8).data).digest()[:DIGEST_BYTES]


def _append(file: h5py.File, pending: Mapping[str, list[np.ndarray]]) -> None:
    """Write and clear the pending arrays of each field."""
    for field, arrays in pending.items():
        if not arrays:
            continue
        rows, dataset = np.concatenate(arrays), file[field]
        start = len(dataset)
        dataset.resize(start + len(rows), axis=0)
        dataset[start:] = rows
        arrays.clear()


def _write_whole(file: h5py.File, name: str, array: np.ndarray) -> None:
    file.create_dataset(name, data=array, chunks=True, fletcher32=True)


def _own(group: h5py.Group, name: str) -> Any:
    """Object of a group, if it is in this file: a link could lead to any other one.

    Raises:
        FormatError: it is a link.
    """
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise FormatError(f"{group.file.filename}: {name!r} is missing, or a link")
    return group[name]


def _own_dataset(group: h5py.Group, name: str, max_bytes: int) -> h5py.Dataset:
    """Dataset of plain numbers that are all in this file, as ``write_bank`` writes them.

    Args:
        max_bytes: size of the file. A small file can claim values of any size.

    Raises:
        FormatError: a link, values in other files, compressed ones, or more than the file holds.
    """
    found = _own(group, name)
    is_plain = isinstance(found, h5py.Dataset) and not found.is_virtual and not found.external
    if not is_plain or found.nbytes > max_bytes:
        raise FormatError(f"{group.file.filename}: {name!r} has values that are not in the file")
    settings = found.id.get_create_plist()
    filters = {settings.get_filter(idx)[0] for idx in range(settings.get_nfilters())}
    chunk_bytes = math.prod(found.chunks or ()) * found.dtype.itemsize
    if found.dtype.kind not in "biuf" or filters - {h5py.h5z.FILTER_FLETCHER32}:
        raise FormatError(f"{group.file.filename}: {name!r} is not stored as plain numbers")
    if chunk_bytes > MAX_CHUNK_BYTES:
        raise FormatError(f"{group.file.filename}: {name!r} has chunks of {chunk_bytes} bytes")
    return found


_READ_ERRORS = (OSError, RuntimeError, KeyError, IndexError, ValueError, TypeError)
"""Errors from h5py, and from a header of another layout."""


class Bank(Mapping[str, dict[str, np.ndarray]]):
    """Mapping from item key to its arrays, which are read from disk on access.

    Raises:
        FormatError: the file is not a complete bank; on access also if an array was changed.
    """

    def __init__(self, path: Path) -> None:
        try:
            check_regular(path)
            self._file = h5py.File(path, "r")
        except (OSError, RuntimeError) as error:
            raise FormatError(f"{path} is not a readable bank of arrays: {error}") from None
        try:
            self._open(path.stat().st_size)
        except (*_READ_ERRORS, FormatError) as error:
            self._file.close()
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"{path} is not a readable bank of arrays: {error!r}") from None
        self.path = path

    def _open(self, limit: int) -> None:
        """Read all but the arrays of the items; ``limit`` is the size of the file in bytes."""
        text = bytes(_own_dataset(self._file, "header", limit)[()])
        header = json.loads(text)
        check_schema(header["schema"], BANK_SCHEMA, self._file.filename)
        self.attrs: dict[str, Any] = header["attrs"]
        self._rows = {key: row for row, key in enumerate(header["keys"])}
        offsets = _own(self._file, "offsets") if "offsets" in self._file else {}
        self._offsets = {field: _own_dataset(offsets, field, limit)[()] for field in offsets}
        digests = _own(self._file, "digests") if "digests" in self._file else {}
        self._digests = {field: _own_dataset(digests, field, limit)[()] for field in digests}
        # datasets are opened once: that takes as long as reading an item
        self._fields = {field: _own_dataset(self._file, field, limit) for field in offsets}
        if self._digests.keys() - self._offsets.keys() or any(
            rows.shape != (len(self._rows), DIGEST_BYTES) for rows in self._digests.values()
        ):
            raise FormatError(f"{self._file.filename}: its digests do not fit its items")
        whole = hashlib.sha256(text)
        for group in (self._offsets, self._digests):
            for field in sorted(group):
                whole.update(field.encode() + b"\0" + group[field].tobytes())
        self.digest = whole.hexdigest()
        """sha256 of keys, attributes, and the digests of all arrays."""

    def __getitem__(self, key: str) -> dict[str, np.ndarray]:
        return self.read(key)

    def read(self, key: str, fields: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """Return the arrays of an item, or only some of its fields."""
        row = self._rows[key]
        wanted = self._offsets if fields is None else fields
        try:
            found = {
                f: self._fields[f][self._offsets[f][row] : self._offsets[f][row + 1]]
                for f in wanted
            }
        except _READ_ERRORS as error:
            raise FormatError(f"{self.path}: cannot read {key!r}: {error}") from None
        for field, array in found.items():
            # banks of versions before 0.3 have no digests
            if field in self._digests and _digest(array) != self._digests[field][row].tobytes():
                raise FormatError(f"{self.path}: {field!r} of {key!r} was changed")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def close(self) -> None:
        """Close the file."""
        self._file.close()
