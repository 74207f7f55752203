"""Promises about wrong answers (``--max-wrong``) on places that they were not learned on.

    python -m pipelines.benchmarks.robustness.promises -o OUT --town DIR --town DIR ...

Photos of unseen rendered towns are localized: by day, at night, in another season, and photos of
another town (foreign). For each promise: the threshold, the share of photos answered, the wrong
ones among the given answers, and what the promise allows with its 95 % binomial margin. Then the
real places of the shipped answers, each with the answers of all others (leave one scene out). A map
that tests itself (``hloc-lite calibrate``) is judged by its own answers too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import click
import numpy as np
from scipy.stats import binom

from hloc_lite.config import ConfidenceConfig, load_config
from hloc_lite.localize.acceptance import choose_acceptance, own_answers
from hloc_lite.localize.known_answers import (
    SHIPPED,
    AnswerGroup,
    answers_by_kind,
    joined_answers,
    parse_answers,
)
from hloc_lite.risk_control import KnownAnswers
from pipelines.benchmarks.table import Table, percent, results_option
from pipelines.calibration.collected_answers import collect_answers, open_map, read_site

PROMISES = (0.01, 0.05, 0.1)
COLUMNS = (
    "places", "features", "promise", "lowest and highest threshold", "photos", "given", "wrong",
    "share wrong", "allowed", "right day answers given",
)  # fmt: skip
REAL = "real, each left out in turn"


@dataclass(frozen=True)
class Outcome:
    """Answers of one map under one promise."""

    threshold: float
    num_photos: int
    num_given: int
    num_wrong: int
    right_by_day: tuple[int, int]
    """Right day answers: (given, all)."""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--maps", type=click.Path(path_type=Path), help="Folder of maps.  [default: OUT]")
@click.option("--town", "towns", type=click.Path(path_type=Path, exists=True), multiple=True)
@click.option("--features", multiple=True, default=("xfeat", "rootsift"), show_default=True)
@click.option("--per-condition", default=50, show_default=True, help="Photos per condition.")
@click.option("--foreign", default=50, show_default=True, help="Photos of the next town per map.")
@click.option("--answers", type=click.Path(path_type=Path), help="File of known answers.  "
              "[default: the shipped one]")  # fmt: skip
@results_option
def main(
    output: Path,
    maps: Path | None,
    towns: tuple[Path, ...],
    features: tuple[str, ...],
    per_condition: int,
    foreign: int,
    answers: Path | None,
    results: Path | None,
) -> None:
    """Print and write the table."""
    known = read_known(answers)
    table = Table(
        "Promises about wrong answers", COLUMNS,
        "Given are answers from the threshold on; photos that are not answered are no answers. "
        "Allowed: the promise plus its 95 % binomial margin at this number of given answers. Right "
        "day answers: poses within 0.25 m and 2 deg, however confident.",
    )  # fmt: skip
    sites = [read_site(folder, is_metric=True) for folder in towns]
    for name in features:
        groups = collect_answers(
            sites, name, maps or output, output / "answers", per_condition, foreign, num_others=1
        )
        own = {
            site.name: own_answers(open_map(site, name, maps or output).calibration)
            for site in sites
        }
        by_scene = grouped(groups)
        for promise in PROMISES:
            outcomes = [
                outcome(scene, without(known, mapped), own[mapped], promise)
                for mapped, scene in by_scene.items()
            ]
            add_row(table, "unseen towns", name, promise, outcomes)
    for name in dict.fromkeys(group.features for group in known if group.kind == "real"):
        for promise in PROMISES:
            add_row(table, REAL, name, promise, left_out_outcomes(known, name, promise))
    table.write(results)


def read_known(file: Path | None) -> list[AnswerGroup]:
    """Read a file of known answers, or the shipped one."""
    if file is None:
        text = files("hloc_lite.localize").joinpath(SHIPPED).read_text("utf-8")
        return parse_answers(text, SHIPPED)[0]
    return parse_answers(file.read_text("utf-8"), str(file))[0]


def left_out_outcomes(known: Sequence[AnswerGroup], features: str, promise: float) -> list[Outcome]:
    """Outcome of each real place by the answers of all others.

    The place is left out as ``without`` says.
    """
    real = [group for group in known if group.features == features and group.kind == "real"]
    outcomes = []
    for left_out, scene in grouped(real).items():
        outcomes.append(outcome(scene, without(known, left_out), None, promise))
    return outcomes


def without(known: Sequence[AnswerGroup], name: str) -> list[AnswerGroup]:
    """Known answers without those in a map, or to photos, of one scene."""
    return [group for group in known if name not in (group.scene, group.photos)]


def grouped(groups: Sequence[AnswerGroup]) -> Mapping[str, list[AnswerGroup]]:
    """Mapped place -> its groups."""
    by_scene: dict[str, list[AnswerGroup]] = {}
    for group in groups:
        by_scene.setdefault(group.scene, []).append(group)
    return by_scene


def outcome(
    scene: Sequence[AnswerGroup],
    known: Sequence[AnswerGroup],
    own: KnownAnswers | None,
    promise: float,
) -> Outcome:
    """Give the answers of one map under a promise."""
    config = ConfidenceConfig.model_validate(
        {**load_config().confidence.model_dump(), "max_wrong": promise}
    )
    threshold = choose_acceptance(config, own, answers_by_kind(known)).threshold
    answers = joined_answers(scene)
    given = answers.confidences >= threshold
    day = joined_answers([each for each in scene if is_day(each)])
    right = ~day.is_wrong
    return Outcome(
        threshold,
        sum(group.num_photos for group in scene),
        int(given.sum()),
        int((given & answers.is_wrong).sum()),
        (int((right & (day.confidences >= threshold)).sum()), int(right.sum())),
    )


def is_day(group: AnswerGroup) -> bool:
    """Return True for photos of the mapped place by day; those of real cases are."""
    return not group.is_unmapped and group.condition in ("day", "all")


def add_row(
    table: Table, scenes: str, features: str, promise: float, outcomes: Sequence[Outcome]
) -> None:
    """Add the row of one promise, over all maps."""
    given = sum(each.num_given for each in outcomes)
    wrong = sum(each.num_wrong for each in outcomes)
    right_given, right = np.sum([each.right_by_day for each in outcomes], axis=0)
    allowed = binom.ppf(0.95, given, promise) / given if given else promise
    thresholds = [each.threshold for each in outcomes]
    table.add(
        f"{len(outcomes)} {scenes}", features, percent(promise, 0),
        f"{min(thresholds):.4g} to {max(thresholds):.4g}",
        sum(each.num_photos for each in outcomes), given, wrong,
        percent(wrong / given, 2) if given else None, percent(max(promise, allowed), 2),
        f"{right_given} of {right} ({percent(right_given / max(1, right))})",
    )  # fmt: skip


if __name__ == "__main__":
    main()
