"""Share of true P3P solutions that are found, on random and nearly degenerate samples.

    python -m pipelines.benchmarks.accuracy.p3p --samples 100000

A solution is found if its rotation is within 1e-4 (0.006 degrees) of the true one.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np
import poselib

from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.synthetic.p3p_samples import P3PSamples, rotation_errors, samples_by_kind
from hloc_lite.types import Float64, Int64
from pipelines.benchmarks.table import Table, results_option

TOLERANCE = 1e-4
MAX_RAY_ERROR = 1e-9
Solutions = tuple[Float64, Int64]
"""(H, 3, 3) rotations, and the (H,) sample of each."""


@click.command()
@click.option("--samples", default=100000, show_default=True, help="Total number of samples.")
@click.option("--seed", default=0, show_default=True)
@results_option
def main(samples: int, seed: int, results: Path | None) -> None:
    """Print the shares of each kind of sample, and of all."""
    table = Table(
        "Minimal solver (P3P)",
        ["kind of sample", "samples", "true pose found", "PoseLib's solutions found",
         "true pose found by PoseLib", "our solutions found by PoseLib", "us per sample"],
        f"Found: within {TOLERANCE:g} of the rotation. Compared are solutions that map the points "
        f"to their rays.",
    )  # fmt: skip
    counts = []
    for name, truth in samples_by_kind(samples, seed).items():
        start = time.perf_counter()
        ours = solve_p3p(truth.rays, truth.points3D)
        microseconds = 1e6 * (time.perf_counter() - start) / len(truth)
        theirs = solve_with_poselib(truth)
        row = [
            count_found(truth, ours),
            count_found(truth, ours, valid_solutions(truth, *theirs)),
            count_found(truth, theirs),
            count_found(truth, theirs, valid_solutions(truth, *ours)),
        ]
        counts.append(row)
        table.add(name, row[0][1], *map(share, row), round(microseconds, 1))
    total = np.sum(counts, axis=0).tolist()
    table.add("all", total[0][1], *map(share, total), None)
    table.write(results)


def solve_with_poselib(truth: P3PSamples) -> tuple[Float64, Float64, Int64]:
    """Solve like ``solve_p3p``, with PoseLib."""
    rotations, translations, samples = [], [], []
    for sample in range(len(truth)):
        for pose in poselib.p3p(list(truth.rays[sample]), list(truth.points3D[sample])):
            rotations.append(pose.R)
            translations.append(pose.t)
            samples.append(sample)
    return (
        np.array(rotations).reshape(-1, 3, 3),
        np.array(translations).reshape(-1, 3),
        np.array(samples, int),
    )


def valid_solutions(
    truth: P3PSamples, rotations: Float64, translations: Float64, samples: Int64
) -> Solutions:
    """Select the solutions that map the points to their rays."""
    in_cam = np.einsum("hij,hpj->hpi", rotations, truth.points3D[samples])
    in_cam += translations[:, None]
    distances = np.linalg.norm(in_cam, axis=2)
    # far from the origin world coordinates have fewer digits
    size = np.abs(truth.points3D[samples]).max(axis=(1, 2)) / distances.min(axis=1)
    errors = np.abs(in_cam / distances[..., None] - truth.rays[samples]).max(axis=(1, 2))
    is_valid = errors < MAX_RAY_ERROR * (1 + size)
    return rotations[is_valid], samples[is_valid]


def count_found(
    truth: P3PSamples,
    solutions: tuple[Float64, Float64, Int64],
    targets: Solutions | None = None,
) -> tuple[int, int]:
    """Number of targets (default: true poses) found, and total number of targets."""
    rotations, _, samples = solutions
    errors = rotation_errors(truth, rotations, samples, targets=targets)
    return int((errors < TOLERANCE).sum()), len(errors)


def share(counts: tuple[int, int]) -> float | None:
    """Share of found targets; None without any."""
    found, total = counts
    return round(found / total, 5) if total else None


if __name__ == "__main__":
    main()
