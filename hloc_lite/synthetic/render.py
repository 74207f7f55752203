"""Renders images of a mesh with depth and labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy.interpolate import RectBivariateSpline

from hloc_lite.geometry.cameras import cam_from_img, focal_lengths
from hloc_lite.synthetic import labels
from hloc_lite.synthetic.photo import develop
from hloc_lite.synthetic.raycasting import MeshScene
from hloc_lite.synthetic.shading import SurfaceView
from hloc_lite.types import Camera, Float32, Int32, Rigid3, UInt8

EDGE_CONTRAST = 0.07
"""Difference of display values in [0, 1] above which outlines are anti-aliased."""
SUBSAMPLES_PX = ((0.33, 0.1), (-0.08, 0.33), (-0.25, -0.33))
"""Offsets of the anti-aliasing samples from the pixel centre."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """Image with its depth and labels."""

    pixels: UInt8
    """(H, W, 3) RGB."""
    depth: Float32
    """(H, W) z along the optical axis, metres; 0 for sky."""
    labels: UInt8
    """(H, W) Cityscapes train ids."""


@dataclass(frozen=True, eq=False)
class Radiance:
    """Light that reaches the pixels of a camera, before the camera's response."""

    image: Float32
    """(H, W, 3) linear RGB."""
    depth: Float32
    """(H, W) z along the optical axis, metres; 0 for sky."""
    labels: UInt8
    """(H, W) labels of the mesh; sky where nothing is seen."""


def render_view(
    scene: MeshScene, camera: Camera, cam_from_world: Rigid3, rng: np.random.Generator
) -> Rendering:
    """Render one image; ``rng`` draws the sensor noise and the exposure."""
    view = SurfaceView(scene, cam_from_world, float(focal_lengths(camera).mean()))
    seen = trace(view, camera)
    return Rendering(develop(seen.image, scene.light, rng), seen.depth, seen.labels)


def trace(view: SurfaceView, camera: Camera) -> Radiance:
    """Find what each pixel of a camera sees, and in which light."""
    uv = _pixel_grid(camera)
    shape = (camera.height, camera.width)
    surface = view.cast(uv)
    row = view.prepare(surface)
    lit = view.light_at(row, uv, shape)
    light, depth = view.shade(row, uv, lit)
    image = light.reshape(*shape, 3)
    _smooth_edges(view, image, row.reshape(shape), uv, lit)
    label_of = np.append(view.scene.mesh.labels, np.uint8(labels.SKY))
    return Radiance(image, depth.reshape(shape), label_of[surface].reshape(shape))


@lru_cache(maxsize=4)
def _cached_pixel_grid(key: tuple[str, int, int, bytes]) -> Float32:
    model, width, height, params = key
    camera = Camera(model, width, height, np.frombuffer(params))
    # undistort at knots only; a bicubic spline between them is accurate to 1e-4 px
    x_knots, y_knots = np.linspace(0, width, 33), np.linspace(0, height, 25)
    x, y = np.meshgrid(x_knots, y_knots)
    knots = cam_from_img(camera, np.stack([x.ravel(), y.ravel()], axis=1)).reshape(*x.shape, 2)
    columns_px, rows_px = np.arange(width) + 0.5, np.arange(height) + 0.5
    planes = [
        RectBivariateSpline(y_knots, x_knots, knots[..., k])(rows_px, columns_px) for k in (0, 1)
    ]
    return np.stack(planes).reshape(2, -1).astype(np.float32)


def _pixel_grid(camera: Camera) -> Float32:
    """(2, H * W) pixel centres on the z = 1 plane."""
    return _cached_pixel_grid((camera.model, camera.width, camera.height, camera.params.tobytes()))


def _smooth_edges(view: SurfaceView, image: Float32, row: Int32, uv: Float32, lit: Float32) -> None:
    """Anti-alias pixels at visible outlines with a few samples, in place."""
    gray = cv2.transform(np.sqrt(np.maximum(image, 0)), np.full((1, 3), 1 / 3, np.float32))
    edge = np.zeros(row.shape, bool)
    for axis in (0, 1):
        first = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        second = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        jump = (row[first] != row[second]) & (np.abs(gray[first] - gray[second]) > EDGE_CONTRAST)
        edge[first] |= jump
        edge[second] |= jump
    idxs = np.flatnonzero(edge)
    total = np.zeros((len(idxs), 3), np.float32)
    for dx, dy in SUBSAMPLES_PX:
        shifted = uv[:, idxs] + np.array([[dx], [dy]], np.float32) / view.focal_px
        hit = view.cast(shifted)
        found = view.row_of[hit]
        # a surface that is at no pixel centre has no row: keep the surface at the centre
        found = np.where((found == view.sky_row) & (hit >= 0), row.ravel()[idxs], found)
        total += view.shade(found, shifted, lit[:, idxs])[0]
    image.reshape(-1, 3)[idxs] = total / len(SUBSAMPLES_PX)
