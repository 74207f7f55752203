"""Table of a benchmark: printed as Markdown row by row, and written as a results file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from pipelines.benchmarks.results import Cell, write_results

results_option = click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table to this JSON file."
)


class Table:
    """Table of figures.

    Args:
        benchmark: title of the table.
        columns: headings.
        notes: what a reader must know to read the table correctly.
    """

    def __init__(self, benchmark: str, columns: Sequence[str], notes: str = "") -> None:
        self.benchmark, self.columns, self.notes = benchmark, tuple(columns), notes
        self.rows: list[list[Cell]] = []

    def add(self, *cells: object) -> None:
        """Add a row and print it; NaN and infinity become empty cells."""
        assert len(cells) == len(self.columns), (self.columns, cells)
        row = [_plain(cell) for cell in cells]
        if not self.rows:
            _print_row(self.columns)
            print("|---" * len(self.columns) + "|")
        self.rows.append(row)
        _print_row(["" if cell is None else str(cell) for cell in row])

    def write(self, path: Path | None) -> None:
        """Write the table to a results file; None: no file."""
        if path is not None:
            write_results(path, self.benchmark, self.columns, self.rows, notes=self.notes)


def percent(share: float, digits: int = 1) -> str:
    """Format a share as ``97.5 %``."""
    return f"{100 * share:.{digits}f} %"


def _plain(cell: object) -> Cell:
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    assert isinstance(cell, str | int | float | None), cell
    return cell


def _print_row(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)
