"""Triangles grouped into flat surfaces, each with its texture frame, look and label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hloc_lite.synthetic.atlas import TILE_PX, AtlasBuilder, Rect
from hloc_lite.types import Bool, Float32, Float64, Int32, UInt8

# columns of Mesh.look
TILE_X, TILE_Y, TILE_SCALE, TILE_U, TILE_V = range(5)
PATCH_X, PATCH_Y, PATCH_W, PATCH_H, PATCH_SU, PATCH_SV = range(5, 11)
TINT_R, TINT_G, TINT_B, EMISSION = range(11, 15)
LOOK_COLUMNS = 15


@dataclass(frozen=True)
class Material:
    """What a surface is made of: a tiling texture, its scale, and a colour."""

    tile: Rect
    metres: float
    """Width of one repetition of the tile, metres."""
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Multiplies the linear reflectance."""
    emission: float = 0.0
    """Light given off at night, relative to white paper under a lamp."""

    def tinted(self, *rgb: float) -> Material:
        return replace(self, tint=(float(rgb[0]), float(rgb[1]), float(rgb[2])))


@dataclass(frozen=True, eq=False)
class TextureFrame:
    """A patch laid on a plane: texels are affine in the world point."""

    patch: Rect
    origin: Float64
    """(3,) the patch's top-left corner."""
    width: float
    """Extent along the surface's first axis, metres."""
    height: float


@dataclass(frozen=True, eq=False)
class Mesh:
    """T triangles of K surfaces. A surface is flat; its texture coordinates in metres are
    s = s_axis . x + s_offset and t likewise."""

    triangles: Float32
    """(T, 3, 3) world, metres."""
    surface_idxs: Int32
    """(T,)."""
    plane: Float64
    """(K, 12): normal, distance (normal . x), s axis, s offset, t axis, t offset."""
    look: Float32
    """(K, LOOK_COLUMNS), see the column names above."""
    labels: UInt8
    """(K,) Cityscapes train ids."""

    @property
    def num_surfaces(self) -> int:
        return len(self.labels)


def join_meshes(meshes: Sequence[Mesh]) -> Mesh:
    """All triangles of several meshes in one."""
    starts = np.cumsum([0, *(mesh.num_surfaces for mesh in meshes[:-1])])
    shifted = [mesh.surface_idxs + start for mesh, start in zip(meshes, starts, strict=True)]
    return Mesh(
        np.concatenate([mesh.triangles for mesh in meshes]),
        np.concatenate(shifted).astype(np.int32),
        np.concatenate([mesh.plane for mesh in meshes]),
        np.concatenate([mesh.look for mesh in meshes]),
        np.concatenate([mesh.labels for mesh in meshes]),
    )


class MeshBuilder:
    """Collects surfaces; ``build`` gives the mesh."""

    def __init__(self, atlas: AtlasBuilder) -> None:
        self.atlas = atlas
        self._spans: list[Float64] = []
        self._kinds: list[Bool] = []
        self._look: list[Float32] = []
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
        """n parallelograms corner, corner + u, corner + u + v, corner + v; all (n, 3).

        ``patch`` is stretched over each of them, ``frame`` over its own extent. ``offset`` shifts
        the tile (texels).
        """
        corner = np.atleast_2d(np.asarray(corners, np.float64))
        u, v = np.atleast_2d(us), np.atleast_2d(vs)
        spans = np.empty((max(len(corner), len(u), len(v)), 4, 3))
        spans[:, 0], spans[:, 1], spans[:, 2] = corner, u, v
        spans[:, 3] = corner if frame is None else frame.origin
        look = self._append(spans, material, label, frame, offset, quad=True, planar=False)
        if patch is not None:
            look[:, PATCH_X : PATCH_H + 1] = patch.x, patch.y, patch.width, patch.height
            look[:, PATCH_SU] = patch.width / np.linalg.norm(spans[:, 1], axis=1)
            look[:, PATCH_SV] = patch.height / np.linalg.norm(spans[:, 2], axis=1)

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
        """n triangles (n, 3, 3), each a surface of its own.

        ``tints`` (n, 3) replace the material's. ``planar``: texture coordinates are the world's
        x and -y, whatever the slope.
        """
        points = np.asarray(points, np.float64).reshape(-1, 3, 3)
        spans = np.empty((len(points), 4, 3))
        spans[:, 0] = points[:, 0]
        spans[:, 1:3] = points[:, 1:] - points[:, :1]
        spans[:, 3] = points[:, 0] if frame is None else frame.origin
        look = self._append(spans, material, label, frame, offset, quad=False, planar=planar)
        if tints is not None:
            look[:, TINT_R : TINT_B + 1] = tints

    def build(self) -> Mesh:
        if not self._spans:
            no_look = np.zeros((0, LOOK_COLUMNS), np.float32)
            no_triangles = np.zeros((0, 3, 3), np.float32)
            no_labels = np.zeros(0, np.uint8)
            return Mesh(no_triangles, np.zeros(0, np.int32), np.zeros((0, 12)), no_look, no_labels)
        spans = np.concatenate(self._spans)
        is_quad, planar = np.concatenate(self._kinds).T
        corner, u, v, origin = spans[:, 0], spans[:, 1], spans[:, 2], spans[:, 3]
        surfaces = np.repeat(np.arange(len(spans), dtype=np.int32), 1 + is_quad)
        second = np.append(False, surfaces[1:] == surfaces[:-1])  # a quad's other triangle
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
            np.concatenate(self._look),
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
        """Stores n surfaces; returns their (n, LOOK_COLUMNS) look to be finished."""
        n = len(spans)
        row = np.zeros(LOOK_COLUMNS, np.float32)
        row[TILE_X], row[TILE_Y] = material.tile.x, material.tile.y
        row[TILE_SCALE] = TILE_PX / material.metres
        rect = self.atlas.neutral if frame is None else frame.patch
        row[PATCH_X : PATCH_H + 1] = rect.x, rect.y, rect.width, rect.height
        if frame is not None:
            row[PATCH_SU] = rect.width / frame.width
            row[PATCH_SV] = rect.height / frame.height
        row[TINT_R : TINT_B + 1] = material.tint
        row[EMISSION] = material.emission
        look = np.tile(row, (n, 1))
        look[:, TILE_U : TILE_V + 1] = offset
        self._spans.append(spans)
        self._kinds.append(np.tile([quad, planar], (n, 1)))
        self._look.append(look)
        self._labels.append(np.full(n, label, np.uint8))
        return look


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
