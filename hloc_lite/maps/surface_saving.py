"""Writes the surface of a map (``maps.surface`` opens it)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.point_fusion import coarse_to_fine_order
from hloc_lite.io.array_folder import delete_array_folder, write_array_folder
from hloc_lite.io.temporary_folders import temporary_folder
from hloc_lite.maps.folder import SURFACE
from hloc_lite.maps.georeference import poses_identity
from hloc_lite.maps.surface import StoredSurface
from hloc_lite.maps.surface_tiles import (
    MAX_TILE_POINTS,
    SURFACE_SCHEMA,
    Tile,
    make_tile,
    rows_from_surface,
)
from hloc_lite.types import Surface


def write_surface(
    map_folder: Path, parts: Iterable[Surface], fingerprint: str, origin: Mapping[str, Any]
) -> StoredSurface:
    """Write the surface of a map, in place of one that is there.

    Parts are taken one at a time, so that only one is in memory. Large ones are divided.

    Args:
        map_folder: the map's own; its subfolder ``surface`` is written.
        parts: compact regions of the surface; all have triangles, or none.
        fingerprint: that of the map.
        origin: JSON values that say what the surface was made from.

    Raises:
        HlocLiteError: there is no point, or the folder cannot be written or holds other files.
    """
    folder = map_folder / SURFACE
    with _scratch_folder() as scratch:
        files, tiles, is_mesh = _spool(parts, scratch)
        if not tiles:
            raise HlocLiteError("the surface has no points: nothing was written")
        header = {
            "fingerprint": fingerprint,
            "poses": poses_identity(map_folder),
            "origin": dict(origin),
            "is_mesh": is_mesh,
            "points": sum(tile.count for tile in tiles),
            "tiles": [tile.to_json() for tile in tiles],
        }
        write_array_folder(folder, SURFACE_SCHEMA, files, header, overwrite=True)
    return StoredSurface(folder)


def replace_surface(
    map_folder: Path, surface: StoredSurface | Surface | None, fingerprint: str
) -> None:
    """Write the surface of a map that has just been written; None deletes that of the old map.

    Raises:
        HlocLiteError: the folder cannot be written.
    """
    folder = map_folder / SURFACE
    if surface is None:
        delete_surface(map_folder)
    elif isinstance(surface, Surface):
        write_surface(map_folder, [surface], fingerprint, {"source": "memory"})
    elif surface.folder.resolve() != folder.resolve() or surface.fingerprint != fingerprint:
        write_surface(map_folder, surface.parts(), fingerprint, surface.origin)


def delete_surface(map_folder: Path) -> None:
    """Delete the surface in the folder of a map, if there is one; other files there are kept."""
    if (map_folder / SURFACE).is_dir():
        delete_array_folder(map_folder / SURFACE)


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """Temporary folder. Raises HlocLiteError if the block cannot write into it."""
    try:
        with temporary_folder() as scratch:
            yield scratch
    except OSError as error:
        raise HlocLiteError(
            f"cannot write the surface: {error}; free some space in {tempfile.gettempdir()}, or "
            f"set TMPDIR to a larger folder"
        ) from error


class _NpyFiles(Mapping[str, np.ndarray]):
    """Arrays in .npy files by name, mapped when asked for."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def __getitem__(self, name: str) -> np.ndarray:
        array: np.ndarray = np.load(self._files[name], mmap_mode="r", allow_pickle=False)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _spool(parts: Iterable[Surface], scratch: Path) -> tuple[_NpyFiles, list[Tile], bool]:
    """Write the tiles of all parts into a scratch folder; also tell if they have triangles."""
    files: dict[str, Path] = {}
    tiles: list[Tile] = []
    is_mesh = False
    for part in parts:
        is_mesh |= part.triangles is not None
        for piece in _divided(part):
            name = f"{len(tiles):06d}"
            tiles.append(make_tile(name, piece))
            arrays = {name: rows_from_surface(piece)}
            if piece.triangles is not None:
                arrays[f"{name}-faces"] = piece.triangles
            for key, array in arrays.items():
                files[f"tiles/{key}"] = scratch / f"{key}.npy"
                np.save(scratch / f"{key}.npy", array, allow_pickle=False)
    return _NpyFiles(files), tiles, is_mesh


def _divided(surface: Surface) -> Iterator[Surface]:
    """Pieces of at most ``MAX_TILE_POINTS`` points, each a compact region, coarse to fine."""
    if surface.triangles is not None:
        yield from _divided_mesh(surface, surface.triangles)
        return
    finite = np.asarray(np.isfinite(surface.xyz).all(axis=1))
    if not finite.all():
        surface = surface.subset(finite)
    if not len(surface):
        return
    for rows in _halves(surface.xyz, np.arange(len(surface)), MAX_TILE_POINTS):
        yield surface.subset(rows[coarse_to_fine_order(surface.xyz[rows])])


def _divided_mesh(surface: Surface, triangles: np.ndarray) -> Iterator[Surface]:
    """Pieces of a mesh by the middle of each triangle, with vertices of their own."""
    finite = np.asarray(np.isfinite(surface.xyz).all(axis=1))
    triangles = triangles[finite[triangles].all(axis=1)]
    if not len(triangles):
        return
    middles = surface.xyz[triangles].mean(axis=1)
    # a triangle brings at most three new vertices
    for rows in _halves(middles, np.arange(len(triangles)), MAX_TILE_POINTS // 3):
        used, faces = np.unique(triangles[rows], return_inverse=True)
        points = surface.subset(used)
        own = np.asarray(faces, np.int32).reshape(-1, 3)
        yield Surface(points.xyz, points.rgb, points.normals, points.radii, own)


def _halves(xyz: np.ndarray, rows: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Rows in groups of at most ``most``, each a compact region."""
    if len(rows) <= most:
        yield rows
        return
    own = xyz[rows]
    axis = int(np.ptp(own, axis=0).argmax())
    order = np.argpartition(own[:, axis], len(rows) // 2)
    for half in (order[: len(rows) // 2], order[len(rows) // 2 :]):
        yield from _halves(xyz, rows[half], most)
