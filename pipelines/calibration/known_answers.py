"""Collects the answers that promises about wrong answers borrow from (``--max-wrong``).

    python -m pipelines.calibration.known_answers -o OUT --town DIR --town DIR \
        --metric-case DIR --case DIR --features xfeat --features rootsift

Photos of every place are localized in its own map, and photos of the other places as well. Writes
OUT/known_answers.json. To ship it, copy the file to hloc_lite/localize. It must be collected again
when the confidence model, its features or the search have changed: it belongs to one confidence
model, and is not used with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from hloc_lite.config import load_config
from hloc_lite.localize.acceptance import choose_acceptance
from hloc_lite.localize.confidence import load_calibration
from hloc_lite.localize.known_answers import AnswerGroup, answers_by_kind, write_answers
from pipelines.benchmarks.results import command_line, current_commit
from pipelines.calibration.collected_answers import Site, collect_answers, read_site

PROMISES = (0.01, 0.02, 0.05, 0.1)


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--maps", type=click.Path(path_type=Path), help="Folder of maps.  [default: OUT]")
@click.option("--town", "towns", type=click.Path(path_type=Path, exists=True), multiple=True)
@click.option("--metric-case", "metric_cases", type=click.Path(path_type=Path, exists=True),
              multiple=True, help="Real photos with poses in metres.")  # fmt: skip
@click.option("--case", "cases", type=click.Path(path_type=Path, exists=True), multiple=True,
              help="Real photos; errors are relative to unit.txt.")  # fmt: skip
@click.option("--features", multiple=True, default=("xfeat", "rootsift", "aliked-n16"),
              show_default=True)  # fmt: skip
@click.option("--per-condition", default=50, show_default=True, help="Photos per condition.")
@click.option("--foreign", default=50, show_default=True, help="Photos of other places per map.")
def main(
    output: Path,
    maps: Path | None,
    towns: tuple[Path, ...],
    metric_cases: tuple[Path, ...],
    cases: tuple[Path, ...],
    features: tuple[str, ...],
    per_condition: int,
    foreign: int,
) -> None:
    """Collect the answers, write them, and print the thresholds that they give."""
    rendered = [read_site(folder, is_metric=True) for folder in towns]
    real = [read_site(folder, is_metric=True) for folder in metric_cases]
    real += [read_site(folder, is_metric=False) for folder in cases]
    groups: list[AnswerGroup] = []
    for sites in (rendered, real):
        for name in features:
            groups += collect_answers(
                sites, name, maps or output, output / "answers", per_condition, foreign
            )
    calibration = load_calibration(load_config().confidence)
    assert calibration is not None
    provenance = {
        "command": command_line(),
        "commit": current_commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "rendered": _names(rendered),
        "real": _names(real),
    }
    file = output / "known_answers.json"
    write_answers(file, groups, calibration, provenance)
    print(f"{file}: {sum(each.num_photos for each in groups)} photos")
    config = load_config().confidence
    for promise in PROMISES:
        promised = config.model_copy(update={"max_wrong": promise})
        print(choose_acceptance(promised, None, answers_by_kind(groups)).statement)


def _names(sites: Sequence[Site]) -> str:
    return ", ".join(site.name for site in sites)


if __name__ == "__main__":
    main()
