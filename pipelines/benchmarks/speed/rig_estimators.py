"""Rig pose estimators on the same simulated correspondences: success, errors, times.

    python -m pipelines.benchmarks.speed.rig_estimators --scenes 50
    python -m pipelines.benchmarks.speed.rig_estimators --weights 1.19 --share 0.05
    python -m pipelines.benchmarks.speed.rig_estimators --solver 100000

The cameras are on a circle and look outward; their fields of view do not overlap. All estimators
end in the same refinement on pixels. Success: within 0.5 degrees and 1 % of the median depth.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.io.weights import WeightsStore
from hloc_lite.pose.gp3p import solve_gp3p
from hloc_lite.protocols import RigEstimator
from hloc_lite.registry import Runtime, create_rig_estimator, rig_estimator_names
from hloc_lite.synthetic.correspondences import CAMERA
from hloc_lite.synthetic.rigs import RigScene, make_rig_scene, ring
from hloc_lite.types import Float64
from pipelines.benchmarks.speed.estimator_runs import (
    Run,
    accuracy_cells,
    measure,
    median_trials,
    ransac_config,
    ransac_options,
)
from pipelines.benchmarks.table import Table, percent, results_option


@click.command()
@click.option("--scenes", default=50, show_default=True, help="Scenes per row.")
@click.option("--cameras", "rigs", multiple=True, default=(2, 4, 6), show_default=True)
@click.option("--count", default=2000, show_default=True, help="Correspondences per rig.")
@click.option("--share", "ratios", multiple=True, default=(0.5, 0.2, 0.1), show_default=True,
              help="Inlier ratio.")  # fmt: skip
@click.option("--radius", default=0.5, show_default=True, help="Radius of the rig, map units.")
@click.option(
    "--estimators", "names", multiple=True, default=tuple(rig_estimator_names()), show_default=True
)
@ransac_options
@click.option("--solver", "samples", type=int, help="Number of samples; minimal solver only.")
@results_option
def main(
    scenes: int,
    rigs: tuple[int, ...],
    count: int,
    ratios: tuple[float, ...],
    radius: float,
    names: tuple[str, ...],
    noise_px: float,
    bound_px: float,
    max_trials: int,
    min_trials: int,
    separation: float | None,
    samples: int | None,
    results: Path | None,
) -> None:
    """Print success, errors, times and samples of each estimator for each kind of scene."""
    if samples is not None:
        compare_solvers(samples).write(results)
        return
    config = ransac_config(bound_px, max_trials, min_trials)
    runtime = Runtime(WeightsStore(offline=True))
    estimators = {name: create_rig_estimator(name, config, runtime) for name in names}
    table = Table(
        "Rig pose estimators",
        ["cameras", "inliers", "estimator", "success", "median error", "median angle, °", "ms",
         "ms / PoseLib", "samples"],
        f"{scenes} scenes per row. Errors are those of successes, in map units.",
    )  # fmt: skip
    for num_cameras in rigs:
        for ratio in ratios:
            made = [
                make_rig_scene(
                    seed, ring([CAMERA] * num_cameras, radius, seed), count, ratio, noise_px
                )
                for seed in range(scenes)
            ]
            if separation is not None:
                made = [with_weights(scene, separation, i) for i, scene in enumerate(made)]
            compare(table, num_cameras, ratio, estimators, made)
    table.write(results)


def with_weights(scene: RigScene, separation: float, seed: int) -> RigScene:
    """The scene with informative weights, see ``synthetic.correspondences.informative_weights``."""
    rng = np.random.default_rng(seed)
    given = []
    for each, inliers in zip(scene.correspondences, scene.inlier_masks, strict=True):
        score = rng.normal(size=len(inliers)) + separation * inliers
        weights = np.exp((abs(separation) or 1.0) * score)
        given.append(replace(each, weights=weights))
    return replace(scene, correspondences=tuple(given))


def compare(
    table: Table,
    num_cameras: int,
    inlier_ratio: float,
    estimators: dict[str, RigEstimator],
    scenes: list[RigScene],
) -> None:
    """Add the rows of one kind of scene; estimators take turns on each scene."""
    runs: dict[str, list[Run]] = {name: [] for name in estimators}
    for scene in scenes:
        for name, estimator in estimators.items():
            runs[name].append(measure(
                partial(estimator.estimate, scene.correspondences, scene.rig),
                lambda found: found.rig_from_world, scene.rig_from_world,
            ))  # fmt: skip
    times_ms = {
        name: float(np.median([each.wall_ms for each in found])) for name, found in runs.items()
    }
    for name, found in runs.items():
        table.add(
            num_cameras,
            percent(inlier_ratio, 0),
            name,
            *accuracy_cells(found),
            round(times_ms[name], 1),
            round(times_ms[name] / times_ms.get("poselib", np.nan), 2),
            median_trials(found),
        )


def compare_solvers(count: int) -> Table:
    """Compare the minimal solver with PoseLib's, which takes one sample per call (20,000 at most).

    A true pose is found if a solution is within 1e-4 of its rotation.
    """
    import poselib

    table = Table(
        "Minimal solver of rigs (generalized P3P)",
        [
            "baseline",
            "points",
            "true pose found",
            "us",
            "true pose found by PoseLib",
            "us, PoseLib",
        ],
    )
    for baseline in (10.0, 1.0, 1e-1, 1e-3):
        for ahead in (False, True):
            rng = np.random.default_rng(0)
            centers, rays, world, rotations = exact_samples(count, baseline, rng, ahead=ahead)
            start = time.perf_counter()
            parts = [
                (i, solve_gp3p(centers[i : i + 4096], rays[i : i + 4096], world[i : i + 4096]))
                for i in range(0, count, 4096)
            ]
            our_s = time.perf_counter() - start
            errors = np.full(count, np.inf)
            for first, (found, _, sample) in parts:
                error = np.abs(found - rotations[first + sample]).max(axis=(1, 2))
                np.minimum.at(errors, first + sample, error)
            some = min(count, 20000)
            start = time.perf_counter()
            theirs = [
                poselib.gp3p(*each) for each in zip(centers, rays, world[:some], strict=False)
            ]
            their_s = time.perf_counter() - start
            is_found = [
                any(np.abs(pose.R - rotation).max() < 1e-4 for pose in poses)
                for poses, rotation in zip(theirs, rotations, strict=False)
            ]
            table.add(
                baseline,
                "ahead" if ahead else "around",
                round(float((errors < 1e-4).mean()), 5),
                round(1e6 * our_s / count, 1),
                round(float(np.mean(is_found)), 5),
                round(1e6 * their_s / some, 1),
            )
    return table


def exact_samples(
    count: int, baseline: float, rng: np.random.Generator, *, ahead: bool
) -> tuple[Float64, Float64, Float64, Float64]:
    """Sample centres, rays, world points and rotations; points are about 10 map units away."""
    centers = baseline * rng.normal(size=(count, 3, 3))
    rays = rng.normal(size=(count, 3, 3))
    if ahead:
        rays = np.concatenate([0.35 * rays[:, :, :2], np.ones((count, 3, 1))], axis=2)
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    points = centers + 10 * np.exp(0.5 * rng.normal(size=(count, 3, 1))) * rays
    rotations = Rotation.random(count, random_state=0).as_matrix()
    return centers, rays, np.einsum("nji,npj->npi", rotations, points), rotations


if __name__ == "__main__":
    main()
