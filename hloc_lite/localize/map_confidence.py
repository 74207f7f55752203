"""Confidence model of queries in a map: the global one with the map's own correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import Config
from hloc_lite.localize.confidence import load_calibration, model_fingerprint
from hloc_lite.localize.pose_uncertainty import MapErrors
from hloc_lite.maps.calibration import MapCalibration
from hloc_lite.maps.map import Map
from hloc_lite.pose.confidence import Calibration
from hloc_lite.types import Float64

LANDMARKS = "landmarks"
"""Pose-quality feature whose typical value a map knows."""
SHIFT, SLOPE, TYPICAL = "shift", "slope", "typical_landmarks"
"""Names of the coefficients of a map."""
DISTANCE_ERROR, ANGLE_ERROR = "map_sigma", "map_sigma_deg"
"""The same for ``MapErrors``."""
MAX_DISTANCE_ERROR, MAX_ANGLE_ERROR_DEG = 1.0, 10.0
"""Bounds of the errors that a map may state: with larger ones it would give no pose at all."""
SLOPES = (0.5, 2.0)
"""Bounds of the slope."""


@dataclass(frozen=True)
class Correction:
    """Correction of the global log odds in one map."""

    shift: float = 0.0
    slope: float = 1.0

    def apply(self, log_odds: Float64) -> Float64:
        """(K,) corrected log odds."""
        return self.shift + self.slope * log_odds


def calibration_in(config: Config, maps: Sequence[Map]) -> Calibration | None:
    """Confidence model of queries in some maps: the global one, corrected by that of a single map.

    A correction that was fitted to other global coefficients is left out.
    """
    found = load_calibration(config.confidence)
    known = _coefficients(found, config, maps)
    return found if found is None or not known else corrected(found, known)


def typical_landmarks(
    calibration: Calibration | None, config: Config, maps: Sequence[Map]
) -> float:
    """Evidence from landmarks that right answers about the photos of a single map reach; else 0.

    Args:
        calibration: the global model, as ``load_calibration`` gives it.
    """
    return _coefficients(calibration, config, maps).get(TYPICAL, 0.0)


def map_errors(calibration: Calibration | None, config: Config, maps: Sequence[Map]) -> MapErrors:
    """Errors of a map around a query: those of all maps, or those that it has found if larger.

    Args:
        calibration: the global model, as ``load_calibration`` gives it.
    """
    known = _coefficients(calibration, config, maps)
    return MapErrors(
        max(config.intrinsics.map_sigma, min(known.get(DISTANCE_ERROR, 0.0), MAX_DISTANCE_ERROR)),
        max(config.intrinsics.map_sigma_deg, min(known.get(ANGLE_ERROR, 0.0), MAX_ANGLE_ERROR_DEG)),
    )


def fitting_calibration(calibration: Calibration | None, sfm_map: Map) -> MapCalibration | None:
    """Calibration of a map if it was made with this global model; else None."""
    known = sfm_map.calibration
    if calibration is None or known is None:
        return None
    return known if known.fitted_to == model_fingerprint(calibration) else None


def _coefficients(
    calibration: Calibration | None, config: Config, maps: Sequence[Map]
) -> Mapping[str, float]:
    known = fitting_calibration(calibration, maps[0])
    if known is None or len(maps) > 1 or not config.self_test.for_queries:
        return {}
    return known.coefficients


def corrected(calibration: Calibration, coefficients: Mapping[str, float]) -> Calibration:
    """Global confidence model with the coefficients of a map."""
    slope = float(np.clip(coefficients.get(SLOPE, 1.0), *SLOPES))
    shift = min(coefficients.get(SHIFT, 0.0), 0.0)
    terms = {
        name: term.model_copy(update={"coefficient": slope * term.coefficient})
        for name, term in calibration.terms.items()
    }
    update = {
        "intercept": slope * calibration.intercept + shift,
        "learned": slope * calibration.learned,
        "terms": terms,
    }
    return calibration.model_copy(update=update)
