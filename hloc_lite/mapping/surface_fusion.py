"""Fuses measured points into the surface of a map, by tiles, in bounded memory.

Points are averaged in voxels as they come, and written to one scratch file per tile. Then each tile
is averaged again, cleared of outliers, and given normals and the distances of its neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from hloc_lite.config.surface import SurfaceConfig
from hloc_lite.errors import FormatError
from hloc_lite.geometry.point_fusion import (
    PointSamples,
    are_inliers,
    cells_of,
    facing,
    join_samples,
    neighbourhoods,
    voxel_means,
)
from hloc_lite.io.temporary_folders import temporary_folder
from hloc_lite.types import Surface

_STORED = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3), ("towards", "i1", 3), ("weight", "<f4")])
_BLOCK = 1 << 20
"""Stored points that are read at once."""
_DIRECTION_STEPS = 127
Cell = tuple[int, int, int]


def fuse_points(
    samples: Iterable[PointSamples], voxel: float, config: SurfaceConfig
) -> Iterator[Surface]:
    """Fuse points into one surface part per tile.

    Args:
        samples: measured points, in any order.
        voxel: edge of the cubes in which points are averaged, map units.
        config: sizes, neighbours and outliers.

    Raises:
        FormatError: coordinates so large that float32 cannot resolve a voxel.
    """
    edge = voxel * config.tile_voxels
    with temporary_folder() as scratch:
        buckets = _Buckets(scratch, config.max_points)
        for block in samples:
            finite = np.asarray(np.isfinite(block.xyz).all(axis=1))
            kept = block if finite.all() else block.subset(finite)
            if not len(kept):
                continue
            _check_resolution(kept, voxel)
            buckets.add(voxel_means(kept, voxel), edge)
        for cell in buckets.cells():
            part = _finished(_merged(buckets.stored(cell), voxel), config)
            if len(part):
                yield part


class _Buckets:
    """Points by tile: in memory up to a limit, then in one scratch file per tile."""

    def __init__(self, folder: Path, max_points: int) -> None:
        self._folder, self._max_points = folder, max_points
        self._waiting: dict[Cell, list[np.ndarray]] = defaultdict(list)
        self._num_waiting = 0
        self._written: set[Cell] = set()

    def add(self, samples: PointSamples, edge: float) -> None:
        cells, inverse = np.unique(cells_of(samples.xyz, edge), axis=0, return_inverse=True)
        rows = _to_rows(samples)
        order = np.argsort(inverse.ravel(), kind="stable")
        ends = np.cumsum(np.bincount(inverse.ravel()))
        for cell, part in zip(cells, np.split(order, ends[:-1]), strict=True):
            self._waiting[(int(cell[0]), int(cell[1]), int(cell[2]))].append(rows[part])
        self._num_waiting += len(rows)
        if self._num_waiting > self._max_points:
            self._flush()

    def cells(self) -> list[Cell]:
        self._flush()
        return sorted(self._written)

    def stored(self, cell: Cell) -> Iterator[PointSamples]:
        with self._path(cell).open("rb") as file:
            while data := file.read(_BLOCK * _STORED.itemsize):
                yield _from_rows(np.frombuffer(data, _STORED))
        self._path(cell).unlink()

    def _flush(self) -> None:
        for cell, parts in self._waiting.items():
            with self._path(cell).open("ab") as file:
                for part in parts:
                    file.write(part.tobytes())
            self._written.add(cell)
        self._waiting.clear()
        self._num_waiting = 0

    def _path(self, cell: Cell) -> Path:
        return self._folder / "_".join(map(str, cell))


def _merged(blocks: Iterable[PointSamples], voxel: float) -> PointSamples:
    """Voxel means of all blocks of a tile; no more than two are in memory."""
    merged: PointSamples | None = None
    for block in blocks:
        merged = block if merged is None else join_samples(merged, block)
        merged = voxel_means(merged, voxel)
    assert merged is not None  # a cell has at least one point
    return merged


def _finished(points: PointSamples, config: SurfaceConfig) -> Surface:
    """Surface part without outliers, with normals (where points know what saw them) and radii."""
    rgb = np.clip(np.rint(points.rgb), 0, 255).astype(np.uint8)
    if len(points) <= config.neighbours:
        return Surface(points.xyz[:0], rgb[:0])
    around = neighbourhoods(points.xyz, config.neighbours)
    kept = are_inliers(around.spreads, config.max_spread_sigmas)
    has_side = (points.towards != 0).any(axis=1)
    has_sides = bool(has_side.mean() > 0.5)
    if has_sides:  # the others were seen from opposite sides: a wall thinner than a voxel
        kept &= has_side
    normals = facing(around.normals, points.towards)[kept] if has_sides else None
    return Surface(points.xyz[kept], rgb[kept], normals, around.spacings[kept] / np.float32(2))


def _check_resolution(samples: PointSamples, voxel: float) -> None:
    largest = float(np.abs(samples.xyz).max())
    if np.spacing(np.float32(largest)) * 4 > voxel:
        raise FormatError(
            f"points have coordinates up to {largest:.6g}, which cannot be told apart to "
            f"{voxel:.3g}: subtract an offset from them (and from the poses)"
        )


def _to_rows(samples: PointSamples) -> np.ndarray:
    rows = np.zeros(len(samples), _STORED)
    rows["xyz"], rows["weight"] = samples.xyz, samples.weights
    rows["rgb"] = np.clip(np.rint(samples.rgb), 0, 255)
    length = np.linalg.norm(samples.towards, axis=1, keepdims=True)
    unit = samples.towards / np.where(length > 0, length, 1)
    rows["towards"] = np.rint(unit * _DIRECTION_STEPS)
    return rows


def _from_rows(rows: np.ndarray) -> PointSamples:
    return PointSamples(
        np.ascontiguousarray(rows["xyz"]),
        rows["rgb"].astype(np.float32),
        rows["towards"].astype(np.float32) / np.float32(_DIRECTION_STEPS),
        np.ascontiguousarray(rows["weight"]),
    )
