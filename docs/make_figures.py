"""Makes docs/figures.md from the results files in docs/results/: python -m docs.make_figures

A benchmark writes its file with ``pipelines.benchmarks.results.write_results``. A file that no
section below names is shown at the end of the page.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pipelines.benchmarks.results import Cell, Results, read_results

DOCS = Path(__file__).parent
PAGE = DOCS / "figures.md"
INTRODUCTION = """\
<!-- Made by `python -m docs.make_figures` from docs/results/*.json. Do not edit. -->

# Figures

Every table comes from a file in `docs/results/` and names its command, commit, date and machine.
The commit is the one that was measured, or the first one whose README states the figures.

Read them with three warnings.

- Most scenes are rendered. A rendered town is kinder than a real one.
  Compare features and settings here; do not expect these numbers on your street.
- Everything was measured on CPUs. GPUs have not been measured yet.
- Times depend on the machine and on what else it does. Ratios within one table are more reliable.

`CASE` and `FOLDER` are folders with photos, `TOWN` is a rendered town, and `OUT` is a new folder.
`MAP`, `SMALL` and `FAST` are maps: `SMALL` is compact, `FAST` was made with profile `fast`.
`OLD` and `NEW` are checkouts of two versions.
"""
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Accuracy",
        (
            "real-photos",
            "dense-matching",
            "town-recall",
            "from-scratch",
            "twin-views",
            "indoor-twin",
        ),
    ),
    ("Coarse-to-fine matching", ("cascade-real-photos", "cascade-town", "cascade-town-idle")),
    (
        "Speed and size",
        (
            "fast-profile",
            "mapping-speed",
            "compact-map",
            "scaling",
            "extraction",
            "python-and-cli",
            "model-reading",
            "format-reading",
            "view-synthesis-speed",
            "large-index",
        ),
    ),
    ("Retrieval", ("retrieval-methods",)),
    ("Match weights", ("ablation", "ablation-retrieved")),
    ("Confidence and covariance", ("confidence", "covariance")),
    ("Pose estimation", ("estimators", "estimator-weights", "rigs", "p3p")),
    (
        "Robustness",
        (
            "promises",
            "look-alikes",
            "foreign-photos-rootsift",
            "foreign-photos-aliked",
            "foreign-cases",
            "foreign-cases-without-views",
            "twin-streets",
            "demo",
            "service",
            "kill-and-resume",
            "corrupted-inputs",
            "mutated-files",
            "mutated-others",
            "mutated-images",
            "mutated-maps",
            "strangers-maps",
            "disk-faults",
            "image-bombs",
            "nonsense-intrinsics",
            "hostile-names",
            "hostile-names-cli",
            "special-files",
            "hostile-requests",
            "benchmark-layouts",
            "memory",
        ),
    ),
    ("Versions compared", ("version-equality", "version-speed")),
)
"""Heading and the results files below it, by stem."""


def figures_page(folder: Path = DOCS / "results") -> str:
    """The page as Markdown.

    Raises:
        FormatError: a file of the folder is no results file.
    """
    left = {path.stem: path for path in sorted(folder.glob("*.json"))}
    parts = [INTRODUCTION]
    for heading, stems in SECTIONS:
        parts.append(f"## {heading}\n")
        parts += [results_section(read_results(left.pop(stem))) for stem in stems if stem in left]
    if left:
        parts.append("## More\n")
        parts += [results_section(read_results(path)) for path in left.values()]
    return "\n".join(parts)


def results_section(results: Results) -> str:
    """Heading, notes, table and origin of one results file."""
    lines = [f"### {results.benchmark}", ""]
    if results.notes:
        lines += [results.notes, ""]
    lines += [_row(results.columns), "|" + "---|" * len(results.columns)]
    lines += [_row([_shown(cell) for cell in row]) for row in results.rows]
    origin = f"commit {results.commit}, {results.date}, {results.machine}"
    return "\n".join([*lines, "", f"`{results.command}`<br>{origin}", ""])


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(_unbroken(cell.replace("|", "\\|")) for cell in cells) + " |"


def _unbroken(text: str) -> str:
    """A number and its unit stay on one line."""
    return re.sub(r"(\d) (%|(?:cm|m|MB|px|s|ms)\b)", "\\1\N{NO-BREAK SPACE}\\2", text)


def _shown(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, int) and abs(cell) >= 10000:
        return f"{cell:,}"
    return str(cell)


def main() -> None:
    """Write the page; with --check, exit with 1 where it is not what the results files give."""
    page = figures_page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8", newline="\n")
    elif PAGE.read_text(encoding="utf-8") != page:
        sys.exit(f"{PAGE.name} is out of date: run python -m docs.make_figures")


if __name__ == "__main__":
    main()
