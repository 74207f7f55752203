"""Fit the probability that a pose is right, on rendered towns used for nothing else.

python -m pipelines.calibrate_confidence -o OUT --towns DIR --seed 101 --seed 102 --seed 103

Writes OUT/confidence.toml, and prints how good the probabilities are for each town when fitted on
the others. To ship the coefficients, copy the file to hloc_lite/localize. Poses are made with 1, 5
and 20 retrieved images, with labels and depth and without, with weighted and with hard matches, and
from queries of the next town (all wrong), so that right and wrong poses of all kinds occur. Poses
of the cascade's steps with and without images are added; those with matches of a learned matcher
only shift the odds of their kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from scipy.optimize import minimize_scalar

from hloc_lite.localize.confidence import write_calibration
from hloc_lite.logistic_regression import fit_logistic
from hloc_lite.pose.confidence import MAX_DEVIATION, Calibration, FitSummary, Term
from hloc_lite.pose.quality import QUALITY_FEATURES
from pipelines.cascade_rows import is_of_learned, rows_of_cascade
from pipelines.confidence_rows import Row, figures, print_reliability, rows_of_towns

PENALTY = 1.0
"""Of half the squared coefficients of traits of unit spread: that of a normal prior of width 1."""
FOREIGN_SHARE = 0.1
"""Of the photos whose poses need a learned matcher: they are as many rows as those of one's own,
but who asks about a map has mostly been there."""
MAX_SHIFT = 10.0
"""Of log odds, by a learned matcher."""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--towns", type=click.Path(path_type=Path), help="Rendered towns.  [default: OUT]")
@click.option("--seed", "seeds", type=int, multiple=True, required=True)
@click.option("--features", multiple=True, default=("rootsift",), show_default=True)
@click.option("--cascade", multiple=True, default=("aliked-n16", "xfeat"), show_default=True,
              help="Features it is run with.")  # fmt: skip
@click.option("--cascade-queries", default=20, show_default=True, help="Of each condition.")
@click.option("--trait", "names", multiple=True, default=tuple(QUALITY_FEATURES), show_default=True)
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
    """Fit on all towns, check on each by the others, write the coefficients."""
    everything = rows_of_towns(output, towns or output, seeds, features, settings)
    for name in cascade:
        everything += rows_of_cascade(output, towns or output, seeds, name, cascade_queries)
    learned = [row for row in everything if row.found and is_of_learned(row)]
    nearest = [row for row in everything if row.found and not is_of_learned(row)]
    if len(seeds) > 1:
        cross_validate(nearest, learned, names)
    calibration = fitted(nearest, learned, names, settings)
    write_calibration(output / "confidence.toml", calibration)
    print(f"\n{output / 'confidence.toml'}: intercept {calibration.intercept:.2f}")
    print(f"  {calibration.learned:.2f} of a learned matcher")
    for name, term in calibration.terms.items():
        print(f"  {name}: {term.coefficient:.2f} for each {term.scale:.3g}")


def cross_validate(nearest: Sequence[Row], learned: Sequence[Row], names: Sequence[str]) -> None:
    """Print the figures of each town by coefficients of the others, and without each trait."""
    rows = [*nearest, *learned]
    probability = held_out(nearest, learned, names)
    right = np.array([row.right for row in rows])
    print(f"\ncross-validated by town: {figures(probability, right)}")
    for title in dict.fromkeys(title for row in rows for title in _titles(row)):
        chosen = np.array([title in _titles(row) for row in rows])
        print(f"  {title}: {figures(probability[chosen], right[chosen])}")
    print_reliability(probability, right)
    for name in names:
        rest = [other for other in names if other != name]
        print(f"without {name}: {figures(held_out(nearest, learned, rest), right)}")


def held_out(nearest: Sequence[Row], learned: Sequence[Row], names: Sequence[str]) -> np.ndarray:
    """(N,) probabilities, first of the one, then of the other rows, of each map's town by
    coefficients fitted on the others."""
    rows = [*nearest, *learned]
    probability = np.zeros(len(rows))
    for town in {row.map_town for row in rows}:
        calibration = fitted(_without(nearest, town), _without(learned, town), names, ())
        for i in np.flatnonzero([row.map_town == town for row in rows]):
            of_learned = is_of_learned(rows[i])
            probability[i] = calibration.probability(rows[i].traits, learned=of_learned)
    return probability


def _without(rows: Sequence[Row], town: str) -> list[Row]:
    return [row for row in rows if town not in (row.map_town, row.town)]


def fitted(
    nearest: Sequence[Row], learned: Sequence[Row], names: Sequence[str], settings: Sequence[str]
) -> Calibration:
    """``regression`` on poses of nearest neighbours, and what a learned matcher's differ by: the
    likeliest shift of the log odds."""
    about = fitted_on([*nearest, *learned], settings)
    calibration = regression(nearest, names, about)
    if not learned:
        return calibration
    log_odds = np.array([calibration.log_odds(row.traits) for row in learned])
    signs = np.where([row.right for row in learned], 1.0, -1.0)
    foreign = np.array([row.foreign for row in learned])
    odds = FOREIGN_SHARE / (1 - FOREIGN_SHARE)
    weights = np.where(foreign, odds * (~foreign).sum() / max(1, foreign.sum()), 1.0)

    def loss(shift: float) -> float:
        return float(weights @ np.logaddexp(0, -signs * (log_odds + shift)))

    shift = minimize_scalar(loss, bounds=(-MAX_SHIFT, 0), method="bounded").x
    return calibration.model_copy(update={"learned": float(shift)})


def regression(rows: Sequence[Row], names: Sequence[str], about: FitSummary) -> Calibration:
    """Logistic regression with coefficients >= 0 and an L2 penalty; unknown traits add nothing."""
    values = np.array([[row.traits.get(name, np.nan) for name in names] for row in rows])
    right = np.array([row.right for row in rows])
    centers = np.array([_or(np.nanmean, column, 0.0) for column in values.T])
    scales = np.array([max(_or(np.nanstd, column, 1.0), 1e-6) for column in values.T])
    deviations = np.nan_to_num((values - centers) / scales)
    standard = np.clip(deviations, -MAX_DEVIATION, MAX_DEVIATION)
    fit = fit_logistic(standard, right, ridge=PENALTY)
    terms = {
        name: Term(center=float(c), scale=float(s), coefficient=float(b))
        for name, c, s, b in zip(names, centers, scales, fit.coefficients, strict=True)
    }
    return Calibration(intercept=fit.intercept, fitted=about, terms=terms)


def fitted_on(rows: Sequence[Row], settings: Sequence[str]) -> FitSummary:
    """What to say of them in the file."""
    ways = dict.fromkeys(f"{row.features}, {row.scenario}" for row in rows)
    return FitSummary(
        seeds=tuple(sorted({int(row.map_town) for row in rows})),
        num_poses=len(rows),
        num_right=sum(row.right for row in rows),
        settings=(*ways, *settings),
    )


def _titles(row: Row) -> tuple[str, ...]:
    kind = "of another town" if row.foreign else f"own, {row.scenario}"
    return ("own" if not row.foreign else kind, row.features, kind)


def _or(function, column: np.ndarray, default: float) -> float:  # type: ignore[no-untyped-def]
    return default if np.isnan(column).all() else float(function(column))


if __name__ == "__main__":
    main()
