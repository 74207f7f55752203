"""Basic shapes: rectangles, boxes, tubes, ellipsoids, prisms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.synthetic.atlas import Rect
from hloc_lite.synthetic.mesh import Material, MeshBuilder, TextureFrame
from hloc_lite.types import Float64


@dataclass(frozen=True, eq=False)
class LocalFrame:
    """Local frame of a shape, with axes right, up and outward."""

    origin: Float64
    """(3,) world."""
    axes: Float64
    """(3, 3) columns right, up, outward in the world."""

    @classmethod
    def upright(cls, origin: npt.ArrayLike, right_xy: npt.ArrayLike) -> LocalFrame:
        """Make a frame whose up axis is world z; ``right_xy`` is a unit vector."""
        x, y = np.asarray(right_xy, np.float64)
        axes = np.array([[x, 0, y], [y, 0, -x], [0, 1, 0]])
        return cls(np.asarray(origin, np.float64), axes)

    def point(self, right: float, up: float, out: float = 0.0) -> Float64:
        """(3,) world point."""
        return self.origin + self.axes @ np.array([right, up, out])

    def points(self, local: npt.ArrayLike) -> Float64:
        """Transform (..., 3) local points to the world."""
        return self.origin + np.asarray(local, np.float64) @ self.axes.T

    def vectors(self, local: npt.ArrayLike) -> Float64:
        """Rotate (..., 3) local vectors to the world."""
        return np.asarray(local, np.float64) @ self.axes.T


def quad(
    mesh: MeshBuilder,
    local: LocalFrame,
    corner: tuple[float, float, float],
    u: Sequence[float],
    v: Sequence[float],
    material: Material,
    *,
    label: int,
    patch: Rect | None = None,
) -> None:
    """Add a parallelogram with sides u and v from a corner, all (right, up, out)."""
    origin = local.point(*corner)
    mesh.quads(origin, local.vectors(u), local.vectors(v), material, label, patch=patch)


def rect(
    mesh: MeshBuilder,
    local: LocalFrame,
    left: float,
    top: float,
    width: float,
    height: float,
    material: Material,
    label: int,
    *,
    out: float = 0.0,
    patch: Rect | None = None,
    frame: TextureFrame | None = None,
    offset: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Add an upright rectangle that faces outward."""
    mesh.quads(
        local.point(left, top, out),
        local.vectors([width, 0, 0]),
        local.vectors([0, -height, 0]),
        material,
        label,
        patch=patch,
        frame=frame,
        offset=offset,
    )


def box(
    mesh: MeshBuilder,
    local: LocalFrame,
    low: Sequence[float],
    high: Sequence[float],
    material: Material,
    label: int,
    *,
    offset: tuple[float, float] = (0.0, 0.0),
    faces: str = "flrtbk",
) -> None:
    """Add a box between two local corners.

    ``faces``: initials of front, left, right, top and bottom, and k for back.
    """
    (a0, b0, c0), (a1, b1, c1) = low, high
    a, b, c = a1 - a0, b1 - b0, c1 - c0
    all_faces = {
        "f": ((a0, b1, c1), (a, 0, 0), (0, -b, 0)),
        "k": ((a1, b1, c0), (-a, 0, 0), (0, -b, 0)),
        "l": ((a0, b1, c0), (0, 0, c), (0, -b, 0)),
        "r": ((a1, b1, c1), (0, 0, -c), (0, -b, 0)),
        "t": ((a0, b1, c0), (a, 0, 0), (0, 0, c)),
        "b": ((a0, b0, c1), (a, 0, 0), (0, 0, -c)),
    }
    corners, us, vs = zip(*(all_faces[face] for face in faces), strict=True)
    mesh.quads(
        local.points(corners), local.vectors(us), local.vectors(vs), material, label, offset=offset
    )


def tube(
    mesh: MeshBuilder,
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    radius: float,
    material: Material,
    label: int,
    *,
    sides: int = 6,
    end_radius: float | None = None,
) -> None:
    """Add a round bar between two points, without caps."""
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    along = (end - start) / np.linalg.norm(end - start)
    x, y, z = along
    e1 = np.array([0.0, z, -y]) if abs(x) < 0.8 else np.array([-z, 0.0, x])
    e1 /= np.sqrt(e1 @ e1)
    e2 = np.array([y * e1[2] - z * e1[1], z * e1[0] - x * e1[2], x * e1[1] - y * e1[0]])
    angles = np.arange(sides + 1) * 2 * np.pi / sides
    ring = np.cos(angles)[:, None] * e1 + np.sin(angles)[:, None] * e2
    thin = radius if end_radius is None else end_radius
    low, high = start + radius * ring, end + thin * ring
    if thin == radius:
        mesh.quads(high[:-1], high[1:] - high[:-1], low[:-1] - high[:-1], material, label)
        return
    faces = np.stack([high[:-1], high[1:], low[1:]], axis=1)
    others = np.stack([high[:-1], low[1:], low[:-1]], axis=1)
    mesh.triangles(np.concatenate([faces, others]), material, label)


def ball(
    mesh: MeshBuilder,
    centre: npt.ArrayLike,
    radii: npt.ArrayLike,
    material: Material,
    label: int,
    *,
    rings: int = 4,
    sides: int = 7,
) -> None:
    """Add an ellipsoid."""
    polar = np.linspace(0, np.pi, rings + 1)[:, None]
    around = np.linspace(0, 2 * np.pi, sides + 1)[None, :]
    unit = np.stack(
        [
            np.sin(polar) * np.cos(around),
            np.sin(polar) * np.sin(around),
            np.cos(polar) + 0 * around,
        ],
        axis=-1,
    )
    grid = np.asarray(centre, np.float64) + unit * np.asarray(radii, np.float64)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], 2), np.stack([a, c, d], 2)]).reshape(-1, 3, 3)
    area = np.linalg.norm(np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]), axis=1)
    mesh.triangles(faces[area > 1e-9], material, label)


def prism(
    mesh: MeshBuilder,
    local: LocalFrame,
    outline: npt.ArrayLike,
    out: tuple[float, float],
    material: Material,
    label: int,
    *,
    caps: bool = True,
) -> None:
    """Add a convex (n, 2) outline of (right, up), extruded between two outward distances."""
    points = np.asarray(outline, np.float64)
    following = np.roll(points, -1, axis=0)
    near = np.column_stack([points, np.full(len(points), out[1])])
    step = np.column_stack([following - points, np.zeros(len(points))])
    mesh.quads(
        local.points(near),
        local.vectors(step),
        local.vectors([[0, 0, out[0] - out[1]]]),
        material,
        label,
    )
    if not caps:
        return
    for distance in out:
        flat = local.points(np.column_stack([points, np.full(len(points), distance)]))
        fan = [np.stack([flat[0], flat[k], flat[k + 1]]) for k in range(1, len(flat) - 1)]
        mesh.triangles(np.stack(fan), material, label)
