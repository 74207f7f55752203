"""P3P on random and nearly degenerate samples: how many of the true solutions are found.

python pipelines/benchmarks/p3p.py --samples 100000

Found: a solution whose rotation is within 1e-4 (0.006 degrees) of the true one. ``other``: the
solutions that PoseLib finds and that put the points on their rays, found here too; the next two
columns are PoseLib's share of the true poses and of the solutions found here.
"""

from __future__ import annotations

import time

import click
import numpy as np
import poselib

from hloc_lite.pose.p3p import solve_p3p
from hloc_lite.synthetic.p3p_samples import P3PSamples, rotation_errors, samples_by_kind
from hloc_lite.types import Float64, Int64

TOLERANCE = 1e-4
MAX_RAY_ERROR = 1e-9
Solutions = tuple[Float64, Int64]
"""(H, 3, 3) rotations and the sample that each is of."""


@click.command()
@click.option("--samples", default=100000, show_default=True, help="In all.")
@click.option("--seed", default=0, show_default=True)
def main(samples: int, seed: int) -> None:
    """Print the shares per kind, and over all."""
    click.echo("| kind | samples | true pose | other | PoseLib: true pose | of ours | us each |")
    click.echo("|---" * 7 + "|")
    counts = []
    for name, triples in samples_by_kind(samples, seed).items():
        start = time.perf_counter()
        found = solve_p3p(triples.rays, triples.points3D)
        microseconds = 1e6 * (time.perf_counter() - start) / len(triples)
        poselibs = by_poselib(triples)
        ours, theirs = (found[0], found[2]), (poselibs[0], poselibs[2])
        row = [
            *share(triples, ours),
            *share(triples, ours, of=on_rays(triples, *poselibs)),
            *share(triples, theirs),
            *share(triples, theirs, of=on_rays(triples, *found)),
        ]
        counts.append(row)
        click.echo(line(name, row) + f" {microseconds:.1f} |")
    click.echo(line("all", [sum(each) for each in zip(*counts, strict=True)]) + " |")


def by_poselib(triples: P3PSamples) -> tuple[Float64, Float64, Int64]:
    """As ``solve_p3p``, by PoseLib's solver."""
    rotations, translations, samples = [], [], []
    for sample in range(len(triples)):
        rays, points3D = list(triples.rays[sample]), list(triples.points3D[sample])
        for pose in poselib.p3p(rays, points3D):
            rotations.append(pose.R)
            translations.append(pose.t)
            samples.append(sample)
    return (
        np.array(rotations).reshape(-1, 3, 3),
        np.array(translations).reshape(-1, 3),
        np.array(samples, int),
    )


def on_rays(
    triples: P3PSamples, rotations: Float64, translations: Float64, samples: Int64
) -> Solutions:
    """The solutions that put the points on their rays."""
    in_cam = np.einsum("hij,hpj->hpi", rotations, triples.points3D[samples])
    in_cam += translations[:, None]
    seen = in_cam / np.linalg.norm(in_cam, axis=2, keepdims=True)
    # far from the origin the world's own digits are coarse
    size = np.abs(triples.points3D[samples]).max(axis=(1, 2)) / np.linalg.norm(in_cam, axis=2).min(
        1
    )
    right = np.abs(seen - triples.rays[samples]).max(axis=(1, 2)) < MAX_RAY_ERROR * (1 + size)
    return rotations[right], samples[right]


def share(triples: P3PSamples, found: Solutions, of: Solutions | None = None) -> tuple[int, int]:
    """How many of the true ones were found, and how many there are."""
    missed = rotation_errors(triples, *found, targets=of)
    return int((missed < TOLERANCE).sum()), len(missed)


def line(name: str, row: list[int]) -> str:
    """A row of the table: pairs of found and all."""
    shares = " | ".join(
        f"{found / total:.5f}" if total else "-"
        for found, total in zip(row[::2], row[1::2], strict=True)
    )
    return f"| {name} | {row[1]} | {shares} |"


if __name__ == "__main__":
    main()
