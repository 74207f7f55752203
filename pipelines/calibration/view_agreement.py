"""Fits the term ``view`` of the confidence, beside the other terms, which stay.

    python -m pipelines.calibration.view_agreement --town MAP TOWN --town MAP TOWN --foreign TOWN

Maps need a surface (``hloc-lite surface``). Queries of each town are localized in its map, in the
map without their twin street, and those of foreign towns in every map: every pose counts, however
doubtful. The center is the upper one of ``AGREEMENT_LIMITS``, so that a view can speak against a
pose, and not for it. The log odds by the other terms are the offset of a logistic regression on
``view``, whose slope is the coefficient. Foreign photos count less, as in
``calibration.confidence``. Prints the term of all towns, and the figures of each town under the
term of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from scipy.special import expit

from hloc_lite.config import ConfidenceConfig, load_config
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.images import read_photo
from hloc_lite.localize.confidence import load_calibration
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.view_synthesis import agreement_log_odds
from hloc_lite.logistic_regression import fit_logistic
from hloc_lite.maps.map import Map
from hloc_lite.pose.confidence import Calibration, ErrorBounds, Term
from hloc_lite.pose.quality import VIEW
from hloc_lite.types import Float64
from pipelines.benchmarks.robustness.look_alikes import twin_answers
from pipelines.calibration.confidence import FOREIGN_SHARE
from pipelines.calibration.metrics import probability_metrics

RIDGE = 0.3
"""L2 penalty on the slope, in poses, as in ``landmark_agreement``: few wrong poses look right, so
it would grow without limit."""
NO_INTERCEPT = 1e6
"""Penalty on the intercept that keeps it at 0."""
BOUNDS = ErrorBounds()


@dataclass(frozen=True)
class Sample:
    """One pose: log odds by the other terms, the feature, and whether it is right."""

    offset: float
    view: float
    is_right: bool
    is_foreign: bool


@click.command()
@click.option("--town", "towns", nargs=2, multiple=True, help="MAP and the folder of its town.",
              type=click.Path(path_type=Path, exists=True))  # fmt: skip
@click.option("--foreign", multiple=True, type=click.Path(path_type=Path, exists=True))
def main(towns: tuple[tuple[Path, Path], ...], foreign: tuple[Path, ...]) -> None:
    """Collect the poses, fit, and print."""
    calibration = load_calibration(ConfidenceConfig())
    assert calibration is not None
    terms = {name: term for name, term in calibration.terms.items() if name != VIEW}
    others = calibration.model_copy(update={"terms": terms})
    scenes: dict[str, list[Sample]] = {}
    for folder, town in towns:
        sfm_map = replace(Map.open(folder), calibration=None)
        found = [*own_samples(sfm_map, town, others), *twin_samples(sfm_map, town, others)]
        for other in foreign:
            found += own_samples(sfm_map, other, others, is_foreign=True)
        scenes[town.name] = found
        print(f"{town.name}: {summary(found)}", flush=True)
    for name, samples in scenes.items():
        rest = [each for other, found in scenes.items() if other != name for each in found]
        if rest:
            print_metrics(name, samples, fit(rest))
    term = fit([each for found in scenes.values() for each in found])
    print(f"[traits.{VIEW}]\ncenter = {term.center:.6g}\nscale = 1.0")
    print(f"coefficient = {term.coefficient:.4g}")


def own_samples(
    sfm_map: Map, town: Path, others: Calibration, *, is_foreign: bool = False
) -> Iterator[Sample]:
    """Poses of the queries of a town in a map; all are wrong if they are foreign."""
    config = load_config(base=sfm_map.config, settings=["confidence.min_confidence=0"])
    localizer = Localizer(sfm_map, config)
    for each in read_dataset_folder(town).iter_queries():
        photo = read_photo(town / "images" / each.name, each.name, config.images)
        result = localizer.localize(photo, each.camera)
        if result.pose is None or not np.isfinite(result.grounds.get(VIEW, np.nan)):
            continue
        assert each.cam_from_world is not None  # towns have all true poses
        distance, angle_deg = pose_errors(result.pose.cam_from_world, each.cam_from_world)
        is_right = distance <= BOUNDS.distance and angle_deg <= BOUNDS.angle_deg
        offset = others.log_odds(result.grounds)
        yield Sample(offset, result.grounds[VIEW], is_right and not is_foreign, is_foreign)


def twin_samples(sfm_map: Map, town: Path, others: Calibration) -> Iterator[Sample]:
    """Poses of the queries of each twin street in the map without it."""
    for each in twin_answers(sfm_map, town):
        if each.has_pose and VIEW in each.features:
            offset = others.log_odds(each.features) + others.learned * each.is_learned
            yield Sample(offset, each.features[VIEW], not each.is_wrong, False)


def fit(samples: Sequence[Sample]) -> Term:
    """Term of ``view`` beside the offsets."""
    offsets, views, is_right = columns(samples)
    foreign = np.array([each.is_foreign for each in samples])
    odds = FOREIGN_SHARE / (1 - FOREIGN_SHARE)
    weights = np.where(foreign, odds * (~foreign).sum() / max(1, foreign.sum()), 1.0)
    center = agreement_log_odds(1.0)
    found = fit_logistic(
        (views - center)[:, None], is_right, offsets=offsets, weights=weights, ridge=RIDGE,
        intercept_ridge=NO_INTERCEPT,
    )  # fmt: skip
    return Term(center=center, scale=1.0, coefficient=max(float(found.coefficients[0]), 0.0))


def columns(samples: Sequence[Sample]) -> tuple[Float64, Float64, np.ndarray]:
    """(K,) offsets, values of ``view`` and correctness."""
    return (
        np.array([each.offset for each in samples]),
        np.array([each.view for each in samples]),
        np.array([each.is_right for each in samples]),
    )


def print_metrics(name: str, samples: Sequence[Sample], term: Term) -> None:
    """Print the figures of some poses without the term and with it."""
    offsets, views, is_right = columns(samples)
    added = np.array([term.coefficient * term.deviation(view) for view in views])
    for title, log_odds in (("without", offsets), ("with", offsets + added)):
        print(f"{name}, {title} {VIEW}: {probability_metrics(expit(log_odds), is_right)}")
    print(f"{name}, {VIEW} alone: {probability_metrics(expit(views - term.center), is_right)}")


def summary(samples: Sequence[Sample]) -> str:
    """Numbers of right and wrong poses and their medians of ``view``."""
    _, views, is_right = columns(samples)
    groups = (views[is_right], views[~is_right])
    medians = [float(np.median(group)) if len(group) else np.nan for group in groups]
    return (
        f"{is_right.sum()} right poses, view {medians[0]:.2f}; {(~is_right).sum()} wrong, "
        f"{medians[1]:.2f} (medians)"
    )


if __name__ == "__main__":
    main()
