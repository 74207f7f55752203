"""Rows of CSV files with a header: checks that several data sets share."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.io.files import text_lines


def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Cells of the named columns of each row, with the number of its line; read as asked for.

    Columns may stand in any order, and others between them. Empty lines are left out.

    Raises:
        FormatError: unreadable, a column that the header lacks, or a row with fewer cells.
    """
    reader = csv.reader(text_lines(path, keep_ends=True), skipinitialspace=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        missing = [column for column in columns if column not in header]
        if missing:
            raise FormatError(
                f"{path}, line 1: expected a header with {', '.join(columns)}, got "
                f"{','.join(header)[:120]!r}"
            )
        order = [header.index(column) for column in columns]
        for row in reader:
            if not row:
                continue
            if len(row) <= max(order):
                raise FormatError(
                    f"{path}, line {reader.line_num}: expected {len(header)} cells, got {len(row)}"
                )
            yield reader.line_num, [row[index].strip() for index in order]
    except csv.Error as error:
        raise FormatError(f"{path}, line {reader.line_num}: {error}") from None


def csv_header(path: Path) -> tuple[str, ...]:
    """Names of the columns of a CSV file; empty for an empty file.

    Raises:
        FormatError: unreadable.
    """
    return tuple(cell.strip() for cell in next(text_lines(path), "").split(","))
