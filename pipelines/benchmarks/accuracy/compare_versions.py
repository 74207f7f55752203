"""Everything that two versions compute on the same photos, compared bit by bit.

    python -m pipelines.benchmarks.accuracy.compare_versions --old CHECKOUT --new CHECKOUT \\
        --case DIR --town DIR --work DIR [--reuse-old]

Each version runs the scenarios of ``version_scenarios`` in a process of its own, with one thread:
20 minutes each. The older one runs twice: values that it does not repeat itself are compared by
tolerance. Without --new only these two runs are compared.

--case holds real photos: images/, map_images.txt, model/ (COLMAP), queries.txt, gt.txt.
--town is rendered by ``hloc-lite town render --map 60 --queries 20 --size 640x480``.
--work gets old_1/, old_2/, new/ and compare_versions.json with every difference.

Not compared: reasons and other texts, times, memory. Renamed config keys and cues (``RENAMED``) and
digests of them are listed, but count as equal. Exit code 1 if anything else differs.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click

from pipelines.benchmarks.accuracy.differences import Difference, differences
from pipelines.benchmarks.accuracy.results_on_disk import items_of, read_file
from pipelines.benchmarks.accuracy.version_scenarios.records import read_records
from pipelines.benchmarks.checkouts import Checkout

SCENARIOS = Path(__file__).with_name("version_scenarios")
SPREAD = 3.0
"""A value may differ by so many times what it differs by between two runs of the older version."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    scenario: str
    item: str
    outcome: str
    """identical, within X, or DIFFERENT."""
    differences: list[Difference]
    unrepeated: list[Difference]
    """Differences between the two runs of the older version."""


@click.command()
@click.option("--old", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--new", type=click.Path(path_type=Path, exists=True), help="None: old alone.")
@click.option("--case", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--town", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option(
    "--reuse-old", is_flag=True, help="Keep finished old_1/ and old_2/ of an earlier run."
)
@click.option("--only", default="*", show_default=True, help="Pattern of scenario names.")
def main(
    old: Path, new: Path | None, case: Path, town: Path, work: Path, reuse_old: bool, only: str
) -> None:
    """Run both versions, print one line per scenario and item, write compare_versions.json."""
    case, town, work = case.resolve(), town.resolve(), work.resolve()
    inputs = ["--case", case, "--town", town, "--stored", work / "old_1"]
    checkouts = {"old_1": old, "old_2": old} | ({} if new is None else {"new": new})
    commits = {
        name: run_version(checkout, work / name, inputs, only, reuse=reuse_old and name != "new")
        for name, checkout in checkouts.items()
    }
    last = work / list(checkouts)[-1]
    rows = compare(work / "old_1", work / "old_2", last, only)
    for row in rows:
        click.echo(f"{row.outcome:<16} {row.scenario}: {row.item}")
    click.echo(f"\n{summary(rows)}")
    report = {"commits": commits, "only": only, "rows": [asdict(row) for row in rows]}
    (work / "compare_versions.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    if any(row.outcome == "DIFFERENT" for row in rows):
        sys.exit(1)


def run_version(folder: Path, out: Path, inputs: list[Any], only: str, *, reuse: bool) -> str:
    """Run all scenarios of a checkout, unless OUT has them already; its commit."""
    mark = out / "finished.json"
    if reuse and mark.is_file():
        earlier: dict[str, str] = json.loads(mark.read_text(encoding="utf-8"))
        if earlier["only"] in ("*", only):
            return earlier["commit"]
    if out.is_dir():
        if not (out / "log.txt").is_file():
            raise click.UsageError(f"{out} holds something else than results of an earlier run")
        shutil.rmtree(out)
    checkout = Checkout(folder)
    click.echo(f"{out.name}: {checkout.commit} in {folder}")
    checkout.run([SCENARIOS, *inputs, "--out", out, "--only", only])
    mark.write_text(json.dumps({"commit": checkout.commit, "only": only}), encoding="utf-8")
    return checkout.commit


def compare(old: Path, repeat: Path, new: Path, only: str = "*") -> list[Row]:
    """Rows of all scenarios and items of three folders of results."""
    folders = [items_of(folder) for folder in (old, repeat, new)]
    names = sorted({key for found in folders for key in found if fnmatch(key[0], only)})
    return [row for key in names for row in _rows(key, [found.get(key) for found in folders])]


def _rows(key: tuple[str, str], paths: list[Path | None]) -> list[Row]:
    scenario, item = key
    present = [path for path in paths if path is not None]
    if len(present) < len(paths):
        old, new = ("there" if paths[i] else "missing" for i in (0, 2))
        missing = Difference("", old, new)
        return [Row(scenario, item or "results", "DIFFERENT", [missing], [])]
    if item:
        if len({path.read_bytes() for path in present}) == 1:
            return [Row(scenario, item, "identical", [], [])]
        values = [read_file(path) for path in present]
        return [_row(scenario, item, *values)]
    records = [read_records(path) for path in present]
    items = dict.fromkeys(each for record in records for each in record)
    return [_row(scenario, each, *(record.get(each) for record in records)) for each in items]


def _row(scenario: str, item: str, old: Any, repeat: Any, new: Any) -> Row:
    found, own = list(differences(old, new)), list(differences(old, repeat))
    spread = {each.path: SPREAD * each.size for each in own if each.size < math.inf}
    counting = [each for each in found if each.counts]
    if not counting:
        outcome = "identical"
    elif all(each.size <= spread.get(each.path, -1.0) for each in counting):
        outcome = f"within {max(each.size for each in counting):.2g}"
    else:
        outcome = "DIFFERENT"
    return Row(scenario, item, outcome, found, own)


def summary(rows: list[Row]) -> str:
    """Counts of outcomes, and all differences that count or were not repeated."""
    counts = Counter(row.outcome.split()[0] for row in rows)
    lines = [f"{len(rows)} comparisons: " + ", ".join(f"{n} {what}" for what, n in counts.items())]
    for row in rows:
        for each in [each for each in row.unrepeated if each.counts][:3]:
            lines.append(
                f"not repeated by the older version: {row.scenario}: {row.item} {each.path}: "
                f"{each.old} -> {each.new} ({each.size:.2g})"
            )
    for row in rows:
        if row.outcome == "DIFFERENT":
            lines += [
                f"DIFFERENT: {row.scenario}: {row.item} {each.path}: "
                f"{each.old} -> {each.new} ({each.size:.2g})"
                for each in [each for each in row.differences if each.counts][:3]
            ]
    renamed = sorted(
        {
            f"{each.path.rsplit('/', 1)[-1]} -> {each.new}" if each.size == 0.0 else each.path
            for row in rows
            for each in row.differences
            if not each.counts
        }
    )
    return "\n".join([*lines, f"renamed keys and digests: {', '.join(renamed) or 'none'}"])


if __name__ == "__main__":
    main()
