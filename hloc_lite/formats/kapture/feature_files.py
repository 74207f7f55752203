"""Binary files of kapture features: in a folder, or in a tar beside or instead of it.

Nothing is unpacked: members of a tar are read by their position.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.io.files import atomic_path
from hloc_lite.io.image_names import is_unicode, leads_out, normalize_name
from hloc_lite.io.regular_files import check_regular

MAX_FILE_BYTES = 2 << 30
"""Larger files (2 GiB) of one image are not read."""
_BLOCK = 512


@dataclass(frozen=True)
class FeatureFiles:
    """Files by name relative to their folder; ``open_files`` makes it."""

    folder: Path
    tar: Path | None
    members: Mapping[str, tuple[int, int]]
    """Name -> (position, size in bytes) in the tar; empty without one."""

    def describe(self, name: str) -> str:
        """Path of a file, for error messages."""
        return f"{self.tar}: {name}" if self.tar else str(self.folder / name)

    def has(self, name: str) -> bool:
        """True if there is a file of that name."""
        if self.tar is not None:
            return name in self.members
        return not leads_out(name) and is_file(self.folder / name)

    def names(self, suffix: str) -> list[str]:
        """Names with a suffix, sorted.

        Raises:
            FormatError: a member of a tar has a name that leads out of the folder.
        """
        if self.tar is None:
            return sorted(_walk(self.folder, suffix))
        found = sorted(name for name in self.members if name.endswith(suffix))
        for name in found:
            _check(name, str(self.tar))
        return found

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FormatError: missing, unreadable, too large, or the name leads out of the folder.
        """
        _check(name, str(self.folder))
        if self.tar is None:
            return _read_bytes(self.folder / name, 0, None, name)
        if name not in self.members:
            raise FormatError(f"{self.tar} has no member {name!r}")
        position, size = self.members[name]
        return _read_bytes(self.tar, position, size, name)


def open_files(folder: Path, tar_name: str) -> FeatureFiles:
    """Open a folder of binary files; if the tar is there, only its members count.

    Args:
        folder: such as ``reconstruction/keypoints/SIFT``.
        tar_name: such as ``keypoints.tar``; not compressed.

    Raises:
        FormatError: no such folder, or a damaged tar.
    """
    tar = folder / tar_name
    if is_file(tar):
        return FeatureFiles(folder, tar, _index(tar))
    if not _is_folder(folder):
        raise FormatError(f"the folder {folder} does not exist")
    return FeatureFiles(folder, None, {})


def write_files(
    folder: Path, files: Iterable[tuple[str, bytes]], tar_name: str | None = None
) -> None:
    """Write binary files into a folder, or into a new tar there, each atomically.

    Raises:
        FormatError: a name that leads out of the folder.
    """
    if tar_name is None:
        for name, data in files:
            _check(name, str(folder))
            with atomic_path(folder / name) as partial:
                partial.write_bytes(data)
        return
    with (
        atomic_path(folder / tar_name) as partial,
        tarfile.open(partial, "w:", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in files:
            _check(name, str(folder))
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def is_file(path: Path) -> bool:
    """True for an existing file; False also for names that the system cannot have."""
    try:
        return path.is_file()
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _index(path: Path) -> dict[str, tuple[int, int]]:
    """Regular files of a tar; of members with the same name the last one counts.

    Raises:
        FormatError: no tar, or damaged.
    """
    members: dict[str, tuple[int, int]] = {}
    check_regular(path)
    try:
        total = path.stat().st_size
        with tarfile.open(path, "r:") as archive:
            before = -1
            for member in archive:
                end = member.offset_data + member.size
                # a negative size would lead back to an earlier member, for ever
                if member.offset <= before or member.size < 0 or end > total:
                    raise FormatError(f"{path} is damaged at byte {member.offset}")
                before = member.offset
                if member.isreg() and not member.issparse():
                    members[normalize_name(member.name)] = member.offset_data, member.size
            stopped_at = archive.offset
        # at a damaged header Python's reader stops as if the archive ended there
        if any(_read_bytes(path, stopped_at, min(_BLOCK, max(total - stopped_at, 0)), "end")):
            raise FormatError(f"{path} is damaged at byte {stopped_at}")
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError, RecursionError,
            LookupError, TypeError, AttributeError) as error:  # fmt: skip
        raise FormatError(f"{path} is no readable tar: {error}") from None
    return members


def _read_bytes(path: Path, position: int, size: int | None, name: str) -> bytes:
    """Bytes of a file; None for the size means all."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            if size is None:
                size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise FormatError(
                    f"{path}: {name} has {size} bytes, more than {MAX_FILE_BYTES >> 30} GiB"
                )
            file.seek(position)
            data = file.read(size)
    except (OSError, ValueError) as error:
        raise FormatError(f"cannot read {path}: {error}") from None
    if len(data) != size:
        raise FormatError(f"{path}: {name} ends after {len(data)} of {size} bytes")
    return data


def _walk(folder: Path, suffix: str) -> Iterable[str]:
    for parent, _, files in os.walk(folder):
        for file in files:
            if file.endswith(suffix):
                yield (Path(parent) / file).relative_to(folder).as_posix()


def _check(name: str, where: str) -> None:
    if not name or leads_out(name) or not is_unicode(name):
        raise FormatError(f"{where}: {name[:200]!r} leaves the folder, or is no file name")
