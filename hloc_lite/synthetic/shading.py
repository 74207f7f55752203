"""Shading of the surfaces seen by one camera: rays, depth, light and texture, in NumPy.

Surfaces are flat, so depth and texture coordinates are a homography of the pixel. No hit point is
computed in the world, hence depth is exact to float32.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from hloc_lite.synthetic import labels
from hloc_lite.synthetic import mesh as columns
from hloc_lite.synthetic.atlas import NUM_LEVELS, PATCH_NEUTRAL, TILE_PX
from hloc_lite.synthetic.mesh import APPEARANCE_COLUMNS
from hloc_lite.synthetic.raycasting import MeshScene
from hloc_lite.synthetic.tiles import fractal_noise
from hloc_lite.types import Float32, Int32, Rigid3

CHUNK_PX = 1 << 15
TAPS = 3
"""Texture samples along the longer side of a pixel's footprint."""
MIN_INVERSE_DEPTH = np.float32(1e-4)
MAX_LAMP_DISTANCE_M = 26.0
LAMP_STEP_PX = 4
SHADOW_STEP_PX = 3
SUN, _AMBIENT = APPEARANCE_COLUMNS, APPEARANCE_COLUMNS + 1
_H = APPEARANCE_COLUMNS + 2


class SurfaceView:
    """Per-surface tables of one camera's view.

    A row of the table holds a surface's appearance, its light and its homography.
    """

    def __init__(self, scene: MeshScene, cam_from_world: Rigid3, focal_px: float) -> None:
        self.scene = scene
        self.rotation = cam_from_world.rotation
        self.center = cam_from_world.center
        self.focal_px = focal_px
        self.table = np.zeros((0, 0), np.float32)
        self.normals = np.zeros((0, 3), np.float32)
        self.sky_row = 0
        self.row_of = np.zeros(scene.mesh.num_surfaces + 1, np.int32)

    def cast(self, uv: Float32) -> Int32:
        """(N,) surface seen at (2, N) points of the z = 1 plane, -1 for none."""
        rotation = self.rotation.astype(np.float32)
        directions = np.empty((uv.shape[1], 3), np.float32)
        for k in range(3):
            directions[:, k] = uv[0] * rotation[0, k] + uv[1] * rotation[1, k] + rotation[2, k]
        origins = np.broadcast_to(self.center.astype(np.float32), directions.shape)
        return self.scene.hit(np.ascontiguousarray(origins), directions)

    def prepare(self, surface: Int32) -> Int32:
        """Make the table rows of the surfaces seen; returns each pixel's row (sky: sky_row)."""
        scene = self.scene
        is_visible = np.zeros(scene.mesh.num_surfaces + 1, bool)
        is_visible[surface] = True
        is_visible[-1] = False
        idxs = np.flatnonzero(is_visible)
        plane = scene.mesh.plane[idxs]
        offset = plane[:, 3] - plane[:, 0:3] @ self.center
        offset = np.where(np.abs(offset) < 1e-6, 1e-6, offset)
        table = np.zeros((len(idxs) + 1, _H + 9), np.float32)
        table[:-1, :APPEARANCE_COLUMNS] = scene.mesh.appearance[idxs]
        towards = -np.sign(offset)[:, None] * plane[:, 0:3]
        table[:-1, SUN] = np.maximum(towards @ scene.light.sun_direction, 0)
        leafy = scene.mesh.labels[idxs] == labels.VEGETATION
        table[:-1, SUN] = np.where(leafy, 0.35 + 0.4 * table[:-1, SUN], table[:-1, SUN])
        table[:-1, _AMBIENT] = 0.5 + 0.5 * towards[:, 2]
        inverse_depth = plane[:, 0:3] @ self.rotation.T / offset[:, None]
        table[:-1, _H : _H + 3] = inverse_depth
        for k, start in enumerate((4, 8)):
            axis, at_center = plane[:, start : start + 3], plane[:, start : start + 3] @ self.center
            constant = (at_center + plane[:, start + 3])[:, None]
            row = constant * inverse_depth + axis @ self.rotation.T
            table[:-1, _H + 3 + 3 * k : _H + 6 + 3 * k] = row
        table[-1, _H + 2] = 1e-6  # sky: far away
        table[-1, columns.TILE_SCALE] = 1e-9
        table[-1, columns.PATCH_W : columns.PATCH_H + 1] = 32
        self.table = np.ascontiguousarray(table.T)
        self.sky_row = len(idxs)
        self.row_of = np.full(scene.mesh.num_surfaces + 1, len(idxs), np.int32)
        self.row_of[idxs] = np.arange(len(idxs), dtype=np.int32)
        self.normals = np.vstack([towards, np.zeros((1, 3))]).astype(np.float32)
        return self.row_of[surface]

    def light_at(self, rows: Int32, uv: Float32, shape: tuple[int, int]) -> Float32:
        """(2, H * W) visibility of the sun and irradiance of the lamps at each pixel."""
        lit = np.zeros((2, len(rows)), np.float32)
        light = self.scene.light
        if max(light.sun) > 0:
            lit[0] = self._coarse(rows, uv, shape, SHADOW_STEP_PX, self._sunlit)
        if max(light.lamps) > 0:
            lit[1] = self._coarse(rows, uv, shape, LAMP_STEP_PX, self._lamplight)
        return lit

    def _coarse(self, rows, uv, shape, step, measure) -> Float32:  # type: ignore[no-untyped-def]
        """Evaluate ``measure`` at every step-th pixel and interpolate."""
        pick = (slice(step // 2, None, step), slice(step // 2, None, step))
        grid = rows.reshape(shape)[pick]
        size = (grid.shape[1] * step, grid.shape[0] * step)
        near, row, world = self.points_at(grid.ravel(), *(a.reshape(shape)[pick] for a in uv))
        value = np.zeros(grid.size, np.float32)
        value[near] = measure(world, row)
        value = value.reshape(grid.shape)
        if step > SHADOW_STEP_PX:  # suppress dots of thin objects
            value = np.asarray(cv2.medianBlur(value, 3), np.float32)
        full = cv2.resize(value, size, interpolation=cv2.INTER_LINEAR)
        missing = [max(0, shape[axis] - full.shape[axis]) for axis in (0, 1)]
        full = cv2.copyMakeBorder(full, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
        return np.asarray(full[: shape[0], : shape[1]], np.float32).ravel()

    def points_at(self, rows: Int32, x: Float32, y: Float32) -> tuple[Int32, Int32, Float32]:
        """World points seen at pixels of the z = 1 plane.

        Returns:
            (M,) pixels that do not see the sky, the (M,) table rows and (M, 3) points there.
        """
        near = np.flatnonzero(rows != self.sky_row).astype(np.int32)
        row, x, y = rows[near], x.ravel()[near], y.ravel()[near]
        h = self.table[_H : _H + 3]
        inverse = h[0].take(row) * x + h[1].take(row) * y + h[2].take(row)
        depth = 1 / np.maximum(inverse, MIN_INVERSE_DEPTH)
        in_cam = np.stack([x * depth, y * depth, depth], axis=1)
        world: Float32 = in_cam @ self.rotation.astype(np.float32) + self.center.astype(np.float32)
        return near, row, world

    def _sunlit(self, world: Float32, rows: Int32) -> Float32:
        direction = self.scene.light.sun_direction
        value = np.zeros(len(world), np.float32)
        facing = np.flatnonzero(self.table[SUN].take(rows) > 1e-3)
        start = world[facing] + np.float32(0.02) * self.normals[rows[facing]]
        rays = np.ascontiguousarray(np.broadcast_to(direction, start.shape))
        value[facing] = 1 - self.scene.occluded(start, rays)
        return value

    def _lamplight(self, world: Float32, rows: Int32) -> Float32:
        normals = self.normals[rows]
        points = world + np.float32(0.03) * normals
        total = np.zeros(len(world), np.float32)
        for position in self.scene.lamps.astype(np.float32):
            ray = position - points
            square = (ray**2).sum(axis=1)
            near = np.flatnonzero(square < MAX_LAMP_DISTANCE_M**2)
            if not len(near):
                continue
            ray, square = ray[near], square[near]
            cosine = np.maximum((ray * normals[near]).sum(axis=1) / np.sqrt(square), 0)
            reach = 1 - square / MAX_LAMP_DISTANCE_M**2
            power = (0.12 + 0.88 * cosine) * reach**2 * 7 / (2.5 + square)
            useful = np.flatnonzero(power > 0.004)
            distance = self.scene.distance(points[near[useful]], ray[useful])
            power[useful] *= distance > 0.985
            total[near] += power
        return total

    def shade(self, row: Int32, uv: Float32, lit: Float32) -> tuple[Float32, Float32]:
        """(N, 3) linear light and (N,) depth of N pixels with table rows ``row``.

        Works in chunks that fit the processor's caches.
        """
        image, depth = np.empty((len(row), 3), np.float32), np.empty(len(row), np.float32)
        for start in range(0, len(row), CHUNK_PX):
            part = slice(start, start + CHUNK_PX)
            image[part], depth[part] = self._shade_chunk(row[part], uv[:, part], lit[:, part])
        return image, depth

    def _shade_chunk(self, row: Int32, uv: Float32, lit: Float32) -> tuple[Float32, Float32]:
        rows = self.table.take(row, axis=1)
        x, y = uv
        h = rows[_H:]
        z = 1 / np.maximum(h[0] * x + h[1] * y + h[2], MIN_INVERSE_DEPTH)
        s = (h[3] * x + h[4] * y + h[5]) * z
        t = (h[6] * x + h[7] * y + h[8]) * z
        pixel = z / self.focal_px
        sx, tx = (h[3] - s * h[0]) * pixel, (h[6] - t * h[0]) * pixel
        sy, ty = (h[4] - s * h[1]) * pixel, (h[7] - t * h[1]) * pixel
        across, down = sx * sx + tx * tx, sy * sy + ty * ty
        level = across > down
        along = np.where(level, sx, sy), np.where(level, tx, ty)
        footprint = np.sqrt(
            np.maximum(np.minimum(across, down), np.maximum(across, down) / TAPS**2)
        )
        tile, patch = self._sample(rows, s, t, along, footprint)
        albedo = cv2.multiply(tile, patch, scale=1 / (TAPS * 255 * PATCH_NEUTRAL), dtype=cv2.CV_32F)
        albedo *= albedo
        albedo *= rows[columns.TINT_R : columns.TINT_B + 1].T
        light = self.scene.light
        sun = rows[SUN] * lit[0]
        ambient = rows[_AMBIENT]
        glow = lit[1] + rows[columns.EMISSION]
        haze = 1 - np.exp(z * np.float32(-1 / 700))
        for k in range(3):
            bounce = light.bounce[k]
            energy = bounce + (light.sky[k] - bounce) * ambient
            if max(light.sun) > 0:
                energy = energy + light.sun[k] * sun
            if max(light.lamps) > 0:
                energy = energy + light.lamps[k] * glow
            albedo[:, k] *= energy
            albedo[:, k] += (light.horizon[k] - albedo[:, k]) * haze
        sky = np.flatnonzero(row == self.sky_row)
        if len(sky):
            albedo[sky] = self._sky(uv[:, sky])
            z[sky] = 0
        return albedo, z

    def _sample(self, rows, s, t, along, footprint):  # type: ignore[no-untyped-def]
        """(N, 3) sum of TAPS samples of the tile (uint16), and one sample of the patch (uint8)."""
        atlas = self.scene.atlas
        tile_scale = rows[columns.TILE_SCALE]
        su, sv = rows[columns.PATCH_SU], rows[columns.PATCH_SV]
        tile = None
        tile_level = _level(footprint * tile_scale)
        shrink = np.ldexp(np.float32(1), -tile_level)
        corner_x = rows[columns.TILE_X] * shrink + atlas.origins[:, 0].take(tile_level) - 0.5
        corner_y = rows[columns.TILE_Y] * shrink + atlas.origins[:, 1].take(tile_level) - 0.5
        # in tile repetitions, so that wrapping drops the integer part
        repeat = tile_scale * np.float32(1 / TILE_PX)
        u0 = s * repeat + rows[columns.TILE_U] * np.float32(1 / TILE_PX)
        v0 = t * repeat + rows[columns.TILE_V] * np.float32(1 / TILE_PX)
        du, dv = along[0] * repeat, along[1] * repeat
        size = shrink * TILE_PX
        for tap in range(TAPS):
            shift = np.float32((tap - (TAPS - 1) / 2) / TAPS)
            u, v = u0 + shift * du, v0 + shift * dv
            u -= np.floor(u)
            v -= np.floor(v)
            found = _gather(atlas.pixels, u * size + corner_x, v * size + corner_y)
            tile = found.astype(np.uint16) if tile is None else np.add(tile, found, out=tile)
        su, sv = rows[columns.PATCH_SU], rows[columns.PATCH_SV]
        level = _level(footprint * np.maximum(su, sv))
        shrink = np.ldexp(np.float32(1), -level)
        half = np.float32(0.5)
        u = np.minimum(np.maximum(s * su * shrink, half), rows[columns.PATCH_W] * shrink - half)
        v = np.minimum(np.maximum(t * sv * shrink, half), rows[columns.PATCH_H] * shrink - half)
        u += rows[columns.PATCH_X] * shrink + atlas.origins[:, 0].take(level) - half
        v += rows[columns.PATCH_Y] * shrink + atlas.origins[:, 1].take(level) - half
        return tile, _gather(atlas.pixels, u, v)

    def _sky(self, uv: Float32) -> Float32:
        rotation = self.rotation.astype(np.float32)
        x, y, up = (
            uv[0] * rotation[0, k] + uv[1] * rotation[1, k] + rotation[2, k] for k in range(3)
        )
        length = np.sqrt(x * x + y * y + up * up)
        x, y, up = x / length, y / length, np.maximum(up / length, 0)
        clouds = _clouds(self.scene.light.clouds)
        spread = 140 / (up + 0.18)
        u, v = (512 + x * spread) % 1023, (512 + y * spread) % 1023
        cover = _gather(clouds, u.astype(np.float32), v.astype(np.float32))
        rise = np.sqrt(up)
        light = self.scene.light
        white = np.array(light.horizon, np.float32) * 1.12
        blue = np.array(light.horizon) + rise[:, None] * (np.array(light.zenith) - light.horizon)
        return (blue + cover[:, None] * (white - blue)).astype(np.float32)


@lru_cache(maxsize=4)
def _clouds(share: float) -> Float32:
    noise = fractal_noise(np.random.default_rng(99), (1024, 1024), 9, 6)
    return np.clip((noise + 2 * share - 1) * 1.6 + 0.2, 0, 1).astype(np.float32)


def _level(texels: Float32) -> Int32:
    """Mip level whose texel is about as large as a pixel's footprint."""
    exponent = np.log2(np.fmin(np.fmax(texels, np.float32(1e-3)), np.float32(1e3)))
    return np.clip(np.rint(exponent), 0, NUM_LEVELS - 1).astype(np.int32)


def _gather(image, u, v) -> Float32:  # type: ignore[no-untyped-def]
    """Bilinear samples of an image at N points."""
    n = len(u)
    columns_px = 512
    rows_px = -(-n // columns_px)
    padded = rows_px * columns_px
    if padded != n:
        u, v = (np.append(a, np.zeros(padded - n, np.float32)) for a in (u, v))
    grid = (rows_px, columns_px)
    found = cv2.remap(image, u.reshape(grid), v.reshape(grid), cv2.INTER_LINEAR)
    return found.reshape(padded, *found.shape[2:])[:n]
