"""Safe unpacking of zip and tar archives: no member leaves the folder."""

from __future__ import annotations

import logging
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path
from typing import IO

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.io.image_names import leads_out
from hloc_lite.io.regular_files import check_regular

logger = logging.getLogger(__name__)
MAX_RATIO = 200
"""Archives may unpack to so many times their size; photos and scans stay far below it."""
MIN_LIMIT_BYTES = 1 << 30
"""Small archives, of text that packs well, may unpack to this size (1 GiB) in any case."""
MAX_MEMBERS = 20_000_000
_CHUNK_BYTES = 1 << 20


@dataclass
class _Budget:
    """Bytes and files that may still be written."""

    archive: Path
    bytes: int
    members: int

    def spend(self, size: int) -> None:
        self.bytes -= size
        if self.bytes < 0:
            raise FormatError(
                f"{self.archive} unpacks to more than {MAX_RATIO} times its size: it is damaged, "
                f"or made to fill the disk"
            )

    def spend_member(self) -> None:
        self.members -= 1
        if self.members < 0:
            raise FormatError(f"{self.archive} has more than {MAX_MEMBERS} files")


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a zip or tar archive (also gz, bz2, xz) into a folder; returns the number of files.

    Links and special files are left out with a warning. Files that exist are replaced.

    Raises:
        FormatError: no such archive, damaged, encrypted, a name that leads out of the folder, or
            too many bytes.
        HlocLiteError: the folder cannot be written.
    """
    check_regular(archive)
    try:
        size = archive.stat().st_size
    except OSError as error:
        raise FormatError(f"cannot read {archive}: {error.strerror or error}") from None
    budget = _Budget(archive, max(MIN_LIMIT_BYTES, MAX_RATIO * size), MAX_MEMBERS)
    with _format_errors(archive):
        if zipfile.is_zipfile(archive):
            return _unpack_zip(archive, folder, budget)
        if tarfile.is_tarfile(archive):
            return _unpack_tar(archive, folder, budget)
    raise FormatError(f"{archive} is neither a zip nor a tar archive")


@contextmanager
def _format_errors(archive: Path) -> Iterator[None]:
    """Turn what damaged archives raise into FormatError."""
    try:
        yield
    except (
        zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, ValueError,
        NotImplementedError, OverflowError,
    ) as error:  # fmt: skip
        raise FormatError(f"{archive} is damaged: {error}") from None
    except RuntimeError as error:  # zipfile's, for encrypted members
        raise FormatError(f"{archive}: {error}") from None
    except OSError as error:
        if error.filename is None and error.errno is None:  # gzip.BadGzipFile and the like
            raise FormatError(f"{archive} is damaged: {error}") from None
        raise HlocLiteError(f"cannot unpack {archive}: {error.strerror or error}") from None


def _unpack_zip(archive: Path, folder: Path, budget: _Budget) -> int:
    count = left_out = 0
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            budget.spend_member()
            target = _target(archive, folder, member.filename)
            mode = member.external_attr >> 16
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                left_out += 1
            else:
                with file.open(member) as source:
                    _write(source, target, budget)
                count += 1
    _warn(archive, left_out)
    return count


def _unpack_tar(archive: Path, folder: Path, budget: _Budget) -> int:
    count = left_out = 0
    with tarfile.open(archive, "r|*") as file:  # as a stream: the list of members may be long
        for member in file:
            budget.spend_member()
            target = _target(archive, folder, member.name)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            if not member.isreg():
                left_out += 1
                continue
            source = file.extractfile(member)
            if source is not None:
                with source:
                    _write(source, target, budget)
                count += 1
    _warn(archive, left_out)
    return count


def _target(archive: Path, folder: Path, name: str) -> Path:
    if leads_out(name):
        raise FormatError(f"{archive}: the member {name[:200]!r} leads out of the folder")
    return folder / name


def _write(source: IO[bytes], target: Path, budget: _Budget) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # a link there would be written through
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            budget.spend(len(chunk))
            file.write(chunk)


def _warn(archive: Path, left_out: int) -> None:
    if left_out:
        logger.warning("%s: %d links or special files were left out", archive, left_out)
