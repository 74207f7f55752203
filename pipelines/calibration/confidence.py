"""Fits the confidence model on rendered towns that are used for nothing else.

    python -m pipelines.calibration.confidence -o OUT --towns DIR --seed 101 --seed 102 --seed 103

Writes OUT/confidence.toml, and prints how good the probabilities are for each town when fitted on
the others. To ship the coefficients, copy the file to hloc_lite/localize.

Poses are estimated with 1, 5 and 20 retrieved images, with and without labels and depth, from
weighted and from hard matches, and for queries of the next town (all wrong). So correct and wrong
poses of all kinds occur. Poses of coarse-to-fine matching are added. Those with matches of a
learned matcher only shift the log odds of their kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from hloc_lite.localize.confidence import write_calibration
from hloc_lite.logistic_regression import fit_logistic
from hloc_lite.pose.confidence import MAX_DEVIATION, Calibration, FitSummary, Term
from hloc_lite.pose.quality import QUALITY_FEATURES
from pipelines.calibration.cascade_samples import is_learned, sample_cascade
from pipelines.calibration.metrics import print_reliability, probability_metrics
from pipelines.calibration.pose_samples import PoseSample, sample_towns

RIDGE = 1.0
"""L2 penalty on coefficients of unit-deviation features: a normal prior of width 1."""
FOREIGN_SHARE = 0.1
"""Assumed share of photos of other towns among poses with a learned matcher. Half of the samples
are foreign, but most users ask a map about photos of its own area."""
MAX_SHIFT = 10.0
"""Largest shift of log odds for a learned matcher."""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--towns", type=click.Path(path_type=Path), help="Rendered towns.  [default: OUT]")
@click.option("--seed", "seeds", type=int, multiple=True, required=True)
@click.option("--features", multiple=True, default=("rootsift",), show_default=True)
@click.option("--cascade", multiple=True, default=("aliked-n16", "xfeat"), show_default=True,
              help="Features for coarse-to-fine matching.")  # fmt: skip
@click.option("--cascade-queries", default=20, show_default=True, help="Queries per condition.")
@click.option("--quality-feature", "names", multiple=True, default=tuple(QUALITY_FEATURES),
              show_default=True, help="Pose-quality features of the model.")  # fmt: skip
@click.option("--set", "settings", multiple=True, help="KEY=VALUE for all scenarios.")
def main(
    output: Path,
    towns: Path | None,
    seeds: tuple[int, ...],
    features: tuple[str, ...],
    cascade: tuple[str, ...],
    cascade_queries: int,
    names: tuple[str, ...],
    settings: tuple[str, ...],
) -> None:
    """Fit on all towns, cross-validate by town, write the coefficients."""
    samples = sample_towns(output, towns or output, seeds, features, settings)
    for name in cascade:
        samples += sample_cascade(output, towns or output, seeds, name, cascade_queries)
    learned = [each for each in samples if each.has_pose and is_learned(each)]
    nearest = [each for each in samples if each.has_pose and not is_learned(each)]
    if len(seeds) > 1:
        cross_validate(nearest, learned, names)
    calibration = fit_calibration(nearest, learned, names, settings)
    write_calibration(output / "confidence.toml", calibration)
    print(f"\n{output / 'confidence.toml'}: intercept {calibration.intercept:.2f}")
    print(f"  {calibration.learned:.2f} for a learned matcher")
    for name, term in calibration.terms.items():
        print(f"  {name}: {term.coefficient:.2f} per {term.scale:.3g}")


def cross_validate(
    nearest: Sequence[PoseSample], learned: Sequence[PoseSample], names: Sequence[str]
) -> None:
    """Print the metrics of each town under coefficients of the others, and without each feature."""
    samples = [*nearest, *learned]
    probability = held_out_probabilities(nearest, learned, names)
    correct = np.array([each.is_correct for each in samples])
    print(f"\ncross-validated by town: {probability_metrics(probability, correct)}")
    for title in dict.fromkeys(title for each in samples for title in _titles(each)):
        chosen = np.array([title in _titles(each) for each in samples])
        print(f"  {title}: {probability_metrics(probability[chosen], correct[chosen])}")
    print_reliability(probability, correct)
    for name in names:
        rest = [other for other in names if other != name]
        without = held_out_probabilities(nearest, learned, rest)
        print(f"without {name}: {probability_metrics(without, correct)}")


def held_out_probabilities(
    nearest: Sequence[PoseSample], learned: Sequence[PoseSample], names: Sequence[str]
) -> np.ndarray:
    """(N,) probabilities of all samples, each under coefficients fitted without its map's town."""
    samples = [*nearest, *learned]
    probability = np.zeros(len(samples))
    for town in {each.map_town for each in samples}:
        calibration = fit_calibration(_without(nearest, town), _without(learned, town), names, ())
        for i in np.flatnonzero([each.map_town == town for each in samples]):
            each = samples[i]
            probability[i] = calibration.probability(each.quality, learned=is_learned(each))
    return probability


