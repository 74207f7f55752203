"""HDF5 files of unknown origin: only values that lie in the file itself are read.

External and soft links are never followed, and neither are external storage and virtual datasets.
Sizes are checked before memory is reserved: a small file can claim values of any size. HDF5 itself
is not hardened: circles in its object headers make it use up the memory before it fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.io.error_deferring_file import ErrorDeferringFile, T
from hloc_lite.io.files import atomic_path
from hloc_lite.io.number_range import MAX_NUMBER, in_range

MAX_DEPTH = 64
"""Largest number of folders of an image name."""
MAX_COMPRESSION = 1100
"""Largest ratio of values to stored bytes; deflate reaches 1032."""
MAX_DATASET_BYTES = 512 << 20
"""Larger datasets of one image are not read: 250,000 descriptors of 512 numbers."""
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK_BYTES = 52
_END_ADDRESS = {0: 40, 1: 44, 2: 28, 3: 28}
"""Version of the superblock -> byte at which the size of the file stands, in 8 bytes."""
H5_ERRORS = (
    OSError, RuntimeError, KeyError, IndexError, ValueError, TypeError, OverflowError, MemoryError,
)  # fmt: skip
"""Errors that h5py raises on damaged files."""


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn the errors that h5py raises in the block into FormatError."""
    try:
        yield
    except H5_ERRORS as error:
        raise FormatError(f"{path}: cannot read {what}: {str(error)[:300]}") from None


