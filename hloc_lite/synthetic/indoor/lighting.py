"""Light in rooms: lamps and windows with shadows, and soft light from all around."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hloc_lite.synthetic.atlas import Atlas
from hloc_lite.synthetic.indoor.lamps import DAYLIGHT, LAMPLIGHT, Emitters
from hloc_lite.synthetic.indoor.layout import FloorPlan
from hloc_lite.synthetic.light import Light
from hloc_lite.synthetic.mesh import Mesh
from hloc_lite.synthetic.raycasting import MeshScene
from hloc_lite.synthetic.shading import SUN, SurfaceView
from hloc_lite.types import Float32, Int32

STEP_PX = 5
"""Light is evaluated at every fifth pixel and interpolated within surfaces."""
REACH_M = 7.0
"""Distance beyond which a lamp or window adds nothing that is seen."""
OUTSIDE_LIGHT = 1.6
"""Daylight on the houses outside."""
OCCLUSION_M = 0.9
"""Distance at which a surface keeps half of the soft light away."""
NUM_AMBIENT_RAYS = 10


class InteriorScene(MeshScene):
    """Mesh of a floor in one condition, with its lamps and windows."""

    def __init__(
        self, mesh: Mesh, atlas: Atlas, light: Light, floor: FloorPlan, emitters: Emitters
    ) -> None:
        super().__init__(mesh, atlas, emitters.position.astype(np.float64), light)
        self.floor = floor
        self.emitters = emitters

    def irradiance(self, points: Float32, normals: Float32) -> Float32:
        """(2, N) daylight and lamplight at (N, 3) points with unit normals towards the camera."""
        found = np.zeros((2, len(points)), np.float32)
        space = self.floor.space_at(points + 0.03 * normals)
        found[DAYLIGHT, space < 0] = OUTSIDE_LIGHT
        for index in np.unique(space[space >= 0]):
            mine = np.flatnonzero(space == index)
            start, normal = points[mine] + np.float32(0.015) * normals[mine], normals[mine]
            open_share = self._open_share(start, normal)
            part = self.emitters.bounce[index][:, None] * open_share
            for row in np.flatnonzero(self.emitters.space == index).tolist():
                part[self.emitters.channel[row]] += self._direct(row, start, normal)
            found[:, mine] = part
        return found

    def _direct(self, row: int, points: Float32, normals: Float32) -> Float32:
        """(N,) light of one emitter, where nothing is in between."""
        ray = self.emitters.position[row] - points
        square = (ray * ray).sum(axis=1)
        length = np.sqrt(square)
        cosine = (ray * normals).sum(axis=1) / length
        cosine *= -(ray @ self.emitters.normal[row]) / length
        power = self.emitters.power[row] * np.maximum(cosine, 0) / (square + 0.35)
        power *= np.maximum(1 - square / REACH_M**2, 0)
        useful = np.flatnonzero((power > 0.006) & ((ray * normals).sum(axis=1) > 0))
        blocked = self.distance(points[useful], np.ascontiguousarray(ray[useful])) < 0.97
        lit = np.zeros(len(points), np.float32)
        lit[useful] = power[useful] * ~blocked
        return lit

    def _open_share(self, points: Float32, normals: Float32) -> Float32:
        """(N,) share of the soft light that near surfaces do not keep away (ambient occlusion)."""
        total = np.zeros(len(points), np.float32)
        for direction in _directions():
            # unit sphere around the tip of the normal: distributed by the cosine
            rays = np.ascontiguousarray(normals + np.float32(0.98) * direction)
            reach = self.distance(points, rays) * np.linalg.norm(rays, axis=1)
            reach = np.minimum(np.nan_to_num(reach, nan=1e3, posinf=1e3), 1e3)
            total += reach / (reach + np.float32(OCCLUSION_M))
        return total * np.float32(1.5 / NUM_AMBIENT_RAYS)


@lru_cache(maxsize=1)
def _directions() -> Float32:
    """(NUM_AMBIENT_RAYS, 3) unit vectors, evenly distributed."""
    k = np.arange(NUM_AMBIENT_RAYS)
    z = 1 - (2 * k + 1) / NUM_AMBIENT_RAYS
    turn = k * np.pi * (3 - np.sqrt(5))
    level = np.sqrt(1 - z**2)
    return np.stack([level * np.cos(turn), level * np.sin(turn), z], axis=1).astype(np.float32)


class InteriorView(SurfaceView):
    """Per-surface tables of a camera's view of a floor."""

    scene: InteriorScene

    def prepare(self, surface: Int32) -> Int32:
        """Make the table rows of the surfaces seen; daylight has no direction indoors."""
        rows = super().prepare(surface)
        self.table[SUN] = 1.0
        return rows

    def light_at(self, rows: Int32, uv: Float32, shape: tuple[int, int]) -> Float32:
        """(2, H * W) daylight and lamplight of each pixel."""
        step = STEP_PX if min(shape) >= 240 else 2
        pick = (slice(step // 2, None, step), slice(step // 2, None, step))
        grid = rows.reshape(shape)[pick]
        near, row, world = self.points_at(grid.ravel(), *(a.reshape(shape)[pick] for a in uv))
        coarse = np.zeros((2, grid.size), np.float32)
        coarse[:, near] = self.scene.irradiance(world, self.normals[row])
        return _interpolate(coarse.reshape(2, *grid.shape), grid, rows.reshape(shape), step)


def _interpolate(coarse: Float32, grid: Int32, rows: Int32, step: int) -> Float32:
    """(2, H * W) values between those of every step-th pixel, without mixing surfaces.

    Args:
        coarse: (2, h, w) values.
        grid: (h, w) table rows there.
        rows: (H, W) table rows of all pixels.
        step: distance of the coarse pixels.
    """
    total = np.zeros((2, *rows.shape), np.float32)
    weights = np.full(rows.shape, 1e-6, np.float32)
    axes = []
    for size, count in zip(rows.shape, grid.shape, strict=True):
        place = (np.arange(size) - step // 2) / step
        low = np.floor(place).astype(np.int64)
        share = (place - low).astype(np.float32)
        axes.append([(np.clip(low + k, 0, count - 1), share if k else 1 - share) for k in (0, 1)])
    for y, y_share in axes[0]:
        for x, x_share in axes[1]:
            same = grid[y][:, x] == rows
            weight = (y_share[:, None] * x_share + np.float32(1e-3)) * np.where(same, 1, 1e-4)
            weight = weight.astype(np.float32)
            weights += weight
            for channel in (DAYLIGHT, LAMPLIGHT):
                total[channel] += weight * coarse[channel][y][:, x]
    return np.asarray(total / weights, np.float32).reshape(2, -1)
