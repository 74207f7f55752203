"""Accuracy thresholds of recalls, and the unit of distances."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hloc_lite.errors import ConfigError

METRES: Mapping[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001, "": 1.0}
"""Unit of a threshold's distance -> its length in metres; without a unit: map units."""

PRESETS: Mapping[str, str] = {
    "aachen": "0.25m,2deg 0.5m,5deg 5m,10deg",  # also RobotCar Seasons and Extended CMU
    "inloc": "0.25m,10deg 0.5m,10deg 1m,10deg",
}
"""Thresholds of the benchmarks on visuallocalization.net."""

CORRECT: Mapping[str, str] = {"m": "0.25m,2deg", "%": "5%,2deg", "map units": "0.25,2deg"}
"""Errors within which a pose is correct, else wrong, by the unit of distances: metres, percent of
the mean distance of the cameras from their centre, or units of which nothing tells the length."""
WITHOUT_UNIT = "0.25,2deg 0.5,5deg 5,10deg"
"""Thresholds where nothing tells the length of a map unit: the numbers of Aachen Day-Night."""

_EXPECTED = (
    f"a distance and an angle such as 0.25m,2deg or 1%,0.5deg, or one of {', '.join(PRESETS)}"
)
_PATTERN = re.compile(
    r"(?P<distance>\d*\.?\d+(?:e-?\d+)?)\s*(?P<unit>mm|cm|m|%|)\s*[,/]\s*"
    r"(?P<angle>\d*\.?\d+(?:e-?\d+)?)\s*(?:deg|°|)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Threshold:
    """Largest position and rotation error of a pose that counts as correct."""

    max_distance: float
    """Error of the camera centre, map units."""
    max_angle_deg: float
    label: str = ""
    """Text shown for it; made from the numbers if empty."""
    strict: bool = False
    """True if errors must be below the limits, as in hloc and LaMAR; False: at most."""

    def __post_init__(self) -> None:
        positive = self.max_distance > 0 and self.max_angle_deg > 0
        if not positive or math.isinf(self.max_distance) or math.isinf(self.max_angle_deg):
            raise ConfigError(
                f"a threshold needs a distance and an angle above zero and finite, got "
                f"{self.max_distance:g} and {self.max_angle_deg:g} deg"
            )
        if not self.label:
            label = f"{self.max_distance:g},{self.max_angle_deg:g}deg"
            object.__setattr__(self, "label", label)


@dataclass(frozen=True)
class DistanceUnit:
    """Unit of distances shown: ``length`` map units are 1 ``symbol``."""

    symbol: str = "m"
    length: float = 1.0

    def convert(self, distance: float) -> float:
        """Convert a distance from map units to this unit."""
        return distance / self.length

    @property
    def reference_length(self) -> float | None:
        """Length (map units) that percents refer to; None for units of length."""
        return 100 * self.length if self.symbol == "%" else None


MAP_UNITS = DistanceUnit("map units")
"""Unit of poses of which nothing says that they are metric."""


def percent_of(unit_length: float) -> DistanceUnit:
    """Percent of a reference length, for maps without metric scale.

    Raises:
        ConfigError: the length is not above zero.
    """
    if not 0 < unit_length < float("inf"):
        raise ConfigError(f"the unit length must be above zero, got {unit_length:g}")
    return DistanceUnit("%", unit_length / 100)


def states_metres(texts: Iterable[str]) -> bool:
    """Return True if a threshold is given in m, cm or mm, or as a preset, which are in metres."""
    words = " ".join(texts).replace(";", " ").split()
    found = [_PATTERN.fullmatch(PRESETS.get(word.lower(), word).split()[0]) for word in words]
    return any(match is not None and match["unit"] not in ("", "%") for match in found)


def is_threshold(text: str) -> bool:
    """Return True if the text is a threshold or names a preset."""
    return text.lower() in PRESETS or _PATTERN.fullmatch(text.strip()) is not None


def strict_thresholds(thresholds: Iterable[Threshold]) -> tuple[Threshold, ...]:
    """Return the same thresholds, for errors below them only (``Threshold.strict``)."""
    return tuple(replace(threshold, strict=True) for threshold in thresholds)


def parse_threshold(text: str, unit_length: float | None = None, metre: float = 1.0) -> Threshold:
    """Parse ``0.25m,2deg`` (m, cm, mm; no unit: map units) or ``1%,0.5deg`` of ``unit_length``.

    Args:
        unit_length: length that percents refer to, map units.
        metre: length of a metre, map units.

    Raises:
        ConfigError: the text has another form, a number is not above zero, or percent are given
            without ``unit_length``.
    """
    found = _PATTERN.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"a threshold is {_EXPECTED}; got {text!r}")
    unit = found["unit"].lower()
    if unit == "%":
        if unit_length is None:
            raise ConfigError(f"{text!r} is relative: give the reference length with --unit-length")
        factor = percent_of(unit_length).length
    else:
        factor = METRES[unit] * (metre if unit else 1.0)
    distance, angle = float(found["distance"]), float(found["angle"])
    return Threshold(distance * factor, angle, f"{distance:g}{unit},{angle:g}deg")


def correct_within(unit: DistanceUnit | None = None, text: str | None = None) -> Threshold:
    """Errors within which a pose counts as correct; beyond, it is wrong.

    Args:
        unit: unit of distances; None: metres.
        text: a threshold to use instead of that of ``CORRECT``.

    Raises:
        ConfigError: see ``parse_threshold``.
    """
    unit = unit or DistanceUnit()
    default = CORRECT.get(unit.symbol, CORRECT["map units"])
    metre = unit.length if unit.symbol == "m" else 1.0
    return parse_threshold(default if text is None else text, unit.reference_length, metre)


def parse_thresholds(
    texts: Iterable[str], unit_length: float | None = None, metre: float = 1.0
) -> tuple[Threshold, ...]:
    """Parse texts of presets and thresholds, separated by spaces or ';', like ``parse_threshold``.

    Raises:
        ConfigError: as ``parse_threshold``, or no threshold is given.
    """
    words = " ".join(texts).replace(";", " ").split()
    if not words:
        raise ConfigError(f"no threshold given: expected {_EXPECTED}")
    expanded = " ".join(PRESETS.get(word.lower(), word) for word in words).split()
    return tuple(dict.fromkeys(parse_threshold(word, unit_length, metre) for word in expanded))
