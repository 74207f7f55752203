"""Camera response: exposure, blur, vignetting, noise and tone curve."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from hloc_lite.synthetic.light import Light
from hloc_lite.types import Float32, UInt8


def develop(radiance: Float32, light: Light, rng: np.random.Generator) -> UInt8:
    """Convert (H, W, 3) linear radiance to 8-bit RGB; ``rng`` draws exposure, blur and noise."""
    gain = light.exposure * rng.uniform(0.88, 1.14) * rng.uniform(0.97, 1.03, 3)
    image = radiance * gain.astype(np.float32)
    blurred = cv2.GaussianBlur(image, (0, 0), light.blur_px * rng.uniform(0.9, 1.15))
    image = np.asarray(blurred, np.float32)
    image *= _falloff(image.shape[0], image.shape[1], light.vignetting)[..., None]
    np.maximum(image, 0, out=image)
    # compress highlights; the square root is the tone curve and makes shot noise uniform
    image = np.sqrt(image / (1 + 0.25 * image * image)) * np.float32(252)
    grain = _grain()
    y, x = (int(rng.integers(0, grain.shape[0] - n % 1024)) for n in image.shape[:2])
    rows = np.arange(y, y + image.shape[0]) % grain.shape[0]
    columns = np.arange(x, x + image.shape[1]) % grain.shape[1]
    image += light.noise * grain.take(rows, axis=0).take(columns, axis=1)
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


@lru_cache(maxsize=8)
def _falloff(height: int, width: int, strength: float) -> Float32:
    """(H, W) vignetting factors."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / (width**2 + height**2) * 4
    return 1 - strength * radius


@lru_cache(maxsize=1)
def _grain() -> Float32:
    """Noise of unit deviation, partly shared between the channels."""
    rng = np.random.default_rng(5)
    shared = rng.standard_normal((1400, 1400, 1), np.float32)
    own = rng.standard_normal((1400, 1400, 3), np.float32)
    return np.float32(0.8) * shared + np.float32(0.5) * own
