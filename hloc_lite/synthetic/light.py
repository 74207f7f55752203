"""Lighting and camera settings of each pass: sun, sky, lamps, exposure, noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Float32

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Light sources and camera settings; colours are linear RGB."""

    sun_azimuth_deg: float
    sun_elevation_deg: float
    sun: Colour
    """Irradiance of a surface that faces the sun."""
    sky: Colour
    """Ambient light from above."""
    bounce: Colour
    """Ambient light from below."""
    horizon: Colour
    zenith: Colour
    clouds: float
    """Approximate share of the sky under clouds."""
    lamps: Colour
    """Colour of street lamps and lit windows; black if off."""
    exposure: float
    noise: float
    """Standard deviation of 8-bit values at mid grey."""
    blur_px: float
    vignetting: float
    """Share of light lost in the image corners."""

    @property
    def sun_direction(self) -> Float32:
        """(3,) unit vector towards the sun."""
        azimuth, elevation = np.radians([self.sun_azimuth_deg, self.sun_elevation_deg])
        level = np.cos(elevation)
        vector = [level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation)]
        return np.array(vector, np.float32)


_MAP = Light(
    sun_azimuth_deg=205,
    sun_elevation_deg=47,
    sun=(1.15, 1.06, 0.9),
    sky=(0.66, 0.7, 0.76),
    bounce=(0.42, 0.4, 0.37),
    horizon=(0.78, 0.84, 0.9),
    zenith=(0.22, 0.38, 0.68),
    clouds=0.45,
    lamps=(0, 0, 0),
    exposure=0.92,
    noise=2.0,
    blur_px=0.55,
    vignetting=0.12,
)
_DAY = Light(
    sun_azimuth_deg=228,
    sun_elevation_deg=39,
    sun=(1.12, 1.0, 0.8),
    sky=(0.66, 0.69, 0.74),
    bounce=(0.42, 0.39, 0.36),
    horizon=(0.82, 0.84, 0.86),
    zenith=(0.26, 0.4, 0.66),
    clouds=0.55,
    lamps=(0, 0, 0),
    exposure=0.93,
    noise=2.6,
    blur_px=0.6,
    vignetting=0.18,
)
_NIGHT = Light(
    sun_azimuth_deg=120,
    sun_elevation_deg=35,
    sun=(0, 0, 0),
    sky=(0.032, 0.038, 0.06),
    bounce=(0.026, 0.024, 0.022),
    horizon=(0.022, 0.022, 0.034),
    zenith=(0.004, 0.006, 0.014),
    clouds=0.4,
    lamps=(1.45, 1.05, 0.6),
    exposure=1.7,
    noise=7.0,
    blur_px=0.95,
    vignetting=0.4,
)
_CHANGED = Light(
    sun_azimuth_deg=128,
    sun_elevation_deg=24,
    sun=(0.62, 0.56, 0.48),
    sky=(0.74, 0.78, 0.86),
    bounce=(0.46, 0.46, 0.47),
    horizon=(0.8, 0.82, 0.85),
    zenith=(0.5, 0.56, 0.64),
    clouds=0.9,
    lamps=(0, 0, 0),
    exposure=0.9,
    noise=3.2,
    blur_px=0.65,
    vignetting=0.2,
)
LIGHTS: Mapping[str, Light] = {
    "map0": _MAP,
    "map1": _MAP,
    "day": _DAY,
    "night": _NIGHT,
    "changed": _CHANGED,
}
"""Pass -> its lighting."""
