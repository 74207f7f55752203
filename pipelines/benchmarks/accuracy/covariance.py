"""Calibration of the pose covariance on simulated scenes.

    python -m pipelines.benchmarks.accuracy.covariance --scenes 500

If the covariance is right, the squared Mahalanobis error of the true pose follows a chi-square
distribution with 6 degrees of freedom: mean 6, 5 % beyond 12.59. Both are printed with the band
that holds 95 % of such benchmarks, and with the p-value of a Kolmogorov-Smirnov test. The whole
estimator runs, including RANSAC. ``--student`` draws noise from Student's t distribution with 4
degrees of freedom, as for points of unequal quality.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from scipy.stats import binom, chi2, kstest

from hloc_lite.config import PoseConfig
from hloc_lite.evaluation.metrics import squared_mahalanobis
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.io.weights import WeightsStore
from hloc_lite.protocols import PoseEstimator
from hloc_lite.registry import ESTIMATORS, Runtime, create
from hloc_lite.synthetic.correspondences import Scene, make_scene
from hloc_lite.types import Float64
from pipelines.benchmarks.table import Table, percent, results_option

DEGREES = 6
CHI2 = chi2(DEGREES)
TAIL = 0.05
FIRST_SEED = 10**6
"""Seeds of the tests are smaller."""


@click.command()
@click.option("--scenes", default=500, show_default=True, help="Scenes per row.")
@click.option(
    "--inliers", "counts", multiple=True, default=(30, 100, 400, 1000), show_default=True,
    help="Correct correspondences.",
)  # fmt: skip
@click.option("--share", "inlier_ratio", default=0.5, show_default=True, help="Inlier ratio.")
@click.option("--noise", "noise_px", default=1.0, show_default=True, help="Noise of inliers, px.")
@click.option("--bound", "bounds", multiple=True, default=(6.0, 12.0), show_default=True,
              help="Inlier bound, px.")  # fmt: skip
@click.option("--student", is_flag=True, help="Student's t noise instead of normal noise.")
@click.option("--estimator", default="weighted", show_default=True)
@click.option("--weights", is_flag=True, help="Random weights over a factor of about 50.")
@results_option
def main(
    scenes: int,
    counts: tuple[int, ...],
    inlier_ratio: float,
    noise_px: float,
    bounds: tuple[float, ...],
    student: bool,
    estimator: str,
    weights: bool,
    results: Path | None,
) -> None:
    """Print the distribution of the squared errors for each kind of scene."""
    table = Table(
        "Covariance of the pose",
        ["inliers", "bound, px", "poses", "mean (6)", "band of the mean",
         "true poses beyond the 95 % bound", "band", "p-value", "within the bands"],
        f"{scenes} scenes per row.",
    )  # fmt: skip
    runtime = Runtime(WeightsStore(offline=True))
    for bound in bounds:
        config = PoseConfig(max_error_px=bound, reference_side_px=1024)
        made = create(ESTIMATORS, estimator, config, runtime)
        for count in counts:
            values = squared_errors(
                made, scenes, count, inlier_ratio, noise_px, student=student, weights=weights
            )
            add_row(table, count, bound, values)
    table.write(results)


def squared_errors(
    estimator: PoseEstimator,
    scenes: int,
    count: int,
    inlier_ratio: float,
    noise_px: float,
    *,
    student: bool,
    weights: bool,
) -> Float64:
    """Squared Mahalanobis errors of the true poses, for scenes that got a pose and covariance."""
    values = []
    for seed in range(FIRST_SEED, FIRST_SEED + scenes):
        scene = make_scene(seed, round(count / inlier_ratio), inlier_ratio, noise_px)
        if student:
            scene = with_student_noise(scene, seed, noise_px)
        given = scene.correspondences
        if weights:
            drawn = np.exp(np.random.default_rng(seed).normal(size=len(given)))
            given = replace(given, weights=drawn)
        found = estimator.estimate(given, scene.camera)
        if found is not None and found.covariance is not None:
            values.append(
                squared_mahalanobis(found.cam_from_world, scene.cam_from_world, found.covariance)
            )
    return np.array(values)


def with_student_noise(scene: Scene, seed: int, noise_px: float) -> Scene:
    """The same scene with Student's t noise (4 degrees of freedom) on the inliers."""
    rng = np.random.default_rng(seed)
    given, inliers = scene.correspondences, scene.inlier_mask
    points2D = given.points2D.copy()
    exact = img_from_cam(scene.camera, scene.cam_from_world.apply(given.points3D[inliers]))
    points2D[inliers] = exact + noise_px * rng.standard_t(4, exact.shape)
    return replace(scene, correspondences=replace(given, points2D=points2D))


def add_row(table: Table, num_inliers: int, bound_px: float, values: Float64) -> None:
    """Compare the squared errors with the chi-square distribution."""
    count = len(values)
    beyond = float((values > CHI2.ppf(1 - TAIL)).mean())
    low, high = binom(count, TAIL).interval(0.95)
    spread = 1.96 * np.sqrt(CHI2.var() / count)
    p_value = kstest(values, CHI2.cdf).pvalue
    mean = float(values.mean())
    inside = low / count <= beyond <= high / count and abs(mean - DEGREES) <= spread
    table.add(
        num_inliers,
        bound_px,
        count,
        round(mean, 2),
        f"+- {spread:.2f}",
        percent(beyond),
        f"{percent(low / count)} to {percent(high / count)}",
        round(p_value, 3),
        "yes" if inside and p_value > TAIL else "no",
    )


if __name__ == "__main__":
    main()
