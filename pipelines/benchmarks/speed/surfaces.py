"""Surfaces: seconds of a rendered view, and memory of a made floor of laser scans.

    python -m pipelines.benchmarks.speed.surfaces -o FOLDER

Views of a made room are rendered at an eighth of 4032 x 3024. The floor is fused, stored and
rendered in a process of its own, whose peak memory is measured.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import SurfaceConfig
from hloc_lite.formats.point_blocks import PointBlock
from hloc_lite.geometry.surface_rendering import render_surface, scaled_camera
from hloc_lite.mapping.surface_fusion import fuse_points
from hloc_lite.mapping.surface_sources import cloud_samples
from hloc_lite.maps.surface_saving import write_surface
from hloc_lite.types import Camera, Float64, Rigid3, Surface
from pipelines.benchmarks.table import Table, results_option

CAMERA = Camera("PINHOLE", 4032, 3024, [3000.0, 3000.0, 2016.0, 1512.0])
SCALE = 1 / 8
ROOM = np.array([1.5, 2.0, 1.5])
"""Half the size of a room, metres."""
BLOCK = 500_000
ALONG_X = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
Row = tuple[str, float, float]


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--scans", default=40, show_default=True)
@click.option("--points", default=2_500_000, show_default=True, help="Points of a scan.")
@click.option("--voxel", default=0.01, show_default=True, help="Metres.")
@results_option
def main(output: Path, scans: int, points: int, voxel: float, results: Path | None) -> None:
    """Print CPU seconds and peak memory of each step."""
    table = Table(
        "Surfaces: rendering and fusion",
        ("step", "CPU seconds", "peak memory, MB"),
        "one process each, on one core",
    )
    for step in (render_points, fuse_floor):
        with get_context("spawn").Pool(1) as pool:
            for row in pool.apply(step, (output, scans, points, voxel)):
                table.add(*row)
    table.write(results)


def render_points(_output: Path, _scans: int, _points: int, _voxel: float) -> list[Row]:
    """Views of a million points that all lie in view, with and without normals."""
    rng = np.random.default_rng(0)
    xy = rng.uniform(-1, 1, (1_000_000, 2)) * [2.9, 2.2]
    xyz = np.column_stack([xy, 5 + 0.3 * xy[:, 0]])
    normals = np.tile(np.array([0.3, 0, -1]) / np.sqrt(1.09), (len(xyz), 1))
    grey = np.full((len(xyz), 3), 100, np.uint8)
    radii = np.full(len(xyz), 0.004)
    rows = []
    for name, surface in {
        "view of 1,000,000 points": Surface(xyz, grey, None, radii),
        "the same with normals": Surface(xyz, grey, normals, radii),
    }.items():
        seconds = []
        for _ in range(7):
            start = time.process_time()
            render_surface(surface, CAMERA, Rigid3.identity(), scale=SCALE)
            seconds.append(time.process_time() - start)
        rows.append((name, round(float(np.median(seconds)), 3), _peak_mb()))
    return rows


def fuse_floor(output: Path, scans: int, points: int, voxel: float) -> list[Row]:
    """A floor fused and stored; then a view of it."""
    start = time.process_time()
    parts = fuse_points(cloud_samples(floor_of_scans(scans, points)), voxel, SurfaceConfig())
    stored = write_surface(output, parts, "benchmark", {"source": "made"})
    name = f"{scans * points / 1e6:.0f} million points of {scans} scans -> {len(stored)} stored"
    rows = [(name, round(time.process_time() - start, 1), _peak_mb())]
    pose = Rigid3(ALONG_X, -ALONG_X @ np.array([0.0, 0.0, 1.5]))
    for name in ("first view, tiles are checked", "second view"):
        start = time.process_time()
        part = stored.seen_from(scaled_camera(CAMERA, SCALE), pose)
        render_surface(part, CAMERA, pose, scale=SCALE)
        seconds = round(time.process_time() - start, 3)
        rows.append((f"{name}: {len(part)} points", seconds, _peak_mb()))
    return rows


def floor_of_scans(scans: int, points: int) -> Iterator[PointBlock]:
    """Scans in rooms of a grid; three rays of ten pass into the next room."""
    rng = np.random.default_rng(0)
    for number in range(scans):
        center = np.array([3.0 * (number % 10), 4.0 * (number // 10), 1.5])
        for start in range(0, points, BLOCK):
            yield _block(rng, center, min(BLOCK, points - start))


def _block(rng: np.random.Generator, center: Float64, count: int) -> PointBlock:
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    reach = (ROOM / np.abs(directions)).min(axis=1)
    reach = np.where(rng.random(count) < 0.3, 2 * reach, reach)
    xyz = center + directions * reach[:, None] + rng.normal(0, 0.002, (count, 3))
    return PointBlock(xyz, ((xyz * 40) % 256).astype(np.uint8), None, center)


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
