"""State of a floor when a photo is taken: lamps, daylight, furniture, doors, people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.synthetic.light import Light


@dataclass(frozen=True)
class Person:
    """Person who stands in the way."""

    x: float
    y: float
    heading_rad: float
    """Counter-clockwise from x."""
    key: int
    """Seed of size and clothes."""


@dataclass(frozen=True)
class Condition:
    """State of a floor at one time."""

    key: tuple[int, ...] | None
    """Seed of the movements since the scans; None during the scans."""
    lamp_share: float
    """Share of the spaces whose lamps are on."""
    daylight: float
    """Brightness outside, 1 at an overcast noon, 0 at night."""
    blur_px: float = 0.0
    """Length of the motion blur."""
    people: tuple[Person, ...] = ()

    @property
    def light(self) -> Light:
        """Colours and camera settings; ``sun`` is light from windows."""
        day = np.array([0.92, 1.0, 1.12]) * self.daylight
        sky = np.array([0.75, 0.85, 1.0]) * (2.2 * self.daylight + 0.004)
        base = 0.012 + 0.02 * self.daylight
        scanned = self.key is None
        return Light(
            sun_azimuth_deg=180,
            sun_elevation_deg=45,
            sun=_colour(day),
            sky=(base, base, base),
            bounce=(base, base, base),
            horizon=_colour(sky),
            zenith=_colour(0.7 * sky),
            clouds=0.7,
            lamps=(1.0, 0.95, 0.86),
            exposure=1.0,
            noise=1.6 if scanned else 2.6,
            blur_px=0.55 if scanned else 0.7,
            vignetting=0.04 if scanned else 0.16,
        )


SCANNED = Condition(None, 1.0, 0.55)
"""All lamps on, a dull day outside, nobody there."""


def _colour(rgb: np.ndarray) -> tuple[float, float, float]:
    return float(rgb[0]), float(rgb[1]), float(rgb[2])


def condition_to_json(condition: Condition) -> dict[str, Any]:
    """JSON form for the task of a worker."""
    return {
        "key": condition.key,
        "lamp_share": condition.lamp_share,
        "daylight": condition.daylight,
        "blur_px": condition.blur_px,
        "people": [[each.x, each.y, each.heading_rad, each.key] for each in condition.people],
    }


def condition_from_json(value: Mapping[str, Any]) -> Condition:
    """Read the JSON form."""
    key = None if value["key"] is None else tuple(value["key"])
    people = tuple(Person(*each) for each in value["people"])
    return Condition(key, value["lamp_share"], value["daylight"], value["blur_px"], people)