def _without(samples: Sequence[PoseSample], town: str) -> list[PoseSample]:
    return [each for each in samples if town not in (each.map_town, each.town)]


def fit_calibration(
    nearest: Sequence[PoseSample],
    learned: Sequence[PoseSample],
    names: Sequence[str],
    settings: Sequence[str],
) -> Calibration:
    """Fit the model on nearest-neighbour matches, then the shift of log odds of learned ones."""
    calibration = fit_terms(nearest, names, summarize([*nearest, *learned], settings))
    if not learned:
        return calibration
    log_odds = np.array([calibration.log_odds(each.quality) for each in learned])
    correct = np.array([each.is_correct for each in learned])
    foreign = np.array([each.is_foreign for each in learned])
    odds = FOREIGN_SHARE / (1 - FOREIGN_SHARE)
    weights = np.where(foreign, odds * (~foreign).sum() / max(1, foreign.sum()), 1.0)
    no_features = np.zeros((len(learned), 0))
    fit = fit_logistic(no_features, correct, weights=weights, offsets=log_odds)
    shift = float(np.clip(fit.intercept, -MAX_SHIFT, 0))
    return calibration.model_copy(update={"learned": shift})


def fit_terms(
    samples: Sequence[PoseSample], names: Sequence[str], summary: FitSummary
) -> Calibration:
    """Fit a logistic regression with coefficients >= 0; unknown features count as their mean."""
    values = np.array([[each.quality.get(name, np.nan) for name in names] for each in samples])
    correct = np.array([each.is_correct for each in samples])
    centers = np.array([_or(np.nanmean, column, 0.0) for column in values.T])
    scales = np.array([max(_or(np.nanstd, column, 1.0), 1e-6) for column in values.T])
    deviations = np.nan_to_num((values - centers) / scales)
    standardized = np.clip(deviations, -MAX_DEVIATION, MAX_DEVIATION)
    fit = fit_logistic(standardized, correct, ridge=RIDGE)
    terms = {
        name: Term(center=float(c), scale=float(s), coefficient=float(b))
        for name, c, s, b in zip(names, centers, scales, fit.coefficients, strict=True)
    }
    return Calibration(intercept=fit.intercept, fitted=summary, terms=terms)


def summarize(samples: Sequence[PoseSample], settings: Sequence[str]) -> FitSummary:
    """Summarize the samples for the file of coefficients."""
    scenarios = dict.fromkeys(f"{each.features}, {each.scenario}" for each in samples)
    return FitSummary(
        seeds=tuple(sorted({int(each.map_town) for each in samples})),
        num_poses=len(samples),
        num_right=sum(each.is_correct for each in samples),
        settings=(*scenarios, *settings),
    )


def _titles(sample: PoseSample) -> tuple[str, ...]:
    """Groups that a sample is counted in."""
    kind = "of another town" if sample.is_foreign else f"own, {sample.scenario}"
    return ("own" if not sample.is_foreign else kind, sample.features, kind)


def _or(function: Callable[[np.ndarray], Any], column: np.ndarray, default: float) -> float:
    return default if np.isnan(column).all() else float(function(column))


if __name__ == "__main__":
    main()
