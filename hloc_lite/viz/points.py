"""Points or triangles of a map that the page shows: an even share of at most a given number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hloc_lite.maps.map import Map
from hloc_lite.maps.surface import StoredSurface
from hloc_lite.maps.surface_tiles import join_surfaces
from hloc_lite.types import Float32, Float64, Int32, Int64, Surface, UInt8, freeze_field
from hloc_lite.viz.frame import SCENE_DISTANCE, ViewerFrame

NO_COLOUR = np.array([150, 158, 170], np.uint8)
"""Colour of landmarks of maps that keep none."""
LANDMARK_SIZE = 0.004 * SCENE_DISTANCE
"""Side of a landmark, units of the viewer: 2 to 3 pixels at the distance of the cameras."""
SURFACE_SIZE_LIMITS = (0.003 * SCENE_DISTANCE, 0.02 * SCENE_DISTANCE)
"""Least and greatest side of a surface point, units of the viewer. Points of less than a pixel
would be blended with the background, and pale."""
BLOCK_POINTS = 1 << 16
"""Most points of a block: blocks are small enough that half floats resolve them."""


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Coloured points, or the vertices of a mesh, in the viewer."""

    xyz: Float32
    """(N, 3) units of the viewer."""
    rgb: UInt8
    """(N, 3)."""
    triangles: Int32 | None
    """(T, 3) rows of the vertices; None for points."""
    size: float
    """Side of a point, units of the viewer."""
    num_all: int
    """Points (or triangles of a mesh) of which these are a share."""
    source: Literal["landmarks", "surface"]

    def __post_init__(self) -> None:
        freeze_field(self, "xyz", np.float32, None, 3)
        freeze_field(self, "rgb", np.uint8, len(self.xyz), 3)
        if self.triangles is not None:
            freeze_field(self, "triangles", np.int32, None, 3)

    def __len__(self) -> int:
        return len(self.xyz)


@dataclass(frozen=True, eq=False)
class Block:
    """Points near each other, relative to a place among them."""

    origin: Float64
    """(3,) units of the viewer."""
    offsets: Float32
    """(N, 3) from the origin."""
    rgb: UInt8
    """(N, 3)."""
    is_half: bool
    """True if half floats (2 bytes) place the points to a quarter of their size."""


def map_points(sfm_map: Map, frame: ViewerFrame, max_points: int, seed: int) -> PointCloud:
    """Points of the map's surface if it has one, else its landmarks.

    The choice is the same for the same map, number and seed.

    Raises:
        FormatError: a tile of the stored surface is missing or damaged.
    """
    if sfm_map.surface is None:
        return _landmarks(sfm_map, frame, max_points, seed)
    surface, num_all = _share_of_surface(sfm_map.surface, max_points, seed)
    size = LANDMARK_SIZE
    if surface.radii is not None and len(surface):
        thinned = np.sqrt(num_all / len(surface)) if surface.triangles is None else 1.0
        size = 2 * frame.scale * float(np.median(surface.radii) * thinned)
    size = float(np.clip(size, *SURFACE_SIZE_LIMITS))
    xyz = frame.from_world(surface.xyz)
    return PointCloud(xyz, surface.rgb, surface.triangles, size, num_all, "surface")


def blocks(cloud: PointCloud) -> Iterator[Block]:
    """Points of a cloud in blocks of neighbours, split at the median of the longest side.

    Half floats have 11 bits: relative to the middle of a block they resolve what they would not
    relative to that of the scene.
    """
    for rows in _split(cloud.xyz, np.arange(len(cloud))):
        xyz = cloud.xyz[rows].astype(np.float64)
        origin = np.median(xyz, axis=0)
        offsets = (xyz - origin).astype(np.float32)
        error = float(np.abs(offsets).max()) * 2.0**-11
        yield Block(origin, offsets, cloud.rgb[rows], error <= cloud.size / 4)


def even_rows(count: int, most: int, seed: int) -> Int64:
    """(min(count, most),) ascending rows, chosen at random by the seed; all if they are few."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def _landmarks(sfm_map: Map, frame: ViewerFrame, max_points: int, seed: int) -> PointCloud:
    model = sfm_map.model
    finite = np.flatnonzero(np.isfinite(model.xyz).all(axis=1))
    rows = finite[even_rows(len(finite), max_points, seed)]
    rgb = model.rgb[rows]
    if not rgb.any():  # a map without colours is not black
        rgb = np.broadcast_to(NO_COLOUR, rgb.shape)
    xyz = frame.from_world(model.xyz[rows])
    return PointCloud(xyz, rgb, None, LANDMARK_SIZE, model.num_points, "landmarks")


def _share_of_surface(
    surface: StoredSurface | Surface, max_points: int, seed: int
) -> tuple[Surface, int]:
    """Share of a surface, and the number of its points or triangles."""
    if isinstance(surface, StoredSurface) and not surface.is_mesh:
        share = min(1.0, max_points / max(len(surface), 1))
        # the points of a tile are stored coarse to fine: the first ones are spread evenly
        parts = [part.subset(slice(int(share * len(part)))) for part in surface.parts()]
        return join_surfaces(parts), len(surface)
    whole = surface.whole() if isinstance(surface, StoredSurface) else surface
    if whole.triangles is None:
        return whole.subset(even_rows(len(whole), max_points, seed)), len(whole)
    if len(whole.triangles) <= max_points:
        return whole, len(whole.triangles)
    # the vertices of so many triangles lie as densely as points
    return whole.subset(even_rows(len(whole), max_points, seed)), len(whole)


def _split(xyz: Float32, rows: Int64) -> Iterator[Int64]:
    if len(rows) == 0:
        return
    if len(rows) <= BLOCK_POINTS:
        yield rows
        return
    part = xyz[rows]
    axis = int(np.argmax(part.max(axis=0) - part.min(axis=0)))
    order = np.argsort(part[:, axis], kind="stable")
    middle = len(rows) // 2
    yield from _split(xyz, rows[np.sort(order[:middle])])
    yield from _split(xyz, rows[np.sort(order[middle:])])
