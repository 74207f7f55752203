"""Stored form of a surface: parts of bounded size, whose points take 20 bytes each.

MAP/surface/map.json           schema, fingerprint of the map, bounds of each tile; written last
MAP/surface/tiles/N.npy        points coarse to fine: a prefix is a coarser surface
MAP/surface/tiles/N-faces.npy  triangles of a mesh, rows of the tile's own vertices
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.types import Float64, Int32, Surface

SURFACE_SCHEMA = "hloc_lite.surface/1"
MAX_TILE_POINTS = 1 << 20
"""Most points of a tile: 20 MB on disk."""
POINT = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3), ("normal", "i1", 3), ("radius", "<f2")])
"""Stored point. A normal is scaled by 127, 0 where unknown; so is a radius of 0."""
NORMAL_SCALE = 127


@dataclass(frozen=True, eq=False)
class Tile:
    """Bounds of a stored part of a surface."""

    name: str
    count: int
    """Points, or vertices of triangles."""
    low: Float64
    """(3,) least coordinates, world."""
    high: Float64
    """(3,) greatest coordinates."""
    spacing: float
    """Median distance of neighbouring points, map units; 0 if unknown."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for the header."""
        bounds = {"low": self.low.tolist(), "high": self.high.tolist()}
        return {"name": self.name, "count": self.count, **bounds, "spacing": self.spacing}


def tile_from_json(values: Mapping[str, Any]) -> Tile:
    """Tile of the header's values.

    Raises:
        KeyError, TypeError, ValueError: they are no tile.
    """
    low, high = (np.array(values[key], np.float64) for key in ("low", "high"))
    tile = Tile(str(values["name"]), int(values["count"]), low, high, float(values["spacing"]))
    if low.shape != (3,) or high.shape != (3,) or not np.isfinite([low, high]).all():
        raise ValueError(f"tile {tile.name} has no bounds")
    if tile.count < 1 or not 0 <= tile.spacing < np.inf:
        raise ValueError(f"tile {tile.name} has {tile.count} points, spacing {tile.spacing}")
    return tile


def make_tile(name: str, surface: Surface) -> Tile:
    """Bounds of a part of a surface that has at least one point."""
    spacing = 0.0 if surface.radii is None else 2 * float(np.median(surface.radii))
    low, high = surface.xyz.min(axis=0), surface.xyz.max(axis=0)
    return Tile(name, len(surface), low.astype(np.float64), high.astype(np.float64), spacing)


def rows_from_surface(surface: Surface) -> np.ndarray:
    """(V,) ``POINT`` rows of a surface; triangles are stored beside them."""
    rows = np.zeros(len(surface), POINT)
    rows["xyz"], rows["rgb"] = surface.xyz, surface.rgb
    if surface.normals is not None:
        scaled = np.nan_to_num(surface.normals) * NORMAL_SCALE
        rows["normal"] = np.clip(np.rint(scaled), -NORMAL_SCALE, NORMAL_SCALE)
    if surface.radii is not None:
        rows["radius"] = np.minimum(surface.radii, np.finfo(np.float16).max)
    return rows


def surface_from_rows(rows: np.ndarray, share: float, triangles: Int32 | None) -> Surface:
    """Surface of ``POINT`` rows, of which a share was taken: splats are larger accordingly."""
    normals: Any = rows["normal"].astype(np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", normals, normals))
    has_normals = len(rows) > 0 and bool((length > 0).all())
    radii = rows["radius"].astype(np.float32)
    return Surface(
        np.ascontiguousarray(rows["xyz"]),
        np.ascontiguousarray(rows["rgb"]),
        normals / length[:, None] if has_normals else None,
        radii * np.float32(1 / np.sqrt(share)) if radii.any() else None,
        triangles,
    )


def join_surfaces(parts: Sequence[Surface]) -> Surface:
    """One surface of several; normals and radii are kept if all parts have them.

    Triangles are kept if any part has some.
    """
    parts = [part for part in parts if len(part)]
    if not parts:
        return Surface(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8))
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    faces = [
        part.triangles + start
        for part, start in zip(parts, starts, strict=True)
        if part.triangles is not None
    ]
    normals = [part.normals for part in parts if part.normals is not None]
    radii = [part.radii for part in parts if part.radii is not None]
    return Surface(
        np.concatenate([part.xyz for part in parts]),
        np.concatenate([part.rgb for part in parts]),
        np.concatenate(normals) if len(normals) == len(parts) else None,
        np.concatenate(radii) if len(radii) == len(parts) else None,
        np.concatenate(faces).astype(np.int32) if faces else None,
    )
