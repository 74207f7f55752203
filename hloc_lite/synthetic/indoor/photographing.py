"""Renders a planned image of a floor: exposure, motion blur, labels, and holes of a scan."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from hloc_lite.geometry.cameras import focal_lengths
from hloc_lite.synthetic.indoor.capture import Shot
from hloc_lite.synthetic.indoor.classes import UNSCANNED, cityscapes_table
from hloc_lite.synthetic.indoor.lighting import InteriorScene, InteriorView
from hloc_lite.synthetic.photo import develop
from hloc_lite.synthetic.render import Radiance, Rendering, trace
from hloc_lite.synthetic.shading import SurfaceView
from hloc_lite.types import Float32

MEAN_TONE = 0.62
"""Mean of the square root of the light that automatic exposure aims at."""
EXPOSURES = (0.75, 1.6), (0.5, 5.0)
"""Least and largest gain, of scans and of photos; more gain is more noise."""
GRAZING_COS = 0.06
"""Cosine of the angle of incidence below which a laser gets no echo."""
MAX_SCAN_RANGE_M = 40.0


def photograph(scene: InteriorScene, shot: Shot, rng: np.random.Generator) -> Rendering:
    """Render an image; ``rng`` draws exposure, blur and noise.

    The depth of a cutout is 0 where a laser has no echo: windows, screens, grazing incidence. That
    of a query is complete.
    """
    camera = shot.camera
    view = InteriorView(scene, shot.cam_from_world, float(focal_lengths(camera).mean()))
    radiance = trace(view, camera)
    scanned = shot.condition.key is None
    gain = MEAN_TONE / max(float(np.sqrt(np.maximum(radiance.image, 0)).mean()), 1e-3)
    exposure = float(np.clip(gain**2, *EXPOSURES[not scanned]))
    noise = scene.light.noise * float(np.sqrt(max(1.0, exposure / 1.2)))
    image = radiance.image
    if shot.condition.blur_px > 1:
        image = _moved(image, shot.condition.blur_px, rng.uniform(0, np.pi))
    pixels = develop(image, replace(scene.light, exposure=exposure, noise=noise), rng)
    depth = _echoes(view, radiance) if scanned else radiance.depth
    return Rendering(pixels, depth, cityscapes_table()[radiance.labels])


def _moved(image: Float32, length_px: float, angle_rad: float) -> Float32:
    """Blur an image along a line, as a camera in a moving hand does."""
    size = int(np.ceil(length_px)) | 1
    kernel = np.zeros((size, size), np.float32)
    half = 0.5 * (length_px - 1) * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    middle = (size - 1) / 2
    start, end = np.rint(middle - half).astype(int), np.rint(middle + half).astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0, 1, cv2.LINE_AA)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.float32)


def _echoes(view: SurfaceView, radiance: Radiance) -> Float32:
    """(H, W) depth of a laser scan, 0 where there is no echo."""
    depth = np.where(
        np.isin(radiance.labels, UNSCANNED) | (radiance.depth > MAX_SCAN_RANGE_M), 0, radiance.depth
    )
    # cosine of incidence by the depth's change across the pixel
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(depth > 0, 1 / depth, np.nan)
        slope = np.hypot(np.gradient(inverse, axis=0), np.gradient(inverse, axis=1)) / inverse
    aslant = slope * view.focal_px > 1 / GRAZING_COS
    return np.where(aslant | ~np.isfinite(slope), 0, depth).astype(np.float32)
