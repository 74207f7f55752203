"""Pose estimators side by side, on the same correspondences of known poses.

python pipelines/benchmarks/estimators.py --scenes 200
python pipelines/benchmarks/estimators.py --weights 1.19 --share 0.05 --share 0.02

Every estimator ends in the same refinement on pixels. Without weights all see the same; with them
``weighted`` is also run blind (as ``weighted, blind``). Success: within 0.5 degrees and 1 % of the
median depth. Times are medians; on a machine that does other work too, compare those of the CPU,
with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import click
import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.weights import WeightsStore
from hloc_lite.protocols import PoseEstimator
from hloc_lite.registry import ESTIMATORS, Runtime, create
from hloc_lite.synthetic.correspondences import (
    FARTHEST,
    NEAREST,
    Scene,
    informative_weights,
    make_scene,
)
from hloc_lite.types import PoseEstimate

MAX_ANGLE_DEG = 0.5
MAX_DISTANCE = 0.01 * (NEAREST + FARTHEST) / 2
Row = tuple[bool, float, float, float, float, int]


@click.command()
@click.option("--scenes", default=200, show_default=True, help="Of each kind.")
@click.option("--count", "counts", multiple=True, default=(500, 2000, 4000), show_default=True)
@click.option("--share", "shares", multiple=True, default=(0.5, 0.2, 0.1, 0.05), show_default=True)
@click.option("--estimators", "names", multiple=True, default=tuple(ESTIMATORS), show_default=True)
@click.option("--noise", default=1.0, show_default=True, help="Of right pixels, px.")
@click.option("--bound", default=6.0, show_default=True, help="Of inliers, px.")
@click.option("--max-trials", default=100000, show_default=True)
@click.option("--min-trials", default=100, show_default=True)
@click.option("--weights", "separation", type=float, help="1.19: AUC 0.8; 0: none; -0.74: 0.3.")
def main(
    scenes: int,
    counts: tuple[int, ...],
    shares: tuple[float, ...],
    names: tuple[str, ...],
    noise: float,
    bound: float,
    max_trials: int,
    min_trials: int,
    separation: float | None,
) -> None:
    """Print success, errors, time and trials of each estimator for each kind of scene."""
    config = PoseConfig(
        max_error_px=bound, reference_side_px=1024, max_num_trials=max_trials,
        min_num_trials=min_trials,
    )  # fmt: skip
    runtime = Runtime(WeightsStore(offline=True))
    runs: dict[str, Callable[[Scene], PoseEstimate | None]] = {}
    for name in names:
        runs[name] = partial(informed, create(ESTIMATORS, name, config, runtime))
    if separation is not None:
        runs["weighted, blind"] = partial(blind, create(ESTIMATORS, "weighted", config, runtime))
    click.echo(
        "| K | inliers | estimator | success | error | angle | ms | / poselib | CPU ms | / poselib "
        "| trials |"
    )
    click.echo("|---" * 11 + "|")
    for count in counts:
        for share in shares:
            compare(runs, scenes, count, share, noise, separation)


def informed(estimator: PoseEstimator, scene: Scene) -> PoseEstimate | None:
    """With the scene's weights."""
    return estimator.estimate(scene.correspondences, scene.camera)


def blind(estimator: PoseEstimator, scene: Scene) -> PoseEstimate | None:
    """With equal weights."""
    equal = replace(scene.correspondences, weights=np.ones(len(scene.inlier_mask)))
    return estimator.estimate(equal, scene.camera)


def compare(
    runs: dict[str, Callable[[Scene], PoseEstimate | None]],
    scenes: int,
    count: int,
    share: float,
    noise: float,
    separation: float | None,
) -> None:
    """Lines of the table for one kind of scene. All run on each scene, another one first each time:
    what is first pays for caches that the making of the scene has emptied."""
    rows: dict[str, list[Row]] = {name: [] for name in runs}
    for seed in range(scenes):
        scene = make_scene(seed, count, share, noise)
        if separation is not None:
            weights = informative_weights(scene, separation, seed)
            scene = replace(scene, correspondences=replace(scene.correspondences, weights=weights))
        names = list(runs)
        first = seed % len(names)
        for name in names[first:] + names[:first]:
            rows[name].append(measure(scene, runs[name]))
    times = {name: np.median([row[3:5] for row in found], axis=0) for name, found in rows.items()}
    for name, found in rows.items():
        good = [row for row in found if row[0]]
        distance, angle = (np.median([row[i] for row in good]) if good else np.nan for i in (1, 2))
        (wall, cpu), ratios = times[name], times[name] / times.get("poselib", np.nan)
        click.echo(
            f"| {count} | {100 * share:g} % | {name} | {100 * len(good) / len(found):.1f} % "
            f"| {distance:.4f} | {angle:.4f} | {wall:.1f} | {ratios[0]:.2f} "
            f"| {cpu:.1f} | {ratios[1]:.2f} | {np.median([row[5] for row in found]):.0f} |"
        )


def measure(scene: Scene, run: Callable[[Scene], PoseEstimate | None]) -> Row:
    """Success, distance, angle in degrees, wall and CPU time in ms, trials."""
    start, cpu_start = time.perf_counter(), time.process_time()
    found = run(scene)
    cpu = 1000 * (time.process_time() - cpu_start)
    wall = 1000 * (time.perf_counter() - start)
    if found is None:
        return False, np.inf, np.inf, wall, cpu, 0
    distance, angle = pose_errors(found.cam_from_world, scene.cam_from_world)
    success = distance < MAX_DISTANCE and angle < MAX_ANGLE_DEG
    return success, distance, angle, wall, cpu, found.num_trials


if __name__ == "__main__":
    main()
