"""Depth of keypoints from a depth image, each with its uncertainty, and none across an edge.

A plane is fitted to the depths around a keypoint. In inverse depth a plane is linear in the pixels
of a pinhole camera, so slanted walls are exact. The noise of a lifted keypoint has three parts:
that of the sensor, how badly the plane fits, and how far the keypoint's own noise in the image
shifts it along a slanted surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.config import LiftingConfig
from hloc_lite.errors import FormatError
from hloc_lite.types import Bool, Camera, DepthMap, Float64

NUM_BLOCK = 4096
"""Keypoints whose windows are in memory at once."""
NOISE_SIGMAS = 4.0
"""Standard deviations of the sensor by which neighbours on one surface may differ: the difference
of two has 1.4, and a window has 25 of them."""
MAX_CENTER_PX = 1.5
"""Largest distance of a keypoint from the nearest known pixel: no depth is extrapolated further."""


@dataclass(frozen=True, eq=False)
class KeypointDepths:
    """Depths of the keypoints of an image."""

    z: Float64
    """(N,) along the optical axis, map units; NaN where not lifted."""
    sigmas: Float64
    """(N,) standard deviations of ``z``; NaN where not lifted."""
    on_edge: Bool
    """(N,) True where depth is known, but a keypoint lies between foreground and background."""

    @property
    def is_known(self) -> Bool:
        """(N,) True where a keypoint has a depth."""
        return np.isfinite(self.z)


def lift_keypoints(
    depth_map: DepthMap,
    keypoints: npt.NDArray[np.floating],
    camera: Camera,
    config: LiftingConfig,
) -> KeypointDepths:
    """Depths of (N, 2) keypoints, pixels of ``camera``.

    Raises:
        FormatError: depths that are not in map units, or of another aspect ratio than the camera.
    """
    if not depth_map.is_metric:
        raise FormatError(
            "depth of map images has to be in map units: relative or inverse depth gives no points"
        )
    height, width = depth_map.depths.shape
    scale = np.array([width / camera.width, height / camera.height])
    check_shape(depth_map, camera)
    points = np.asarray(keypoints, np.float64) * scale - 0.5  # pixel centres at whole numbers
    depths = np.where(depth_map.depths > 0, depth_map.depths, np.nan).astype(np.float64)
    depths[~np.isfinite(depths)] = np.nan
    sigma_px = keypoint_sigma_px(camera, config) * float(scale.mean())
    blocks = [
        _lift_block(depths, points[start : start + NUM_BLOCK], sigma_px, config)
        for start in range(0, len(points), NUM_BLOCK)
    ]
    none = np.zeros(0), np.zeros(0), np.zeros(0, bool)
    z, sigmas, on_edge = (np.concatenate(each) for each in zip(none, *blocks, strict=True))
    return KeypointDepths(z, sigmas, on_edge.astype(bool))


def keypoint_sigma_px(camera: Camera, config: LiftingConfig) -> float:
    """Standard deviation of keypoints along each axis at the resolution of a camera."""
    return config.keypoint_sigma_px * max(camera.width, camera.height) / config.reference_side_px


def check_shape(depth_map: DepthMap, camera: Camera) -> None:
    """Raise FormatError if a depth map has another aspect ratio than the camera."""
    width, height = depth_map.image_size
    if abs(width / height - camera.width / camera.height) > 2 / min(camera.width, camera.height):
        raise FormatError(
            f"depth is of an image of {width} x {height} pixels, its photo has {camera.width} x "
            f"{camera.height}: it must cover the whole photo"
        )


def sensor_sigmas(z: Float64, config: LiftingConfig) -> Float64:
    """Standard deviation of depths from the noise model of the sensor."""
    return np.asarray(config.sensor_noise_floor + config.sensor_noise * np.square(z))


def _lift_block(
    depths: Float64, points: Float64, sigma_px: float, config: LiftingConfig
) -> tuple[Float64, Float64, Bool]:
    """Depths, their standard deviations and edges of (N, 2) points in pixels of the depth image."""
    window, dx, dy = _windows(depths, points, config.window_px)
    distances = np.where(np.isfinite(window), np.hypot(dx, dy), np.inf)
    nearest = distances.argmin(axis=1)
    rows = np.arange(len(points))
    reference, gap = window[rows, nearest], distances[rows, nearest]
    with np.errstate(invalid="ignore", divide="ignore"):
        known: Bool = np.asarray(np.isfinite(window))
        steps = np.abs(window - reference[:, None]) / np.minimum(window, reference[:, None])
        # a surface may slant by so much per pixel, and is noisy; more is another surface
        noise = NOISE_SIGMAS * sensor_sigmas(reference, config) / reference
        reach = np.maximum(1.0, np.maximum(np.abs(dx), np.abs(dy)) + 0.5)
        same: Bool = np.asarray(
            known & (steps <= config.max_relative_gradient * reach + noise[:, None])
        )
    beside = np.maximum(np.abs(dx), np.abs(dy)) < MAX_CENTER_PX
    on_edge: Bool = np.asarray((known & ~same & beside).any(axis=1))
    enough = same.sum(axis=1) >= max(3, config.min_window_share * window.shape[1])
    usable: Bool = np.asarray(enough & ~on_edge & (gap <= MAX_CENTER_PX))
    z, slope, scatter, gain = _fit_planes(window, dx, dy, same)
    with np.errstate(invalid="ignore"):
        usable &= np.isfinite(z) & (z > 0)
        largest = 2 * config.max_relative_gradient + noise
        usable &= np.abs(z - reference) <= largest * reference
        fit_sigmas = np.maximum(sensor_sigmas(z, config), scatter) * np.sqrt(gain)
        sigmas = np.hypot(fit_sigmas, slope * sigma_px)
    return (
        np.where(usable, z, np.nan),
        np.where(usable, sigmas, np.nan),
        np.asarray(on_edge & np.isfinite(reference)),
    )


def _windows(depths: Float64, points: Float64, half: int) -> tuple[Float64, Float64, Float64]:
    """(N, W) depths of the pixels around points, and their offsets from the point in x and y."""
    height, width = depths.shape
    with np.errstate(invalid="ignore"):
        inside: Bool = np.asarray(
            ((points >= -0.5) & (points <= [width - 0.5, height - 0.5])).all(axis=1)
        )
    safe = np.where(inside[:, None], points, 0.0)
    centers = np.rint(safe).astype(np.int64)
    dy, dx = (each.ravel() for each in np.mgrid[-half : half + 1, -half : half + 1])
    columns, rows = centers[:, :1] + dx, centers[:, 1:] + dy
    within: Bool = np.asarray((columns >= 0) & (columns < width) & (rows >= 0) & (rows < height))
    values = depths[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    values = np.where(within & inside[:, None], values, np.nan)
    return values, columns - safe[:, :1], rows - safe[:, 1:]


def _fit_planes(
    window: Float64, dx: Float64, dy: Float64, used: Bool
) -> tuple[Float64, Float64, Float64, Float64]:
    """Fit 1 / z = a + b dx + c dy to each window by least squares.

    Returns:
        (N,) depth at the point, its change per pixel, the scatter of the depths around the plane,
        and the factor of the variance of one pixel that the fitted depth has.
    """
    inverse = np.where(used, 1 / np.where(used, window, 1.0), 0.0)
    weights = used.astype(np.float64)
    terms = np.stack([weights, weights * dx, weights * dy], axis=1)
    design = np.stack([np.ones_like(dx), dx, dy], axis=1)
    normal = np.einsum("nik,njk->nij", terms, design)
    # a window of pixels in one line has no slope across it: a weak prior says flat
    normal += 1e-3 * np.eye(3) * np.array([0.0, 1.0, 1.0])
    normal[:, 0, 0] += (normal[:, 0, 0] == 0) * 1.0
    inverted = np.linalg.inv(normal)
    solution = np.einsum("nij,nj->ni", inverted, np.einsum("nik,nk->ni", terms, inverse))
    residuals = (inverse - np.einsum("nik,ni->nk", design, solution)) * weights
    freedom = np.maximum(used.sum(axis=1) - 3, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = 1 / solution[:, 0]
        slope = np.hypot(solution[:, 1], solution[:, 2]) * z * z
        scatter = np.sqrt(np.square(residuals).sum(axis=1) / freedom) * z * z
    return z, slope, scatter, inverted[:, 0, 0]
