"""The probability of a pose: monotone, defined for whatever comes, read from a file or refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.config import ConfidenceConfig, load_config
from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import bearings
from hloc_lite.localize.confidence import (
    MAX_FILE_BYTES,
    Calibration,
    Fitted,
    Term,
    calibration_of,
    judge,
    read_calibration,
    within,
    write_calibration,
)
from hloc_lite.localize.traits import TRAITS, log_uncertainty, spanned_share, traits_of
from hloc_lite.synthetic.correspondences import CAMERA
from hloc_lite.types import Correspondences, Float64, PoseEstimate, Rigid3

SHIPPED = calibration_of(ConfidenceConfig())
POSE = load_config().pose
LIMITS = (0.25, 2.0)
SURE = np.diag([1e-8] * 3 + [1e-6] * 3)


def spread_out(count: int, side_px: float = 400.0) -> Float64:
    return np.random.default_rng(count).uniform(100, 100 + side_px, (count, 2))


def traits(
    pixels: Float64,
    num_wrong: int = 0,
    covariance: Float64 | None = SURE,
    ambiguity: float = 0.0,
    labels: float = math.nan,
    noise_px: float = 0.0,
) -> dict[str, float]:
    """Of a pose with inliers at pixels, 10 in front of the camera, and other matches."""
    seen = np.vstack([pixels, spread_out(num_wrong)]) if num_wrong else pixels
    points = 10 * bearings(CAMERA, seen)
    shift = noise_px * np.random.default_rng(0).normal(size=seen.shape)
    order = np.arange(len(seen))
    correspondences = Correspondences(seen + shift, points, order, order, np.ones(len(seen)))
    identity = Rigid3(np.eye(3), np.zeros(3))
    pose = PoseEstimate(identity, order < len(pixels), 100, covariance, CAMERA)
    return traits_of(correspondences, pose, ambiguity, labels, LIMITS, POSE)


def probability(found: dict[str, float]) -> float:
    assert SHIPPED is not None
    return SHIPPED.probability(found)


def test_the_shipped_coefficients_tell_good_poses_from_bad_ones() -> None:
    assert SHIPPED is not None and SHIPPED.fitted.num_poses > 1000
    good = traits(spread_out(100), num_wrong=100, noise_px=1.0)
    bad = traits(spread_out(6, 60.0), num_wrong=500, covariance=None, ambiguity=0.9)
    assert probability(good) > 0.9 and probability(bad) < 0.1


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [
        ("evidence", {"pixels": spread_out(30)}, {"pixels": spread_out(15)}),
        ("evidence", {"num_wrong": 0}, {"num_wrong": 300}),
        ("evidence", {"noise_px": 0.5}, {"noise_px": 4.0}),
        ("certainty", {"covariance": SURE}, {"covariance": 100 * SURE}),
        ("certainty", {"covariance": 100 * SURE}, {"covariance": None}),
        ("spread", {"pixels": spread_out(20, 400)}, {"pixels": spread_out(20, 100)}),
        ("uniqueness", {"ambiguity": 0.1}, {"ambiguity": 0.9}),
        ("labels", {"labels": 0.99}, {"labels": 0.9}),
    ],
)
def test_what_speaks_for_a_pose_raises_its_trait_and_never_lowers_its_probability(
    name: str, better: dict, worse: dict
) -> None:
    base = {"pixels": spread_out(20)}
    up, down = traits(**base | better), traits(**base | worse)
    assert up[name] > down[name]
    assert probability(up) >= probability({**up, name: down[name]})


@given(st.dictionaries(st.sampled_from([*TRAITS, "another"]), st.floats(-1e9, 1e9)))
def test_a_probability_for_any_traits_and_none_is_lowered_by_a_better_one(
    found: dict[str, float],
) -> None:
    p = probability(found)
    assert 0 <= p <= 1
    for name, value in found.items():
        assert probability({**found, name: value + 1}) >= p


def test_unknown_traits_say_nothing() -> None:
    assert SHIPPED is not None
    unknown = dict.fromkeys(TRAITS, math.nan)
    assert probability(unknown) == pytest.approx(probability({}))
    assert probability({}) == pytest.approx(1 / (1 + math.exp(-SHIPPED.intercept)))
    assert judge(unknown, SHIPPED).grounds == {}


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((6, 2), 300.0),  # one place
        np.stack([np.linspace(100, 500, 6), np.full(6, 200.0)], axis=1),  # a line
        spread_out(1),
        spread_out(3),
    ],
)
@pytest.mark.parametrize("covariance", [None, np.full((6, 6), np.nan), np.zeros((6, 6)), SURE])
def test_degenerate_poses_have_finite_traits(pixels: Float64, covariance: Float64 | None) -> None:
    found = traits(pixels, covariance=covariance, ambiguity=1.0)
    unknown = {name for name, value in found.items() if not math.isfinite(value)}
    assert unknown == {"labels"}
    assert 0 <= probability(found) <= 1


def test_keypoints_and_points_count_once() -> None:
    pixels = spread_out(10)
    once = traits(pixels)
    order = np.r_[np.arange(10), np.arange(10)]
    both = Correspondences(
        pixels[order], 10 * bearings(CAMERA, pixels)[order], order, order % 10, np.ones(20)
    )
    pose = PoseEstimate(Rigid3(np.eye(3), np.zeros(3)), np.ones(20, bool), 1, SURE, CAMERA)
    twice = traits_of(both, pose, 0.0, math.nan, LIMITS, POSE)
    assert twice["evidence"] == pytest.approx(once["evidence"])


def test_certainty_is_the_worse_of_position_and_angle_over_its_limit() -> None:
    position = np.diag([0, 0, 0, 0.025**2, 0, 0])
    angle = np.diag([0, math.radians(0.02) ** 2, 0, 0, 0, 0])
    assert log_uncertainty(position, LIMITS) == pytest.approx(-1)
    assert log_uncertainty(angle, LIMITS) == pytest.approx(-2)
    assert log_uncertainty(position + angle, LIMITS) == pytest.approx(-1)
    assert log_uncertainty(1e9 * position, LIMITS) == log_uncertainty(None, LIMITS)


def test_labels_cannot_veto_a_pose_of_many_inliers() -> None:
    pixels = spread_out(300)
    assert traits(pixels, labels=0.0) == traits(pixels, labels=0.5)
    assert probability(traits(pixels, labels=0.0)) > 0.9


def test_spanned_share_of_a_square() -> None:
    pose = PoseEstimate(Rigid3(np.eye(3), np.zeros(3)), np.ones(1, bool), 1, None, CAMERA)
    square = np.array([[0, 0], [100, 0], [0, 100], [100, 100], [50, 50]], np.float64)
    assert spanned_share(square, pose) == pytest.approx(1e4 / (CAMERA.width * CAMERA.height))


def made() -> Calibration:
    terms = {name: Term(center=0.5, scale=2.0, coefficient=0.25) for name in list(TRAITS)[:2]}
    about = Fitted(seeds=(1, 2), num_poses=30, num_right=20, settings=('say "k=1" \\',))
    return Calibration(intercept=-1.5, learned=-2.5, fitted=about, traits=terms)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "confidence.toml"
    write_calibration(path, made())
    assert read_calibration(path) == made()
    assert calibration_of(ConfidenceConfig(file=str(path))) == made()
    assert calibration_of(ConfidenceConfig(enabled=False)) is None


def test_inliers_of_a_learned_matcher_prove_less() -> None:
    calibration, found = made(), dict.fromkeys(TRAITS, 2.0)
    nearest, learned = (
        judge(found, calibration, learned=of).confidence / (within(found["certainty"]))
        for of in (False, True)
    )
    assert math.log(nearest / (1 - nearest)) - math.log(learned / (1 - learned)) == pytest.approx(
        2.5
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("intercept = -1.5", "intercept = nan", "intercept"),
        ("intercept = -1.5", "", "intercept"),
        ("intercept = -1.5", "intercept = 1e300", "intercept"),
        ("coefficient = 0.25", "coefficient = 1e308", "coefficient"),
        ("coefficient = 0.25", "coefficient = -0.25", "coefficient"),
        ("scale = 2", "scale = 0", "scale"),
        ("[traits.", "[traits.other_", "unknown trait"),
        ("[fitted]", "[fitted", "not readable TOML"),
        ("intercept = -1.5", "surplus = 1\nintercept = -1.5", "surplus"),
        ("learned = -2.5", "learned = 2.5", "learned"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "confidence.toml"
    write_calibration(path, made())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_calibration(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\xff\xfe\x00", "UTF-8"), (b"#" * (MAX_FILE_BYTES + 1), "larger"), (b"", "intercept")],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "confidence.toml"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        read_calibration(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot read"):
        read_calibration(tmp_path / "none.toml")


def test_doubts_name_what_speaks_most_against_a_pose() -> None:
    calibration = made()
    first, second = calibration.traits
    found = judge({first: -9.0, second: 1.0}, calibration)
    assert found.doubts == (TRAITS[first].doubt,)
    assert judge({first: 1.0, second: 1.0}, calibration).doubts == ()
    assert replace(found, confidence=0.0).grounds == {first: -9.0, second: 1.0}
