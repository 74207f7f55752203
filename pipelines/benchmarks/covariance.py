"""Whether the covariance of a pose says how far off it is.

python pipelines/benchmarks/covariance.py --scenes 500

The squared Mahalanobis error of the true pose has the chi-square law of 6 degrees of freedom if it
does: mean 6, 5 % beyond 12.59. Each is printed with the band that 95 % of such benchmarks fall in,
and with the p-value of Kolmogorov and Smirnov's test of the whole law. The whole estimator runs,
RANSAC included. ``Student's noise``: of 4 degrees of freedom, as of points of unequal quality.
"""

from __future__ import annotations

from dataclasses import replace

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

DEGREES = 6
LAW = chi2(DEGREES)
BEYOND = 0.05
FIRST_SEED = 10**6
"""Away from the scenes of tests."""


@click.command()
@click.option("--scenes", default=500, show_default=True, help="Of each kind.")
@click.option(
    "--inliers", "counts", multiple=True, default=(30, 100, 400, 1000), show_default=True,
    help="Right correspondences.",
)  # fmt: skip
@click.option("--share", default=0.5, show_default=True, help="Of them.")
@click.option("--noise", default=1.0, show_default=True, help="Of right pixels, px.")
@click.option("--bound", "bounds", multiple=True, default=(6.0, 12.0), show_default=True)
@click.option("--student", is_flag=True, help="Student's noise instead of normal noise.")
@click.option("--estimator", default="weighted", show_default=True)
@click.option("--weights", is_flag=True, help="Weights at random, over a factor of about 50.")
def main(
    scenes: int,
    counts: tuple[int, ...],
    share: float,
    noise: float,
    bounds: tuple[float, ...],
    student: bool,
    estimator: str,
    weights: bool,
) -> None:
    """Print how the squared errors are distributed, for each kind of scene."""
    click.echo(f"{scenes} scenes each; in the 95 % band: yes or no")
    click.echo("| inliers | bound | poses | mean (6) | beyond 95 % | p of the law | in band |")
    click.echo("|---" * 7 + "|")
    runtime = Runtime(WeightsStore(offline=True))
    for bound in bounds:
        config = PoseConfig(max_error_px=bound, reference_side_px=1024)
        made = create(ESTIMATORS, estimator, config, runtime)
        for count in counts:
            values = squared_errors(made, scenes, count, share, noise, student, weights)
            click.echo(line(f"| {count} | {bound:g} px", values, scenes))


def squared_errors(
    estimator: PoseEstimator,
    scenes: int,
    count: int,
    share: float,
    noise: float,
    student: bool,
    weights: bool,
) -> Float64:
    """Squared Mahalanobis errors of the true pose, of the scenes that got a pose and covariance."""
    values = []
    for seed in range(FIRST_SEED, FIRST_SEED + scenes):
        scene = make_scene(seed, round(count / share), share, noise)
        if student:
            scene = with_student_noise(scene, seed, noise)
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


def with_student_noise(scene: Scene, seed: int, noise: float) -> Scene:
    """The same scene, right pixels off by Student's noise of 4 degrees of freedom."""
    rng = np.random.default_rng(seed)
    given = scene.correspondences
    points2D = given.points2D.copy()
    exact = img_from_cam(
        scene.camera, scene.cam_from_world.apply(given.points3D[scene.inlier_mask])
    )
    points2D[scene.inlier_mask] = exact + noise * rng.standard_t(4, exact.shape)
    return replace(scene, correspondences=replace(given, points2D=points2D))


def line(kind: str, values: Float64, scenes: int) -> str:
    """A row of the table."""
    count = len(values)
    beyond = float((values > LAW.ppf(1 - BEYOND)).mean())
    low, high = binom(count, BEYOND).interval(0.95)
    spread = 1.96 * np.sqrt(LAW.var() / count)
    p_value = kstest(values, LAW.cdf).pvalue
    mean = float(values.mean())
    inside = low / count <= beyond <= high / count and abs(mean - DEGREES) <= spread
    return (
        f"{kind} | {count} of {scenes} | {mean:.2f} (+- {spread:.2f}) | {100 * beyond:.1f} % "
        f"({100 * low / count:.1f} to {100 * high / count:.1f}) | {p_value:.3f} "
        f"| {'yes' if inside and p_value > BEYOND else 'no'} |"
    )


if __name__ == "__main__":
    main()
