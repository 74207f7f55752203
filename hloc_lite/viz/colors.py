"""Colours of cameras in the page: by status and confidence, told apart with any colour vision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.types import LocalizationResult, UInt8

RAMP = np.array([[232, 93, 4], [255, 214, 84], [38, 132, 255]], np.float64)
"""Colours of localized queries at confidence 0, 0.5 and 1: orange, yellow, blue."""
UNKNOWN_CONFIDENCE = (173, 120, 255)
"""Localized, without a confidence: violet."""
FALLBACK = (140, 140, 140)
"""Not localized; drawn at the pose of the most similar map image, if results have it: grey."""
MAP_CAMERA = (90, 100, 115)
TRUTH = (24, 180, 110)
ERROR_LINE = (230, 40, 90)


@dataclass(frozen=True)
class LegendRow:
    """A colour and what it stands for."""

    css: str
    text: str


def query_colour(result: LocalizationResult) -> tuple[int, int, int]:
    """RGB of a query's frustum."""
    if result.pose is None:
        return FALLBACK
    if result.confidence is None:
        return UNKNOWN_CONFIDENCE
    stops = np.linspace(0, 1, len(RAMP))
    red, green, blue = (round(np.interp(result.confidence, stops, RAMP[:, i])) for i in range(3))
    return red, green, blue


def query_colours(results: Sequence[LocalizationResult]) -> UInt8:
    """(N, 3) RGB of queries."""
    return np.array([query_colour(result) for result in results], np.uint8).reshape(-1, 3)


def legend(
    *, confidence: bool, without_confidence: bool, fallback: bool, truth: bool, errors: bool
) -> list[LegendRow]:
    """Rows for what the page shows."""
    ramp = ", ".join(css_colour(stop) for stop in RAMP)
    rows = [
        (confidence, f"linear-gradient(to right, {ramp})", "localized: confidence 0 to 1"),
        (without_confidence, css_colour(UNKNOWN_CONFIDENCE), "localized, without confidence"),
        (fallback, css_colour(FALLBACK), "not localized: most similar map image"),
        (truth, css_colour(TRUTH), "true camera"),
        (errors, css_colour(ERROR_LINE), "from estimate to truth"),
        (True, css_colour(MAP_CAMERA), "map camera"),
    ]
    return [LegendRow(css, text) for shown, css, text in rows if shown]


def linear_rgb(rgb: np.ndarray) -> UInt8:
    """(N, 3) linear light of (N, 3) sRGB from 0 to 255.

    Viser converts single colours, but takes those of instances and line ends as linear.
    """
    share = np.asarray(rgb, np.float64) / 255
    low, high = share / 12.92, ((share + 0.055) / 1.055) ** 2.4
    return np.rint(255 * np.where(share <= 0.04045, low, high)).astype(np.uint8)


def css_colour(rgb: Sequence[float] | np.ndarray) -> str:
    """CSS colour of RGB from 0 to 255."""
    return "#" + "".join(f"{round(float(channel)):02x}" for channel in rgb)
