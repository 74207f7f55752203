"""Self-contained HTML report of a comparison: tables, and the queries that flipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hloc_lite.evaluation.paired import Comparison
from hloc_lite.evaluation.report import render_page, report_file
from hloc_lite.evaluation.report_input import no_photo
from hloc_lite.evaluation.table_text import TextTable
from hloc_lite.evaluation.thresholds import DistanceUnit
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Photo, Rigid3

if TYPE_CHECKING:
    from hloc_lite.evaluation.flip_cards import MatchFinder


@dataclass(frozen=True, eq=False)
class ComparisonReport:
    """Data shown in the report of a comparison."""

    comparisons: Sequence[Comparison]
    tables: Sequence[TextTable]
    """Table of all methods, then any number for each comparison, in order."""
    unit: DistanceUnit
    poses: Mapping[str, Mapping[str, Rigid3]]
    """Method -> query name of the ground truth -> estimated cam_from_world."""
    num_flips: int
    """Number of queries to show at each threshold of a comparison."""
    finders: Mapping[str, MatchFinder] = field(default_factory=dict)
    """Method -> where its matches are looked for; without one it has no pictures."""
    load_query_photo: Callable[[str], Photo | None] = no_photo
    notes: Sequence[str] = ()
    """Sentences shown at the top of the page."""


def write_comparison_report(out: Path, report: ComparisonReport) -> Path:
    """Write the page to ``out`` (a folder: ``report.html`` in it; or a file *.html).

    Returns:
        Path of the file written.

    Raises:
        HlocLiteError: the file cannot be written.
        MissingDependencyError: a package of the extra ``report`` is missing.
    """
    path = report_file(out)
    write_text_atomic(path, render_comparison(report))
    return path


def render_comparison(report: ComparisonReport) -> str:
    """Render the page as HTML that loads nothing from outside itself.

    Raises:
        MissingDependencyError: a package of the extra ``report`` is missing.
    """
    from hloc_lite.evaluation.flip_cards import flip_cards

    first, *rest = report.tables
    per_pair = len(rest) // max(1, len(report.comparisons))
    sections = [
        {
            "title": f"{each.first} and {each.second}",
            "tables": rest[i * per_pair : (i + 1) * per_pair],
            "cards": flip_cards(
                each, report.poses, report.finders, report.load_query_photo, report.unit,
                report.num_flips,
            ),
        }
        for i, each in enumerate(report.comparisons)
    ]  # fmt: skip
    values = {
        "title": "Comparison of " + ", ".join(report.poses),
        "written": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "notes": report.notes,
        "overall": first,
        "sections": sections,
    }
    return render_page("comparison.html.j2", values)
