"""Estimators for rigs side by side, on the same correspondences of known poses.

python pipelines/benchmarks/rigs.py --scenes 50
python pipelines/benchmarks/rigs.py --weights 1.19 --share 0.05
python pipelines/benchmarks/rigs.py --solver 100000

Cameras stand on a circle and look outward; their fields of view do not overlap. Every estimator
ends in the same refinement on pixels. Success: within 0.5 degrees and 1 % of the median depth.
"""

from __future__ import annotations

import time
from dataclasses import replace

import click
import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.config import PoseConfig
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.weights import WeightsStore
from hloc_lite.pose.gp3p import solve_gp3p
from hloc_lite.protocols import RigEstimator
from hloc_lite.registry import Runtime, create_rig_estimator, rig_estimator_names
from hloc_lite.synthetic.correspondences import CAMERA, FARTHEST, NEAREST
from hloc_lite.synthetic.rigs import RigScene, make_rig_scene, ring
from hloc_lite.types import Float64

MAX_ANGLE_DEG = 0.5
MAX_DISTANCE = 0.01 * (NEAREST + FARTHEST) / 2
Row = tuple[bool, float, float, float, int]


@click.command()
@click.option("--scenes", default=50, show_default=True, help="Of each kind.")
@click.option("--cameras", "rigs", multiple=True, default=(2, 4, 6), show_default=True)
@click.option("--count", default=2000, show_default=True, help="Correspondences of a whole rig.")
@click.option("--share", "shares", multiple=True, default=(0.5, 0.2, 0.1), show_default=True)
@click.option("--radius", default=0.5, show_default=True, help="Of the circle, map units.")
@click.option(
    "--estimators", "names", multiple=True, default=tuple(rig_estimator_names()), show_default=True
)
@click.option("--noise", default=1.0, show_default=True, help="Of right pixels, px.")
@click.option("--bound", default=6.0, show_default=True, help="Of inliers, px.")
@click.option("--max-trials", default=100000, show_default=True)
@click.option("--min-trials", default=100, show_default=True)
@click.option("--weights", "separation", type=float, help="1.19: AUC 0.8; 0: none; -0.74: 0.3.")
@click.option("--solver", "samples", type=int, help="Only the minimal solver, on so many samples.")
def main(
    scenes: int,
    rigs: tuple[int, ...],
    count: int,
    shares: tuple[float, ...],
    radius: float,
    names: tuple[str, ...],
    noise: float,
    bound: float,
    max_trials: int,
    min_trials: int,
    separation: float | None,
    samples: int | None,
) -> None:
    """Print success, errors, time and trials of each estimator for each kind of scene."""
    if samples is not None:
        compare_solvers(samples)
        return
    config = PoseConfig(
        max_error_px=bound, reference_side_px=1024, max_num_trials=max_trials,
        min_num_trials=min_trials,
    )  # fmt: skip
    runtime = Runtime(WeightsStore(offline=True))
    estimators = {name: create_rig_estimator(name, config, runtime) for name in names}
    click.echo(
        "| cameras | inliers | estimator | success | error | angle | ms | / poselib | trials |"
    )
    click.echo("|---" * 9 + "|")
    for cameras in rigs:
        for share in shares:
            made = (
                make_rig_scene(seed, ring([CAMERA] * cameras, radius, seed), count, share, noise)
                for seed in range(scenes)
            )
            if separation is not None:
                made = (weighted(scene, separation, i) for i, scene in enumerate(made))
            compare(estimators, list(made), f"| {cameras} | {100 * share:g} % ")


def weighted(scene: RigScene, separation: float, seed: int) -> RigScene:
    """The scene with likelihood ratios of a normal score that right correspondences have higher by
    ``separation`` standard deviations."""
    rng = np.random.default_rng(seed)
    given = []
    for each, true in zip(scene.correspondences, scene.inlier_masks, strict=True):
        score = rng.normal(size=len(true)) + separation * true
        weights = np.exp((abs(separation) or 1.0) * score)
        given.append(replace(each, weights=weights))
    return replace(scene, correspondences=tuple(given))


def compare(estimators: dict[str, RigEstimator], scenes: list[RigScene], kind: str) -> None:
    """Lines of the table for one kind of scene; estimators take turns on each scene."""
    rows: dict[str, list[Row]] = {name: [] for name in estimators}
    for scene in scenes:
        for name, estimator in estimators.items():
            rows[name].append(measure(scene, estimator))
    milliseconds = {
        name: float(np.median([row[3] for row in found])) for name, found in rows.items()
    }
    for name, found in rows.items():
        good = [row for row in found if row[0]]
        distance, angle = (np.median([row[i] for row in good]) if good else np.nan for i in (1, 2))
        ratio = milliseconds[name] / milliseconds.get("poselib", np.nan)
        click.echo(
            f"{kind}| {name} | {100 * len(good) / len(found):.1f} % | {distance:.4f} "
            f"| {angle:.4f} | {milliseconds[name]:.1f} | {ratio:.2f} "
            f"| {np.median([row[4] for row in found]):.0f} |"
        )


def measure(scene: RigScene, estimator: RigEstimator) -> Row:
    """Success, distance, angle in degrees, wall time in ms, trials."""
    start = time.perf_counter()
    found = estimator.estimate(scene.correspondences, scene.rig)
    milliseconds = 1000 * (time.perf_counter() - start)
    if found is None:
        return False, np.inf, np.inf, milliseconds, 0
    distance, angle = pose_errors(found.rig_from_world, scene.rig_from_world)
    success = distance < MAX_DISTANCE and angle < MAX_ANGLE_DEG
    return success, distance, angle, milliseconds, found.num_trials


def compare_solvers(count: int) -> None:
    """Share of true poses among the solutions, to 1e-4 in the rotation, and time per sample.
    PoseLib takes one a call, and is given no more than 20,000."""
    import poselib

    click.echo("| centres | found | us | poselib found | us |")
    click.echo("|---" * 5 + "|")
    for baseline in (10.0, 1.0, 1e-1, 1e-3):
        for ahead in (False, True):
            rng = np.random.default_rng(0)
            centers, rays, world, rotations = exact_samples(count, baseline, rng, ahead=ahead)
            start = time.perf_counter()
            parts = [
                (i, solve_gp3p(centers[i : i + 4096], rays[i : i + 4096], world[i : i + 4096]))
                for i in range(0, count, 4096)
            ]
            seconds = time.perf_counter() - start
            best = np.full(count, np.inf)
            for first, (found, _, sample) in parts:
                error = np.abs(found - rotations[first + sample]).max(axis=(1, 2))
                np.minimum.at(best, first + sample, error)
            some = min(count, 20000)
            start = time.perf_counter()
            theirs = [
                poselib.gp3p(*each) for each in zip(centers, rays, world[:some], strict=False)
            ]
            their_seconds = time.perf_counter() - start
            hits = [
                any(np.abs(pose.R - rotation).max() < 1e-4 for pose in poses)
                for poses, rotation in zip(theirs, rotations, strict=False)
            ]
            click.echo(
                f"| {baseline:g}, {'ahead' if ahead else 'around'} | {(best < 1e-4).mean():.5f} "
                f"| {1e6 * seconds / count:.1f} | {np.mean(hits):.5f} "
                f"| {1e6 * their_seconds / some:.1f} |"
            )


def exact_samples(
    count: int, baseline: float, rng: np.random.Generator, *, ahead: bool
) -> tuple[Float64, Float64, Float64, Float64]:
    """Centres, rays, world points and rotations of points about 10 map units away."""
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
