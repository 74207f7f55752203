"""Self-contained HTML report of a run: scores, curves, plan view, pictures, failures, times."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from hloc_lite.evaluation.report_input import ReportInput
from hloc_lite.io.files import write_text_atomic
from hloc_lite.optional_dependencies import require_extra

FILE_NAME = "report.html"


def require_report_extra() -> None:
    """Check that the packages that draw a report are installed.

    Raises:
        MissingDependencyError: a package of the extra ``report`` is missing.
    """
    require_extra("report", "a report")


def write_report(out: Path, report: ReportInput) -> Path:
    """Write the page to ``out`` (a folder: ``report.html`` in it; or a file *.html).

    Returns:
        Path of the file written.

    Raises:
        HlocLiteError: the file cannot be written.
        MissingDependencyError: a package of the extra ``report`` is missing.
    """
    path = report_file(out)
    write_text_atomic(path, render_report(report))
    return path


def report_file(out: Path) -> Path:
    """Path of the page that ``write_report`` writes for ``out``."""
    return out if out.suffix.lower() in (".html", ".htm") else out / FILE_NAME


def render_report(report: ReportInput) -> str:
    """Render the page as HTML that loads nothing from outside itself.

    Raises:
        MissingDependencyError: a package of the extra ``report`` is missing.
    """
    require_report_extra()
    from hloc_lite.evaluation.report_page import page_values

    return render_page("report.html.j2", page_values(report))


def render_page(template: str, values: Mapping[str, Any]) -> str:
    """Render a template of this folder; texts are escaped, and a missing variable is an error.

    Raises:
        MissingDependencyError: a package of the extra ``report`` is missing.
    """
    require_report_extra()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hloc_lite.evaluation", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
