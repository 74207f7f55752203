"""Pose-quality features and the probability that they give: monotone, and defined for any input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.config import ConfidenceConfig, load_config
from hloc_lite.geometry.cameras import bearings
from hloc_lite.localize.confidence import load_calibration
from hloc_lite.pose.confidence import Calibration, FitSummary, Term, probability_within_limit
from hloc_lite.pose.quality import (
    QUALITY_FEATURES,
    hull_area_share,
    log_uncertainty,
    quality_features,
)
from hloc_lite.synthetic.correspondences import CAMERA
from hloc_lite.types import Correspondences, Float64, PoseEstimate, Rigid3

SHIPPED = load_calibration(ConfidenceConfig())
POSE_CONFIG = load_config().pose
LIMITS = (0.25, 2.0)
SMALL_COVARIANCE = np.diag([1e-8] * 3 + [1e-6] * 3)


def random_pixels(count: int, side_px: float = 400.0) -> Float64:
    return np.random.default_rng(count).uniform(100, 100 + side_px, (count, 2))


def features(
    pixels: Float64,
    num_wrong: int = 0,
    covariance: Float64 | None = SMALL_COVARIANCE,
    ambiguity: float = 0.0,
    labels: float = math.nan,
    noise_px: float = 0.0,
) -> dict[str, float]:
    """Features of a pose with inliers at pixels, 10 units in front of the camera, and outliers."""
    observed = np.vstack([pixels, random_pixels(num_wrong)]) if num_wrong else pixels
    points = 10 * bearings(CAMERA, observed)
    noise = noise_px * np.random.default_rng(0).normal(size=observed.shape)
    order = np.arange(len(observed))
    correspondences = Correspondences(observed + noise, points, order, order, np.ones(len(order)))
    identity = Rigid3(np.eye(3), np.zeros(3))
    pose = PoseEstimate(identity, order < len(pixels), 100, covariance, CAMERA)
    return quality_features(correspondences, pose, ambiguity, labels, LIMITS, POSE_CONFIG)


def probability(values: dict[str, float]) -> float:
    assert SHIPPED is not None
    return SHIPPED.probability(values)


def test_shipped_coefficients_separate_good_poses_from_bad_ones() -> None:
    assert SHIPPED is not None and SHIPPED.fitted.num_poses > 1000
    good = features(random_pixels(100), num_wrong=100, noise_px=1.0)
    bad = features(random_pixels(6, 60.0), num_wrong=500, covariance=None, ambiguity=0.9)
    assert probability(good) > 0.9 and probability(bad) < 0.1


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [
        ("evidence", {"pixels": random_pixels(30)}, {"pixels": random_pixels(15)}),
        ("evidence", {"num_wrong": 0}, {"num_wrong": 300}),
        ("evidence", {"noise_px": 0.5}, {"noise_px": 4.0}),
        ("certainty", {"covariance": SMALL_COVARIANCE}, {"covariance": 100 * SMALL_COVARIANCE}),
        ("certainty", {"covariance": 100 * SMALL_COVARIANCE}, {"covariance": None}),
        ("spread", {"pixels": random_pixels(20, 400)}, {"pixels": random_pixels(20, 100)}),
        ("uniqueness", {"ambiguity": 0.1}, {"ambiguity": 0.9}),
        ("labels", {"labels": 0.99}, {"labels": 0.9}),
    ],
)
def test_better_poses_have_larger_features_and_no_lower_probability(
    name: str, better: dict, worse: dict
) -> None:
    base = {"pixels": random_pixels(20)}
    high, low = features(**base | better), features(**base | worse)
    assert high[name] > low[name]
    assert probability(high) >= probability({**high, name: low[name]})


@given(st.dictionaries(st.sampled_from([*QUALITY_FEATURES, "another"]), st.floats(-1e9, 1e9)))
def test_probability_is_defined_and_monotone_for_any_features(values: dict[str, float]) -> None:
    p = probability(values)
    assert 0 <= p <= 1
    for name, value in values.items():
        assert probability({**values, name: value + 1}) >= p


def test_unknown_features_do_not_change_the_probability() -> None:
    assert SHIPPED is not None
    unknown = dict.fromkeys(QUALITY_FEATURES, math.nan)
    assert probability(unknown) == pytest.approx(probability({}))
    assert probability({}) == pytest.approx(1 / (1 + math.exp(-SHIPPED.intercept)))
    assert SHIPPED.assess(unknown).features == {}


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((6, 2), 300.0),  # one pixel
        np.stack([np.linspace(100, 500, 6), np.full(6, 200.0)], axis=1),  # a line
        random_pixels(1),
        random_pixels(3),
    ],
)
@pytest.mark.parametrize(
    "covariance", [None, np.full((6, 6), np.nan), np.zeros((6, 6)), SMALL_COVARIANCE]
)
def test_degenerate_poses_have_finite_features(pixels: Float64, covariance: Float64 | None) -> None:
    values = features(pixels, covariance=covariance, ambiguity=1.0)
    unknown = {name for name, value in values.items() if not math.isfinite(value)}
    assert unknown == {"labels"}
    assert 0 <= probability(values) <= 1


def test_each_keypoint_and_point_counts_once() -> None:
    pixels = random_pixels(10)
    once = features(pixels)
    order = np.r_[np.arange(10), np.arange(10)]
    both = Correspondences(
        pixels[order], 10 * bearings(CAMERA, pixels)[order], order, order % 10, np.ones(20)
    )
    identity = Rigid3(np.eye(3), np.zeros(3))
    pose = PoseEstimate(identity, np.ones(20, bool), 1, SMALL_COVARIANCE, CAMERA)
    twice = quality_features(both, pose, 0.0, math.nan, LIMITS, POSE_CONFIG)
    assert twice["evidence"] == pytest.approx(once["evidence"])


def test_certainty_is_the_worse_of_position_and_angle_over_its_limit() -> None:
    position = np.diag([0, 0, 0, 0.025**2, 0, 0])
    angle = np.diag([0, math.radians(0.02) ** 2, 0, 0, 0, 0])
    assert log_uncertainty(position, LIMITS) == pytest.approx(-1)
    assert log_uncertainty(angle, LIMITS) == pytest.approx(-2)
    assert log_uncertainty(position + angle, LIMITS) == pytest.approx(-1)
    assert log_uncertainty(1e9 * position, LIMITS) == log_uncertainty(None, LIMITS)


def test_labels_cannot_veto_a_pose_with_many_inliers() -> None:
    pixels = random_pixels(300)
    assert features(pixels, labels=0.0) == features(pixels, labels=0.5)
    assert probability(features(pixels, labels=0.0)) > 0.9


def test_hull_area_share_of_a_square() -> None:
    pose = PoseEstimate(Rigid3(np.eye(3), np.zeros(3)), np.ones(1, bool), 1, None, CAMERA)
    square = np.array([[0, 0], [100, 0], [0, 100], [100, 100], [50, 50]], np.float64)
    assert hull_area_share(square, pose) == pytest.approx(1e4 / (CAMERA.width * CAMERA.height))


def small_calibration() -> Calibration:
    terms = {
        name: Term(center=0.5, scale=2.0, coefficient=0.25) for name in list(QUALITY_FEATURES)[:2]
    }
    summary = FitSummary(seeds=(1, 2), num_poses=30, num_right=20)
    return Calibration(intercept=-1.5, learned=-2.5, fitted=summary, terms=terms)


def test_inliers_of_a_learned_matcher_lower_the_log_odds() -> None:
    calibration, values = small_calibration(), dict.fromkeys(QUALITY_FEATURES, 2.0)
    nearest, learned = (
        calibration.assess(values, learned=of_learned).probability
        / probability_within_limit(values["certainty"])
        for of_learned in (False, True)
    )
    log_odds = [math.log(p / (1 - p)) for p in (nearest, learned)]
    assert log_odds[0] - log_odds[1] == pytest.approx(2.5)


def test_reasons_name_the_features_that_lower_the_probability_most() -> None:
    calibration = small_calibration()
    first, second = calibration.terms
    confidence = calibration.assess({first: -9.0, second: 1.0})
    assert confidence.reasons == (QUALITY_FEATURES[first].reason,)
    assert confidence.features == {first: -9.0, second: 1.0}
    assert calibration.assess({first: 1.0, second: 1.0}).reasons == ()
