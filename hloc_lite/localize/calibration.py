"""Calibration of a map: what its test on its own photos says about how sure it may be.

The log odds of the global confidence model are corrected by a shift and a slope, fitted by a
penalized logistic regression on the answers about the map's own photos, and shrunk towards no
correction by n / (n + ``self_test.prior_answers``). The shift is never positive: photos of the map
are easier than those of users.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit

from hloc_lite.config import Config, SelfTestConfig
from hloc_lite.localize.confidence import model_fingerprint
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.map_confidence import (
    ANGLE_ERROR,
    DISTANCE_ERROR,
    LANDMARKS,
    SHIFT,
    SLOPE,
    SLOPES,
    TYPICAL,
    Correction,
)
from hloc_lite.localize.pose_uncertainty import MapErrors
from hloc_lite.localize.self_test import (
    SelfTest,
    SelfTestAnswer,
    landmark_repeatability,
    run_self_test,
)
from hloc_lite.logistic_regression import fit_logistic
from hloc_lite.maps.calibration import CalibrationSet, MapCalibration, SelfTestKind
from hloc_lite.maps.map import Map
from hloc_lite.pose.confidence import Calibration
from hloc_lite.types import Bool, Float64

NUM_FOLDS = 5
"""Parts of the answers whose confidence comes from coefficients fitted on the others."""
TYPICAL_QUANTILE = 0.1
"""Share of the right answers whose evidence may lie below the typical one."""
SIMILAR_ABOVE = 0.1
"""Confidence in a wrong pose from which two places count as similar: below it, matching stops."""
MAX_SIMILAR = 100
"""Pairs of similar places that are kept."""
INTERCEPT_RIDGE = 0.3
"""Penalty on the shift, in answers; weak, since few answers count less in any case."""
LOG_ODDS_SCALE = 3.0
"""Log odds in which the slope is counted for its penalty: their spread over poses."""


def calibrate_map(
    sfm_map: Map, *, max_seconds: float | None = None, progress: Any = None, **options: Any
) -> MapCalibration:
    """Test a map on its own photos and learn from the answers.

    Args:
        sfm_map: a full map.
        max_seconds: no further photo is tested after this time; None for no limit.
        progress: wraps the sequence of photos, to show how many are done.
        options: networks and device, as for ``Localizer``.

    Raises:
        ConfigError: a compact map, or confidence is disabled.
    """
    start = time.perf_counter()
    config = _without_cues(sfm_map.config)
    localizer = Localizer(replace(sfm_map, calibration=None), config, **options)
    test = SelfTest(localizer)
    lifter = test.landmarks.lifter
    repeatability = landmark_repeatability(sfm_map.model, lifter, test.landmarks, config.visibility)
    if max_seconds is not None:
        max_seconds -= time.perf_counter() - start
    answers = run_self_test(test, config.self_test, max_seconds, progress)
    assert localizer.calibration is not None  # SelfTest has checked it
    return fit_map(answers, localizer.calibration, config, repeatability)


def fit_map(
    answers: Sequence[SelfTestAnswer],
    calibration: Calibration,
    config: Config,
    repeatability: np.ndarray,
) -> MapCalibration:
    """Fit the coefficients of a map, and the confidence of each answer without its own influence.

    Args:
        calibration: the global model.
        repeatability: (M,) share of the images that should see each landmark and do.
    """
    known = [each for each in answers if each.has_pose]
    typical = _typical(known, config.self_test)
    errors = fit_map_errors(known, config)
    log_odds = np.array([_log_odds(each, calibration, typical) for each in known])
    is_right = np.array([not each.is_wrong for each in known], bool)
    kinds = np.array([each.kind for each in known], np.uint8)
    folds = _folds([each.name for each in known])
    confidences = np.zeros(len(known))
    for fold in range(NUM_FOLDS):
        others, own = folds != fold, folds == fold
        found = fit_correction(log_odds[others], is_right[others], kinds[others], config.self_test)
        confidences[own] = expit(found.apply(log_odds[own]))
    confidences *= [_besides_location(each, calibration) for each in known]
    correction = fit_correction(log_odds, is_right, kinds, config.self_test)
    without = [each for each in answers if not each.has_pose]
    return MapCalibration(
        CalibrationSet(
            np.append(confidences, np.zeros(len(without))),
            np.array([each.is_wrong for each in (*known, *without)], bool),
            np.array([each.kind for each in (*known, *without)], np.uint8),
            np.array([each.has_pose for each in (*known, *without)], bool),
        ),
        repeatability,
        {
            SHIFT: correction.shift,
            SLOPE: correction.slope,
            TYPICAL: typical,
            DISTANCE_ERROR: errors.distance,
            ANGLE_ERROR: errors.angle_deg,
        },
        _confused_images(known),
        model_fingerprint(calibration),
    )


def fit_map_errors(known: Sequence[SelfTestAnswer], config: Config) -> MapErrors:
    """Errors of the map around queries, from those about its own photos without themselves.

    They are shrunk towards those of all maps, in the logarithm.

    Args:
        known: answers with a pose.
    """
    right = [each for each in known if not each.is_wrong]
    of_all = np.array([config.intrinsics.map_sigma, config.intrinsics.map_sigma_deg])
    if not right or not of_all.all():
        return MapErrors(*of_all)
    found = np.median([(each.relative_error, each.angle_error_deg) for each in right], axis=0)
    found = np.maximum(config.self_test.map_error_ratio * found, np.finfo(float).tiny)
    share = len(right) / (len(right) + config.self_test.prior_map_errors)
    return MapErrors(*(float(each) for each in of_all ** (1 - share) * found**share))


def fit_correction(
    log_odds: Float64, is_right: Bool, kinds: np.ndarray, config: SelfTestConfig
) -> Correction:
    """Fit shift and slope on (K,) log odds of the global model, shrunk towards none."""
    count = len(log_odds)
    if count == 0:
        return Correction()
    weights = np.ones(count)
    alike = kinds == SelfTestKind.NEIGHBOURHOOD_LEFT_OUT
    if alike.any() and not alike.all():
        odds = config.look_alike_share / (1 - config.look_alike_share)
        weights[alike] = odds * (~alike).sum() / alike.sum()
    fit = fit_logistic(
        (log_odds / LOG_ODDS_SCALE)[:, None],
        is_right,
        weights=weights,
        expected=np.array([LOG_ODDS_SCALE]),
        intercept_ridge=INTERCEPT_RIDGE,
    )
    share = count / (count + config.prior_answers)
    slope = float(np.clip(fit.coefficients[0] / LOG_ODDS_SCALE, *SLOPES))
    return Correction(share * min(fit.intercept, 0.0), 1 + share * (slope - 1))


def _log_odds(answer: SelfTestAnswer, calibration: Calibration, typical: float) -> float:
    """Log odds by the global model, with evidence from landmarks as queries get it."""
    features = dict(answer.features)
    if LANDMARKS in features:
        features[LANDMARKS] = min(features[LANDMARKS] - typical, 0.0)
    return calibration.log_odds(features) + (calibration.learned if answer.is_learned else 0.0)


def _besides_location(answer: SelfTestAnswer, calibration: Calibration) -> float:
    """Factor of the confidence besides the location: by total covariance, and by intrinsics."""
    location = expit(_log_odds(answer, calibration, 0.0))
    return min(float(answer.probability / location), 1.0) if location > 0 else 1.0


def _folds(names: Sequence[str]) -> np.ndarray:
    """(K,) fold of each answer; both answers about a photo are in the same one."""
    rows = {name: row for row, name in enumerate(dict.fromkeys(names))}
    return np.array([rows[name] % NUM_FOLDS for name in names], np.int64)


def _typical(known: Sequence[SelfTestAnswer], config: SelfTestConfig) -> float:
    """Evidence from landmarks that right answers reach, shrunk towards even odds (0)."""
    values = [
        each.features[LANDMARKS]
        for each in known
        if not each.is_wrong and LANDMARKS in each.features
    ]
    if not values:
        return 0.0
    share = len(values) / (len(values) + config.prior_answers)
    return share * min(float(np.quantile(values, TYPICAL_QUANTILE)), 0.0)


def _confused_images(known: Sequence[SelfTestAnswer]) -> tuple[tuple[str, str, float], ...]:
    """Photo, image of the place that it was taken for, and confidence, the highest first."""
    found = {
        (each.name, each.best_image): each.probability
        for each in sorted(known, key=lambda each: each.probability)
        if each.is_wrong and each.probability >= SIMILAR_ABOVE
    }
    pairs = sorted(found.items(), key=lambda item: -item[1])[:MAX_SIMILAR]
    return tuple((name, other, confidence) for (name, other), confidence in pairs)


def _without_cues(config: Config) -> Config:
    """Config without labels and depth, which need photos."""
    return config.model_copy(
        update={
            "semantics": config.semantics.model_copy(update={"source": "none"}),
            "depth": config.depth.model_copy(update={"source": "none"}),
        }
    )