def open_h5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises:
        FormatError: missing, no HDF5 file, truncated, or locked by a program that writes it.
    """
    if not path.is_file():
        raise FormatError(f"{path} does not exist, or is no file")
    try:
        file = h5py.File(path, "r", locking="best-effort")
    except H5_ERRORS as error:
        raise FormatError(
            f"{path} is not a readable HDF5 file, or another program is writing it: {error}"
        ) from None
    stated = _stated_size(path)
    if stated is not None and stated != path.stat().st_size:
        file.close()
        raise FormatError(
            f"{path} has {path.stat().st_size} bytes, its head states {stated}: it is damaged, or "
            f"the program that wrote it was ended. Write it again, or copy it again"
        )
    return file


def _stated_size(path: Path) -> int | None:
    """Size of a file in bytes that its superblock states; None for versions that are not known.

    Source: HDF5 File Format Specification, section II.A, "End of File Address".
    """
    with path.open("rb") as file:
        head = file.read(_SUPERBLOCK_BYTES)
    if len(head) < _SUPERBLOCK_BYTES or not head.startswith(_SIGNATURE):
        return None  # other data before the superblock: HDF5 allows it
    version = head[8]
    start = _END_ADDRESS.get(version)
    if start is None or head[9 if version >= 2 else 13] != 8:
        return None
    return int.from_bytes(head[start : start + 8], "little")


@contextmanager
def written_h5(path: Path, items: Iterable[T]) -> Iterator[tuple[h5py.File, Iterator[T]]]:
    """Write an HDF5 file that replaces ``path`` if the block raises no error.

    Yields:
        The file, and the items, which must be taken from here: a full disk ends them.
    """
    with atomic_path(path) as partial, partial.open("w+b", buffering=0) as raw:
        target = ErrorDeferringFile(raw)
        with h5py.File(target, "w") as file:
            yield file, target.checked(items)
        target.check()


def groups_with(file: h5py.File, path: Path, marker: str) -> list[str]:
    """Paths of all groups that hold a dataset named ``marker``, in the order of their names.

    Raises:
        FormatError: a group that is reached in two ways, deeper than ``MAX_DEPTH``, or with a name
            that is not UTF-8.
    """
    found: list[str] = []
    wanted, seen = marker.encode(), set[Any]()
    pending = [b""]
    while pending:
        prefix = pending.pop()
        if prefix.count(b"/") >= MAX_DEPTH:
            raise FormatError(f"{path}: groups are nested deeper than {MAX_DEPTH} levels")
        with reading(path, "the list of its groups"):
            group = h5py.h5g.open(file.id, b"/" + prefix)
            info = h5py.h5o.get_info(group)
            if (info.fileno, info.addr) in seen:
                raise FormatError(f"{path}: group {prefix[:200]!r} is linked twice")
            seen.add((info.fileno, info.addr))
            children = [name for name in group if _is_hard(group, name)]
            kinds = {name: h5py.h5o.get_info(group, name).type for name in children}
        if kinds.get(wanted) == h5py.h5o.TYPE_DATASET:
            found.append(_text(prefix, path))
        inner = [name for name in children if kinds[name] == h5py.h5o.TYPE_GROUP]
        pending += [prefix + b"/" + name if prefix else name for name in reversed(inner)]
    return found


def _is_hard(group: Any, name: bytes) -> bool:
    return bool(group.links.get_info(name).type == h5py.h5l.TYPE_HARD)


def _text(name: bytes, path: Path) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{path}: the name {name[:200]!r} is not UTF-8") from None


def own_group(file: h5py.File, path: Path, name: str) -> h5py.Group | None:
    """Group at a path of hard links; None if there is none.

    Raises:
        FormatError: a link that leads elsewhere, or a dataset in place of the group.
    """
    group: Any = file
    with reading(path, f"{name!r}"):
        for part in name.split("/"):
            if not _has_link(group, part):
                return None
            if not isinstance(group.get(part, getlink=True), h5py.HardLink):
                raise FormatError(f"{path}: {name!r} is a link; links are not followed")
            group = group[part]
            if not isinstance(group, h5py.Group):
                raise FormatError(f"{path}: {name!r} is expected to be a group, got a dataset")
    return group


def _has_link(group: h5py.Group, part: str) -> bool:
    """True if there is such a link, even a broken one; ``in`` would open the files it leads to."""
    return bool(group.id.links.exists(part.encode("utf-8", "surrogateescape")))


def own_numbers(
    group: h5py.Group, path: Path, field: str, kinds: str = "fiu"
) -> np.ndarray[Any, np.dtype[Any]] | None:
    """Values of a dataset of a group; None if there is none.

    Args:
        group: group of an image or pair.
        path: file, for messages.
        field: name of the dataset.
        kinds: NumPy's letters of the accepted kinds of numbers.

    Raises:
        FormatError: a link, values outside of the file, more values than the file can hold, or no
            numbers of these kinds.
    """
    where = f"{path}: {group.name}/{field}"
    with reading(path, f"{group.name}/{field}"):
        if not _has_link(group, field):
            return None
        if not isinstance(group.get(field, getlink=True), h5py.HardLink):
            raise FormatError(f"{where} is a link; links are not followed")
        dataset = group[field]
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            raise FormatError(f"{where}: expected an array of numbers")
        if dataset.is_virtual or dataset.external:
            raise FormatError(f"{where}: its values lie in other files, which are not read")
        if dataset.dtype.kind not in kinds or dataset.dtype.itemsize > 8:
            raise FormatError(f"{where}: expected numbers, got {dataset.dtype}")
        stored, size = int(dataset.id.get_storage_size()), path.stat().st_size
        claimed = int(dataset.nbytes)
        if stored > size or claimed > min(MAX_COMPRESSION * stored, MAX_DATASET_BYTES):
            raise FormatError(
                f"{where} claims {dataset.shape} values, {claimed} bytes, of which {stored} are "
                f"stored in a file of {size} bytes"
            )
        return np.asarray(dataset[()])


def own_number(holder: Any, path: Path, name: str) -> float | None:
    """Value of a numeric attribute; None if there is none.

    Raises:
        FormatError: it is not one finite number.
    """
    with reading(path, f"attribute {name!r} of {holder.name}"):
        if name not in holder.attrs:
            return None
        attribute = holder.attrs.get_id(name)
        if attribute.dtype.kind not in "fiu" or int(np.prod(attribute.shape)) != 1:
            raise FormatError(f"{path}: attribute {name!r} of {holder.name} is not a number")
        value = float(np.asarray(holder.attrs[name]).reshape(()))
    if not np.isfinite(value):
        raise FormatError(f"{path}: attribute {name!r} of {holder.name} is not finite")
    return value


def finite_float32(
    values: np.ndarray[Any, np.dtype[Any]], where: str
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Values as float32.

    Raises:
        FormatError: a value that is not finite, or larger than ``MAX_NUMBER``.
    """
    if not in_range(values):
        raise FormatError(f"{where}: all numbers must be finite and at most {MAX_NUMBER:g}")
    return values.astype(np.float32, copy=False)
