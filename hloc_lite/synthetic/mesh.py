"""Triangle meshes grouped into flat surfaces, each with texture coordinates and a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hloc_lite.synthetic.atlas import TILE_PX, AtlasBuilder, Rect
from hloc_lite.types import Bool, Float32, Float64, Int32, UInt8

# columns of Mesh.appearance
TILE_X, TILE_Y, TILE_SCALE, TILE_U, TILE_V = range(5)
PATCH_X, PATCH_Y, PATCH_W, PATCH_H, PATCH_SU, PATCH_SV = range(5, 11)
TINT_R, TINT_G, TINT_B, EMISSION = range(11, 15)
APPEARANCE_COLUMNS = 15


@dataclass(frozen=True)
class Material:
    """Tiling texture with its scale and colour."""

    tile: Rect
    metres: float
    """Width of one repetition of the tile."""
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Multiplies the linear reflectance."""
    emission: float = 0.0
    """Light emitted at night, relative to white paper under a lamp."""

    def tinted(self, *rgb: float) -> Material:
        """Copy of the material in another colour (linear RGB)."""
        return replace(self, tint=(float(rgb[0]), float(rgb[1]), float(rgb[2])))


@dataclass(frozen=True, eq=False)
class TextureFrame:
    """Patch laid on a plane: its texel coordinates are affine in the world point."""

    patch: Rect
    origin: Float64
    """(3,) top-left corner of the patch, world."""
    width: float
    """Extent along the first axis of the surface, metres."""
    height: float
    """Extent along the second axis of the surface, metres."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """T triangles of K flat surfaces.

    The texture coordinates of a world point x, in metres, are s = s_axis . x + s_offset and t
    likewise.
    """

    triangles: Float32
    """(T, 3, 3) world, metres."""
    surface_idxs: Int32
    """(T,) surface of each triangle."""
    plane: Float64
    """(K, 12) normal, distance (normal . x), s axis, s offset, t axis, t offset."""
    appearance: Float32
    """(K, APPEARANCE_COLUMNS) texture, tint and emission; columns as named above."""
    labels: UInt8
    """(K,) Cityscapes train ids."""

    @property
    def num_surfaces(self) -> int:
        return len(self.labels)


def join_meshes(meshes: Sequence[Mesh]) -> Mesh:
    """Join several meshes to one."""
    starts = np.cumsum([0, *(mesh.num_surfaces for mesh in meshes[:-1])])
    shifted = [mesh.surface_idxs + start for mesh, start in zip(meshes, starts, strict=True)]
    return Mesh(
        np.concatenate([mesh.triangles for mesh in meshes]),
        np.concatenate(shifted).astype(np.int32),
        np.concatenate([mesh.plane for mesh in meshes]),
        np.concatenate([mesh.appearance for mesh in meshes]),
        np.concatenate([mesh.labels for mesh in meshes]),
    )


class MeshBuilder:
    """Collects surfaces; ``build`` makes the mesh."""

    def __init__(self, atlas: AtlasBuilder) -> None:
        self.atlas = atlas
        self._spans: list[Float64] = []
        self._kinds: list[Bool] = []
        self._appearance: list[Float32] = []
        self._labels: list[UInt8] = []

    def quads(
        self,
        corners: npt.ArrayLike,
        us: npt.ArrayLike,
        vs: npt.ArrayLike,
        material: Material,
        label: int,
        *,
        frame: TextureFrame | None = None,
        patch: Rect | None = None,
        offset: tuple[float, float] | npt.ArrayLike = (0.0, 0.0),
    ) -> None:
        """Add n parallelograms: corner, corner + u, corner + u + v, corner + v.

        Args:
            corners: (n, 3) or (3,) world.
            us: (n, 3) or (3,) first side.
            vs: (n, 3) or (3,) second side.
            material: material of all of them.
            label: Cityscapes train id.
            frame: patch laid over its own extent.
            patch: patch stretched over each parallelogram.
            offset: shift of the tile, texels.
        """
        corner = np.atleast_2d(np.asarray(corners, np.float64))
        u, v = np.atleast_2d(us), np.atleast_2d(vs)
        spans = np.empty((max(len(corner), len(u), len(v)), 4, 3))
        spans[:, 0], spans[:, 1], spans[:, 2] = corner, u, v
        spans[:, 3] = corner if frame is None else frame.origin
        appearance = self._append(spans, material, label, frame, offset, quad=True, planar=False)
        if patch is not None:
            appearance[:, PATCH_X : PATCH_H + 1] = patch.x, patch.y, patch.width, patch.height
            appearance[:, PATCH_SU] = patch.width / np.linalg.norm(spans[:, 1], axis=1)
            appearance[:, PATCH_SV] = patch.height / np.linalg.norm(spans[:, 2], axis=1)

    def triangles(
        self,
        points: npt.ArrayLike,
        material: Material,
        label: int,
        *,
        frame: TextureFrame | None = None,
        offset: tuple[float, float] | npt.ArrayLike = (0.0, 0.0),
        tints: npt.ArrayLike | None = None,
        planar: bool = False,
    ) -> None:
        """Add n triangles, each a surface of its own.

        Args:
            points: (n, 3, 3) corners, world.
            material: material of all of them.
            label: Cityscapes train id.
            frame: patch laid over its own extent.
            offset: shift of the tile, texels.
            tints: (n, 3) colours that replace the material's.
            planar: texture coordinates are the world's x and -y, regardless of the slope.
        """
        points = np.asarray(points, np.float64).reshape(-1, 3, 3)
        spans = np.empty((len(points), 4, 3))
        spans[:, 0] = points[:, 0]
        spans[:, 1:3] = points[:, 1:] - points[:, :1]
        spans[:, 3] = points[:, 0] if frame is None else frame.origin
        appearance = self._append(spans, material, label, frame, offset, quad=False, planar=planar)
        if tints is not None:
            appearance[:, TINT_R : TINT_B + 1] = tints

    def build(self) -> Mesh:
        """Make the mesh of all surfaces added."""
        if not self._spans:
            no_appearance = np.zeros((0, APPEARANCE_COLUMNS), np.float32)
            no_triangles = np.zeros((0, 3, 3), np.float32)
            no_labels = np.zeros(0, np.uint8)
            return Mesh(
                no_triangles, np.zeros(0, np.int32), np.zeros((0, 12)), no_appearance, no_labels
            )
        spans = np.concatenate(self._spans)
        is_quad, planar = np.concatenate(self._kinds).T
        corner, u, v, origin = spans[:, 0], spans[:, 1], spans[:, 2], spans[:, 3]
        surfaces = np.repeat(np.arange(len(spans), dtype=np.int32), 1 + is_quad)
        second = np.append(False, surfaces[1:] == surfaces[:-1])  # second triangle of a quad
        triangles = np.empty((len(surfaces), 3, 3))
        triangles[:, 0] = corner[surfaces]
        diagonal = corner + u + np.where(is_quad[:, None], v, 0)
        triangles[:, 1] = np.where(second[:, None], diagonal[surfaces], (corner + u)[surfaces])
        first_end = np.where(is_quad[:, None], diagonal, corner + v)
        triangles[:, 2] = np.where(second[:, None], (corner + v)[surfaces], first_end[surfaces])
        return Mesh(
            triangles.astype(np.float32),
            surfaces,
            _planes(corner, u, v, origin, planar),
            np.concatenate(self._appearance),
            np.concatenate(self._labels),
        )

    def _append(
        self,
        spans: Float64,
        material: Material,
        label: int,
        frame: TextureFrame | None,
        offset: npt.ArrayLike,
        *,
        quad: bool,
        planar: bool,
    ) -> Float32:
        """Store n surfaces; returns their (n, APPEARANCE_COLUMNS) appearance, to be completed."""
        n = len(spans)
        row = np.zeros(APPEARANCE_COLUMNS, np.float32)
        row[TILE_X], row[TILE_Y] = material.tile.x, material.tile.y
        row[TILE_SCALE] = TILE_PX / material.metres
        rect = self.atlas.neutral if frame is None else frame.patch
        row[PATCH_X : PATCH_H + 1] = rect.x, rect.y, rect.width, rect.height
        if frame is not None:
            row[PATCH_SU] = rect.width / frame.width
            row[PATCH_SV] = rect.height / frame.height
        row[TINT_R : TINT_B + 1] = material.tint
        row[EMISSION] = material.emission
        appearance = np.tile(row, (n, 1))
        appearance[:, TILE_U : TILE_V + 1] = offset
        self._spans.append(spans)
        self._kinds.append(np.tile([quad, planar], (n, 1)))
        self._appearance.append(appearance)
        self._labels.append(np.full(n, label, np.uint8))
        return appearance


def _planes(corner: Float64, u: Float64, v: Float64, origin: Float64, planar: Bool) -> Float64:
    """(K, 12) rows of ``Mesh.plane``."""
    normal = np.cross(u, v)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    s_axis = u / np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-12)
    t_axis = np.cross(normal, s_axis)
    s_axis[planar] = 1.0, 0.0, 0.0
    t_axis[planar] = 0.0, -1.0, 0.0
    columns = [normal, (normal * corner).sum(axis=1)]
    for axis in (s_axis, t_axis):
        columns += [axis, -(axis * origin).sum(axis=1)]
    return np.column_stack(columns)
