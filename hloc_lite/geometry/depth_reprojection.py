"""Depth of one camera as another one sees it: registration of depth images to photos."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hloc_lite.geometry.cameras import cam_from_img, img_from_cam, rescaled
from hloc_lite.types import Camera, Float32, Float64, Rigid3

MAX_STEP = 0.05
"""Relative depth difference of neighbours above which the surface between them is torn."""
COVER_SAMPLES = 4
"""Points per side into which a pixel is divided at most, where the target has more pixels."""


def points_of_depth(depths: npt.NDArray[np.floating], camera: Camera) -> Float64:
    """(h, w, 3) points in the camera frame of the pixels of a depth image; NaN where unknown.

    Args:
        depths: (h, w) depths along the optical axis at pixel centres.
        camera: camera of the depth image, at any resolution.
    """
    height, width = depths.shape
    camera = rescaled(camera, width, height)
    rows, columns = np.mgrid[:height, :width]
    centers = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    rays = cam_from_img(camera, centers).reshape(height, width, 2)
    z = np.where(np.asarray(depths) > 0, depths, np.nan).astype(np.float64)
    return np.concatenate([rays * z[..., None], z[..., None]], axis=2)


def reproject_depth(
    depths: npt.NDArray[np.floating], camera: Camera, to_camera: Camera, to_from_cam: Rigid3
) -> Float32:
    """(h, w) depths of a depth image as another camera sees them; NaN where unknown.

    Between neighbouring pixels of one surface the depth is interpolated, so that no gaps open where
    the other camera has more pixels. Between foreground and background the surface is torn. Where
    several surfaces fall into one pixel, the nearest hides the others (a z-buffer).

    Args:
        depths: (h, w) depths along the optical axis of ``camera`` at pixel centres; NaN or not
            positive where unknown.
        camera: camera of the depth image, at any resolution.
        to_camera: the other camera, whose resolution the result has.
        to_from_cam: pose of the depth camera in the frame of the other one.
    """
    points = to_from_cam.apply(points_of_depth(depths, camera))
    found = np.full(to_camera.height * to_camera.width, np.inf)
    for each in _surface_samples(points, _num_samples(camera, to_camera)):
        pixels = img_from_cam(to_camera, each)
        with np.errstate(invalid="ignore"):
            inside = (pixels >= 0).all(axis=1) & (each[:, 2] > 0)
            inside &= (pixels[:, 0] < to_camera.width) & (pixels[:, 1] < to_camera.height)
        columns, rows = pixels[inside].astype(np.int64).T
        np.minimum.at(found, rows * to_camera.width + columns, each[inside, 2])
    found[np.isinf(found)] = np.nan
    return found.reshape(to_camera.height, to_camera.width).astype(np.float32)


def _num_samples(camera: Camera, to_camera: Camera) -> int:
    """Points per side of a pixel, so that neighbours are less than a target pixel apart."""
    growth = max(to_camera.width / camera.width, to_camera.height / camera.height)
    return int(min(np.ceil(1.5 * growth), COVER_SAMPLES)) if growth > 0 else 1


def _surface_samples(points: Float64, num_samples: int) -> list[Float64]:
    """(K, 3) points of the pixels, and between neighbours that belong to one surface."""
    samples = [_known(points)]
    z = points[..., 2]
    corners = [points[:-1, :-1], points[:-1, 1:], points[1:, :-1], points[1:, 1:]]
    depths = np.stack([z[:-1, :-1], z[:-1, 1:], z[1:, :-1], z[1:, 1:]])
    with np.errstate(invalid="ignore"):
        whole = depths.max(axis=0) - depths.min(axis=0) <= MAX_STEP * depths.min(axis=0)
    cells = [corner[whole] for corner in corners]
    shares = np.arange(num_samples) / num_samples
    for down in shares:
        for across in shares:
            if down == across == 0:
                continue
            weights = (
                (1 - down) * (1 - across),
                (1 - down) * across,
                down * (1 - across),
                (down * across),
            )
            samples.append(sum(w * cell for w, cell in zip(weights, cells, strict=True)))
    return samples


def _known(points: Float64) -> Float64:
    flat = points.reshape(-1, 3)
    return flat[np.isfinite(flat).all(axis=1)]
