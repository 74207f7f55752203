"""Surface of a map on disk: tiles in MAP/surface, opened when in view (``surface_tiles``)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import focal_lengths
from hloc_lite.geometry.field_of_view import spheres_in_view
from hloc_lite.io.array_file import check_array, read_first
from hloc_lite.io.array_folder import listed_file, read_header, read_listed_array
from hloc_lite.maps.folder import SURFACE
from hloc_lite.maps.georeference import poses_identity
from hloc_lite.maps.surface_tiles import (
    POINT,
    SURFACE_SCHEMA,
    Tile,
    join_surfaces,
    surface_from_rows,
    tile_from_json,
)
from hloc_lite.types import Camera, Float64, Rigid3, Surface

__all__ = ["StoredSurface", "Surface", "open_surface"]

logger = logging.getLogger(__name__)
POINTS_PER_PIXEL = 4
"""Points loaded for each pixel that a tile may cover, so that thinning leaves no gaps."""
MAX_POINTS_PER_PIXEL = 8
"""Points loaded for each pixel of a view: one sees few of those behind walls. With 8 in place of 16
a view takes 0.56 times as long, and its agreement with the photo falls by 0.0006."""
_HALVINGS = 16


class StoredSurface:
    """Surface on disk, of which the tiles in view are loaded at the density that a view needs.

    Tiles are compared with their checksums at first use, and read again by each view.

    Raises:
        FormatError: no surface there, another schema, or a damaged header.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._header = read_header(folder, SURFACE_SCHEMA)
        try:
            self.tiles: tuple[Tile, ...] = tuple(map(tile_from_json, self._header["tiles"]))
            self.fingerprint = str(self._header["fingerprint"])
            self.poses: Mapping[str, Any] = dict(self._header.get("poses", {}))
            """Checksum of the map's poses; empty in surfaces of earlier versions."""
            self.is_mesh = bool(self._header["is_mesh"])
            self.origin: Mapping[str, Any] = dict(self._header["origin"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{folder} is not a complete surface: {error!r}") from None
        self.checksum = str(self._header["checksum"])
        """Changes with the content."""
        self._checked: set[str] = set()

    def __len__(self) -> int:
        return sum(tile.count for tile in self.tiles)

    def __repr__(self) -> str:
        kind = "mesh vertices" if self.is_mesh else "points"
        return f"StoredSurface({len(self)} {kind} in {len(self.tiles)} tiles, {self.folder})"

    def seen_from(self, camera: Camera, cam_from_world: Rigid3) -> Surface:
        """Points or triangles of the tiles in view; far ones at the density that pixels resolve.

        Raises:
            FormatError: a tile is missing, damaged or changed, or the camera has no focal length.
        """
        focal = float(np.sqrt(np.prod(focal_lengths(camera))))
        tiles = _in_view(self.tiles, camera, cam_from_world)
        if self.is_mesh:
            return join_surfaces([self._load(tile, 1.0) for tile in tiles])
        most = MAX_POINTS_PER_PIXEL * camera.width * camera.height
        shares = _shares(tiles, cam_from_world.center, focal, most)
        return join_surfaces(
            [self._load(tile, share) for tile, share in zip(tiles, shares, strict=True)]
        )

    def parts(self) -> Iterator[Surface]:
        """All tiles, one at a time.

        Raises:
            FormatError: a tile is missing, damaged or changed.
        """
        for tile in self.tiles:
            yield self._load(tile, 1.0)

    def equal_parts(self) -> Iterator[Surface]:
        """All tiles, one at a time, without normals if some have none; as files need them.

        Raises as ``parts``.
        """
        all_have_normals = all(part.normals is not None for part in self.parts())
        for part in self.parts():
            yield part if all_have_normals else replace(part, normals=None)

    def whole(self) -> Surface:
        """The whole surface in memory, 31 bytes a point. Raises as ``parts``."""
        return join_surfaces(list(self.parts()))

    def _load(self, tile: Tile, share: float) -> Surface:
        """The first share of a tile's points."""
        count = tile.count if self.is_mesh else max(1, round(share * tile.count))
        rows = self._first(tile.name, count)
        if rows.dtype != POINT or rows.ndim != 1:
            raise FormatError(f"{self.folder}: tile {tile.name} does not hold {tile.count} points")
        if self.is_mesh:
            faces = read_listed_array(self.folder, self._header, f"tiles/{tile.name}-faces")
            return surface_from_rows(rows, 1.0, faces)
        return surface_from_rows(rows, count / tile.count, None)

    def _first(self, name: str, count: int) -> np.ndarray:
        path, recorded = listed_file(self.folder, self._header, f"tiles/{name}")
        if name not in self._checked:
            check_array(path, recorded)
            self._checked.add(name)
        return read_first(path, recorded, count)


def _in_view(tiles: Sequence[Tile], camera: Camera, cam_from_world: Rigid3) -> list[Tile]:
    low, high = (np.array([getattr(t, side) for t in tiles]) for side in ("low", "high"))
    centers = cam_from_world.apply((low + high) / 2)
    seen = spheres_in_view(camera, centers, np.linalg.norm(high - low, axis=1) / 2)
    return [tile for tile, is_seen in zip(tiles, seen, strict=True) if is_seen]


def _shares(tiles: Sequence[Tile], eye: Float64, focal_px: float, most: int) -> list[float]:
    """Share of the points of each tile that a view needs; at most about ``most`` are loaded.

    Where all are too many, far tiles are thinned first: most of them are hidden.
    """
    if not tiles:
        return []
    counts = np.array([tile.count for tile in tiles], np.float64)
    spacings = np.array([tile.spacing for tile in tiles])
    nearest = [np.linalg.norm(np.clip(eye, tile.low, tile.high) - eye) for tile in tiles]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels_apart = spacings * focal_px / np.array(nearest)
    pixels_apart[(spacings == 0) | ~np.isfinite(pixels_apart)] = np.inf
    shares = np.minimum(1, POINTS_PER_PIXEL * pixels_apart**2)
    for _ in range(_HALVINGS):
        if shares @ counts <= most:
            return list(shares)
        pixels_apart = pixels_apart / np.sqrt(2)
        shares = np.minimum(shares, POINTS_PER_PIXEL * pixels_apart**2)
    return list(shares * (most / (shares @ counts)))  # the camera is amid tiles that are too many


def open_surface(map_folder: Path, fingerprint: str) -> StoredSurface | None:
    """Open the surface in the folder of a map; None without one that belongs to the map.

    One that is damaged or of another map is reported and ignored: queries do without.

    Args:
        fingerprint: that of the map.
    """
    folder = map_folder / SURFACE
    if not folder.is_dir():
        return None
    try:
        found = StoredSurface(folder)
    except FormatError as error:
        logger.warning("%s; it is ignored, `hloc-lite surface` makes it anew", error)
        return None
    if found.fingerprint != fingerprint:
        logger.warning("%s belongs to another map and is ignored: run `hloc-lite surface`", folder)
        return None
    if found.poses and found.poses != poses_identity(map_folder):
        logger.warning(
            "%s was made for other poses of the map and is ignored: run `hloc-lite surface`", folder
        )
        return None
    return found
