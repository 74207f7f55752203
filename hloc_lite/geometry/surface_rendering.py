"""Views of a surface: points as splats in a z-buffer, triangles by ray casting.

A splat is a square whose side follows the point's radius over its depth. The nearest one wins a
pixel; points of the same surface in a pixel are averaged. With normals, depth is that of the
point's plane at the pixel's centre, so that slanted walls are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hloc_lite.config.rendering import RenderingConfig
from hloc_lite.errors import ConfigError
from hloc_lite.geometry.cameras import focal_lengths, img_from_cam, rescaled
from hloc_lite.geometry.field_of_view import in_field_of_view
from hloc_lite.geometry.hole_filling import fill_holes
from hloc_lite.types import Camera, Float32, Int64, RenderedView, Rigid3, Surface

_NOTHING = np.uint64(2**64 - 1)
"""Value of the z-buffer where nothing was drawn."""
_MAX_SLOPE = 6.0
"""Steepest plane that depths of a splat follow, as tangent of its angle to the image (80 deg)."""


class ViewableSurface(Protocol):
    """A surface too large for memory, of which the part in a view can be loaded."""

    def seen_from(self, camera: Camera, cam_from_world: Rigid3) -> Surface:
        """Points or triangles that the camera may see, at the density that its pixels resolve."""


Renderer = Callable[[Camera, Rigid3], RenderedView]


def render_surface(
    surface: Surface | ViewableSurface,
    camera: Camera,
    cam_from_world: Rigid3,
    *,
    scale: float = 1.0,
    config: RenderingConfig | None = None,
) -> RenderedView:
    """Render what a camera sees of a surface.

    Args:
        surface: points or triangles; a stored one loads what is in view.
        camera: any model with a focal length; distortion is applied.
        cam_from_world: pose of the camera.
        scale: size of the view over that of the camera's image, e.g. 0.125.
        config: sizes of splats and holes; None for the defaults.

    Raises:
        FormatError: the camera has no focal length (EQUIRECTANGULAR).
        ConfigError: a scale at which no pixel is left.
        MissingDependencyError: triangles are given, and the extra ``depth`` is not installed.
    """
    focal_lengths(camera)  # depth along an optical axis needs a camera that has one
    small = scaled_camera(camera, scale)
    config = config or RenderingConfig()
    part = surface if isinstance(surface, Surface) else surface.seen_from(small, cam_from_world)
    if part.triangles is not None:
        from hloc_lite.geometry.mesh_rendering import MeshRenderer

        return MeshRenderer(part).render(small, cam_from_world)
    return _render_points(part, small, cam_from_world, config)


def scaled_camera(camera: Camera, scale: float) -> Camera:
    """The camera at another size of its image, rounded to whole pixels.

    Raises:
        ConfigError: no pixel would be left, or the scale is no number above 0.
    """
    if not 0 < scale < np.inf or scale * min(camera.width, camera.height) < 1:
        raise ConfigError(
            f"scale: expected a number above 0 at which pixels are left of {camera.width} x "
            f"{camera.height}, got {scale}"
        )
    if scale == 1.0:
        return camera
    return rescaled(camera, round(camera.width * scale), round(camera.height * scale))


@dataclass(frozen=True, eq=False)
class _Projected:
    """P points in view of a camera; coordinates first, on which NumPy is faster."""

    rows: Int64
    """(P,) rows of the surface."""
    depths: Float32
    """(P,) along the optical axis."""
    points2D: Float32
    """(2, P) pixels."""
    sides: Int64
    """(P,) side of the splat, whole pixels."""
    normals: Float32 | None
    """(3, P) camera frame."""
    normals_along: Float32 | None
    """(P,) dot product of the normal and the point divided by its depth."""


def _render_points(
    surface: Surface, camera: Camera, cam_from_world: Rigid3, config: RenderingConfig
) -> RenderedView:
    projected = _project(surface, camera, cam_from_world, config)
    winner = _nearest(projected, camera.width, camera.height)
    drawn = np.flatnonzero(winner >= 0)
    won = winner[drawn]
    height, width = camera.height, camera.width
    depth = np.full(height * width, np.nan, np.float32)
    rgb = np.zeros((height * width, 3), np.float32)
    rgb[drawn] = surface.rgb[projected.rows[won]]
    depth[drawn] = _plane_depths(projected, won, drawn, camera)
    _average_same_surface(rgb, depth, surface, projected, winner, camera, config)
    normals = None
    if projected.normals is not None:
        flat = np.full((height * width, 3), np.nan, np.float32)
        flat[drawn] = projected.normals[:, won].T
        normals = flat.reshape(height, width, 3)
    return fill_holes(rgb.reshape(height, width, 3), depth.reshape(height, width), normals, config)


def _project(
    surface: Surface, camera: Camera, cam_from_world: Rigid3, config: RenderingConfig
) -> _Projected:
    x, y, z = _in_camera(surface.xyz, cam_from_world)
    radii = surface.radii
    is_seen = in_field_of_view(camera, x, y, z, config.max_splat_px)
    if radii is not None:  # a splat nearer than its own size would hide all behind it
        is_seen &= z > 2 * radii
    rows = np.flatnonzero(is_seen)
    x, y, z = x[rows], y[rows], z[rows]
    normals, along = None, None
    if surface.normals is not None:
        normals = cam_from_world.rotation.astype(np.float32) @ surface.normals[rows].T
        along = normals[0] * x + normals[1] * y + normals[2] * z
        facing = np.flatnonzero(along <= -config.min_facing * np.sqrt(x * x + y * y + z * z))
        rows, x, y, z = rows[facing], x[facing], y[facing], z[facing]
        normals, along = np.take(normals, facing, axis=1), along[facing]
    points2D = np.ascontiguousarray(
        img_from_cam(camera, np.stack([x, y, z], axis=-1)).T, np.float32
    )
    sides = np.ones(len(rows), np.int64)
    if radii is not None:
        focal = np.sqrt(np.prod(focal_lengths(camera)))
        sizes = np.float32(2 * focal * config.splat_overlap) * radii[rows] / z
        sides = np.clip(np.rint(sizes), 1, config.max_splat_px).astype(np.int64)
    half = sides / np.float32(2)
    with np.errstate(invalid="ignore"):
        inside = (points2D > -half).all(axis=0)
        inside &= (points2D[0] < camera.width + half) & (points2D[1] < camera.height + half)
    kept = np.flatnonzero(inside)
    rows, z = rows[kept], z[kept]
    if normals is not None and along is not None:
        normals, along = np.take(normals, kept, axis=1), along[kept] / z
    return _Projected(rows, z, np.take(points2D, kept, axis=1), sides[kept], normals, along)


def _in_camera(xyz: Float32, cam_from_world: Rigid3) -> Float32:
    """(3, V) camera frame in float32; differences are formed first, as maps may lie far from 0."""
    center = cam_from_world.center
    rounded = center.astype(np.float32)
    rotation = cam_from_world.rotation
    shift = rotation @ (rounded - center)
    with np.errstate(invalid="ignore"):
        in_cam = rotation.astype(np.float32) @ (xyz - rounded).T
    return np.asarray(in_cam + shift.astype(np.float32)[:, None])


def _nearest(projected: _Projected, width: int, height: int) -> Int64:
    """(H * W,) index of the nearest splat that covers each pixel's centre; -1 for none."""
    margin = int(projected.sides.max(initial=1))
    stride = width + 2 * margin
    buffer = np.full(stride * (height + 2 * margin), _NOTHING, np.uint64)
    # positive floats are ordered like their bits: one number holds depth and identity
    keys = (projected.depths.view(np.uint32).astype(np.uint64) << np.uint64(32)) | np.arange(
        len(projected.depths), dtype=np.uint64
    )
    for side in np.flatnonzero(np.bincount(projected.sides)):
        rows = np.flatnonzero(projected.sides == side)
        own = keys[rows]
        # pixel c has its centre at c + 0.5
        left, top = (np.ceil(p[rows] - np.float32((side + 1) / 2)) for p in projected.points2D)
        corner = (top.astype(np.int64) + margin) * stride + (left.astype(np.int64) + margin)
        for down in range(side):
            for right in range(side):
                np.minimum.at(buffer, corner + (down * stride + right), own)
    view = buffer.reshape(-1, stride)[margin : margin + height, margin : margin + width].ravel()
    index = (view & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return np.where(view == _NOTHING, -1, index)


def _plane_depths(projected: _Projected, points: Int64, pixels: Int64, camera: Camera) -> Float32:
    """(K,) depths of points at the centres of pixels near their projections.

    They lie on the point's plane if normals are known, limited to the size of its splat.
    """
    z = projected.depths[points]
    if projected.normals is None or projected.normals_along is None:
        return z
    fx, fy = focal_lengths(camera).astype(np.float32)
    half = np.float32(0.5)
    right = ((pixels % camera.width).astype(np.float32) + half - projected.points2D[0][points]) / fx
    down = ((pixels // camera.width).astype(np.float32) + half - projected.points2D[1][points]) / fy
    # ray through the pixel: the point's own, turned by the offset
    along_point = projected.normals_along[points]
    along_ray = (
        along_point + projected.normals[0][points] * right + projected.normals[1][points] * down
    )
    # where the view is nearly along the plane, a normal's error matters more than the plane
    reach = _MAX_SLOPE * np.maximum(np.abs(right), np.abs(down))
    with np.errstate(divide="ignore", invalid="ignore"):
        change = along_point / along_ray - 1
    change = np.where(np.isfinite(change), np.clip(change, -reach, reach), 0)
    return np.asarray(z * (1 + change), np.float32)


def _average_same_surface(
    rgb: Float32,
    depth: Float32,
    surface: Surface,
    projected: _Projected,
    winner: Int64,
    camera: Camera,
    config: RenderingConfig,
) -> None:
    """Average in place the points whose centres fall into a pixel and lie on what it shows."""
    x, y = projected.points2D
    inside = (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
    pixels = np.where(inside, y, 0).astype(np.int64) * camera.width
    pixels += np.where(inside, x, 0).astype(np.int64)
    nearest = np.where(winner >= 0, projected.depths[winner], 0) if len(projected.depths) else depth
    front = np.flatnonzero(
        inside & (projected.depths <= config.same_surface_ratio * nearest[pixels])
    )
    pixels = pixels[front]
    count = np.bincount(pixels, minlength=len(depth))
    averaged = np.flatnonzero(count)
    share = 1 / count[averaged]
    sums = np.bincount(pixels, _plane_depths(projected, front, pixels, camera), len(depth))
    depth[averaged] = sums[averaged] * share
    colours = surface.rgb[projected.rows[front]]
    for channel in range(3):
        sums = np.bincount(pixels, colours[:, channel], len(depth))
        rgb[averaged, channel] = sums[averaged] * share
