"""Calibrated probability that a pose is correct, from its pose-quality features.

The probability is a logistic regression on the features (Platt scaling), times the probability that
the pose's own covariance leaves it within the error bounds. "Correct" means within ``ErrorBounds``
of the true pose. No coefficient may be negative, so a better feature never lowers the probability.
``pipelines/calibration/confidence.py`` fits the coefficients on rendered towns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ConfigDict, Field, model_validator

from hloc_lite.config import Section
from hloc_lite.pose.quality import QUALITY_FEATURES

MAX_DEVIATION = 3.0
"""Bound of a feature's deviation, in scales; 99.7 % of normal values lie within."""
MAX_LOG_ODDS = 1e6
"""Bound of each term: far beyond certainty, while sums of terms stay finite."""


class ErrorBounds(Section):
    """Largest errors of a pose that counts as correct."""

    distance: float = Field(0.25, gt=0)
    """Error of the camera centre, in map units, for maps in metres."""
    relative_distance: float = Field(0.025, gt=0)
    """Error of the camera centre over the median distance of the inliers, for all other maps."""
    angle_deg: float = Field(2.0, gt=0)


class Term(Section):
    """Term of one feature in the log odds: coefficient * (value - center) / scale."""

    center: float
    """Value at which the term is 0; an unknown feature is assumed to have it."""
    scale: float = Field(gt=0)
    coefficient: float = Field(ge=0, le=MAX_LOG_ODDS)

    def deviation(self, value: float) -> float:
        """Deviation from the center in scales, clipped to +-``MAX_DEVIATION``.

        A value far outside the fitted range must not decide alone (all labels wrong at night).
        """
        return max(-MAX_DEVIATION, min((value - self.center) / self.scale, MAX_DEVIATION))


class FitSummary(Section):
    """Data that the coefficients were fitted on."""

    seeds: tuple[int, ...]
    """Seeds of the rendered towns."""
    num_poses: int = Field(ge=0)
    num_right: int = Field(ge=0)
    """Number of correct poses among them."""
    settings: tuple[str, ...] = ()


class Calibration(Section):
    """Coefficients of the confidence model, and the data that they were fitted on."""

    model_config = ConfigDict(populate_by_name=True)

    intercept: float = Field(ge=-MAX_LOG_ODDS, le=MAX_LOG_ODDS)
    """Log odds of a pose whose features all lie at their centers."""
    learned: float = Field(0.0, ge=-MAX_LOG_ODDS, le=0)
    """Log odds added where matches come from a learned matcher: such matches also agree with one
    another at a location that only looks alike, which nearest neighbours hardly do."""
    bounds: ErrorBounds = ErrorBounds()
    fitted: FitSummary
    terms: dict[str, Term] = Field(validation_alias="traits")
    """Term of each feature; the key in files is "traits"."""

    @model_validator(mode="after")
    def _features_are_known(self) -> Calibration:
        unknown = sorted(set(self.terms) - set(QUALITY_FEATURES))
        if unknown:
            known = ", ".join(QUALITY_FEATURES)
            raise ValueError(f"unknown pose-quality feature {unknown[0]!r}; known are {known}")
        return self

    def contributions(self, features: Mapping[str, float]) -> dict[str, float]:
        """Log odds that each feature adds; 0 if it is missing or NaN."""
        return {
            name: 0.0
            if math.isnan(value := features.get(name, math.nan))
            else term.coefficient * term.deviation(value)
            for name, term in self.terms.items()
        }

    def log_odds(self, features: Mapping[str, float]) -> float:
        """Log odds that the pose is at the right location, for nearest-neighbour matches."""
        return self.intercept + math.fsum(self.contributions(features).values())

    def probability(self, features: Mapping[str, float], *, learned: bool = False) -> float:
        """Probability in [0, 1] that a pose with these features is within the error bounds.

        It is the probability that the location is right, times the probability that the pose's own
        uncertainty leaves it within the bounds.

        Args:
            learned: some of its matches come from a learned matcher.
        """
        log_odds = self.log_odds(features) + (self.learned if learned else 0.0)
        logistic = 0.5 * (1 + math.tanh(0.5 * log_odds))  # the sigmoid, without overflow
        return logistic * probability_within_limit(features.get("certainty", math.nan))

    def assess(self, features: Mapping[str, float], *, learned: bool = False) -> Confidence:
        """Confidence in a pose, with the two features that lower it most as reasons.

        Args:
            learned: some of its matches come from a learned matcher.
        """
        added = self.contributions(features)
        negative = sorted((value, name) for name, value in added.items() if value < 0)
        reasons = tuple(QUALITY_FEATURES[name].reason for _, name in negative[:2])
        known = {name: float(value) for name, value in features.items() if not math.isnan(value)}
        return Confidence(self.probability(features, learned=learned), known, reasons)


@dataclass(frozen=True)
class Confidence:
    """Calibrated confidence in a pose."""

    probability: float
    """Probability that the pose is correct."""
    features: Mapping[str, float]
    """Pose-quality features that are known."""
    reasons: tuple[str, ...]
    """Reasons against the pose, in words, the strongest first."""


def probability_within_limit(certainty: float) -> float:
    """Probability that a normal error in the most uncertain direction is within its limit.

    A pose with many inliers can still be poorly constrained, for example along the optical axis
    where the focal length is estimated. On five rendered towns this factor lets 47 wrong poses of
    3000 pass instead of 57.

    Args:
        certainty: -log10 of the standard deviation over the limit; NaN: unknown, the result is 1.
    """
    return 1.0 if math.isnan(certainty) else math.erf(10 ** min(certainty, 3.0) / math.sqrt(2))
