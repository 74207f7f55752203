"""SQLite files of unknown origin: plain tables are read, without running anything of the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.io.regular_files import check_regular

Row = tuple[Any, ...]
MAX_VALUE_BYTES = 1 << 30
"""Longer values of a row are refused."""
_HEADER = b"SQLite format 3\0"


def open_database(path: Path) -> sqlite3.Connection:
    """Open a SQLite file for reading; neither it nor its folder is changed.

    Raises:
        FormatError: missing, no SQLite file, or with changes that are not yet in it.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
    if header != _HEADER:
        raise FormatError(f"{path} is no SQLite database")
    for ending in ("-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.is_file() and beside.stat().st_size:
            raise FormatError(
                f"{path} has changes in {beside.name} that are not yet in it: close the program "
                f"that uses it; if it crashed, open the database once with COLMAP"
            )
    # immutable: without it, SQLite would write files beside those in write-ahead mode
    uri = f"file:{quote(path.resolve().as_posix())}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(uri, uri=True)
    except sqlite3.Error as error:
        raise FormatError(f"cannot open {path}: {error}") from None
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        for pragma in ("query_only=ON", "trusted_schema=OFF", "cell_size_check=ON"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        connection.close()
        raise FormatError(f"cannot open {path}: {error}") from None
    return connection


def table_columns(connection: sqlite3.Connection, path: Path, table: str) -> tuple[str, ...]:
    """Names of the columns of a table; empty if there is no such table.

    Raises:
        FormatError: a view, a virtual table, or computed columns in its place.
    """
    query = "SELECT type, sql FROM sqlite_master WHERE name = ? AND type IN ('table', 'view')"
    for kind, sql in read_rows(connection, path, query, (table,)):
        text = sql.upper().split() if isinstance(sql, str) else []
        if kind != "table" or text[:2] != ["CREATE", "TABLE"]:
            raise FormatError(f"{path}: expected {table!r} to be a plain table")
        columns = list(read_rows(connection, path, f'PRAGMA table_xinfo("{table}")'))
        if any(column[6] for column in columns):
            raise FormatError(f"{path}: table {table!r} has computed columns")
        return tuple(str(column[1]) for column in columns)
    return ()


def read_rows(
    connection: sqlite3.Connection, path: Path, query: str, values: Row = ()
) -> Iterator[Row]:
    """Yield the rows of a query.

    Raises:
        FormatError: a damaged file, also one whose pages lead in circles.
    """
    most = path.stat().st_size  # a row takes some bytes
    try:
        for count, row in enumerate(connection.execute(query, values)):
            if count > most:
                raise FormatError(f"{path} is damaged: it has more rows than bytes")
            yield row
    except (sqlite3.Error, OverflowError, MemoryError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is damaged or no COLMAP database: {error}") from None


def check_whole(value: Any, least: int, most: int, where: str) -> int:
    """The value itself if it is a whole number in a range, both ends included.

    Raises:
        FormatError: it is not.
    """
    if type(value) is not int or not least <= value <= most:
        raise FormatError(
            f"{where}: expected a whole number from {least} to {most}, got {str(value)[:40]!r}"
        )
    return value


def matrix(row: Row, dtype: str, where: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Matrix that a row of three values states: number of rows R, number of columns C, and bytes.

    Args:
        row: (R, C, bytes); None for the bytes is an empty matrix.
        dtype: of the values, with byte order, such as ``<f4``.
        where: file and table, for errors.

    Returns:
        (R, C) read-only array of that dtype.

    Raises:
        FormatError: the bytes are missing, or are not as many as that.
    """
    rows, columns, data = row
    check_whole(rows, 0, 2**31, where)
    check_whole(columns, 0, 2**31, where)
    content = b"" if data is None else data
    expected = rows * columns * np.dtype(dtype).itemsize
    if not isinstance(content, bytes) or len(content) != expected:
        got = len(content) if isinstance(content, bytes) else type(content).__name__
        raise FormatError(f"{where}: {rows} x {columns} values need {expected} bytes, got {got}")
    return np.frombuffer(content, dtype).reshape(rows, columns)
