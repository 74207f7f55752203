"""Results as JSON lines: round trips, no NaN, errors of bad lines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.io.results import (
    ResultJson,
    read_results_jsonl,
    result_core,
    result_to_json,
    write_results_jsonl,
)
from hloc_lite.types import (
    Camera,
    LocalizationResult,
    PoseEstimate,
    RetrievalHits,
    Rigid3,
    Status,
)

POSE = Rigid3(exp_so3([0.1, -0.2, 0.3]), np.array([1.0, 2.0, -3.5]))
CAMERA = Camera("SIMPLE_RADIAL", 640, 480, np.array([500.0, 320, 240, -0.1]), False)


def localized(name: str = "query/Straße 1\u2028.jpg") -> LocalizationResult:
    mask = np.array([True, False, True, True])
    covariance = np.diag(np.arange(1.0, 7.0))
    return LocalizationResult(
        query_name=name,
        status=Status.LOCALIZED,
        reason="3 inliers of 4",
        pose=PoseEstimate(POSE, mask, 1000, covariance, CAMERA),
        correspondences=None,
        features=None,
        hits=RetrievalHits(("map/a b.jpg", "map/c.jpg"), np.array([0.75, 0.5])),
        counts={"keypoints": 100, "inliers": 3},
        timings_ms={"features": 12.5, "pose": 3.0},
        ambiguity=0.25,
        confidence=0.875,
        grounds={"evidence": 3.5},
        skipped=("2 map images",),
        peak_memory_mb=512.5,
    )


def failed(name: str = "b.jpg") -> LocalizationResult:
    return replace(
        localized(name),
        status=Status.TOO_FEW_MATCHES,
        reason="only 3 matches",
        pose=None,
        fallback=POSE,
        fallback_name="map/c.jpg",
    )


def test_results_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    write_results_jsonl(path, iter([localized(), failed()]))
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    first, second = read_results_jsonl(path)

    assert first.query_name == "query/Straße 1\u2028.jpg"
    assert first.status is Status.LOCALIZED
    assert first.pose is not None
    np.testing.assert_allclose(first.pose.cam_from_world.rotation, POSE.rotation, atol=1e-15)
    np.testing.assert_array_equal(first.pose.cam_from_world.translation, POSE.translation)
    assert (first.pose.num_inliers, len(first.pose.inlier_mask)) == (3, 4)
    assert first.pose.covariance is not None
    np.testing.assert_array_equal(np.diag(first.pose.covariance), np.arange(1.0, 7.0))
    assert first.pose.camera.model == "SIMPLE_RADIAL"
    np.testing.assert_array_equal(first.pose.camera.params, CAMERA.params)
    assert not first.pose.camera.has_prior_focal
    assert first.hits.names == ("map/a b.jpg", "map/c.jpg")
    assert first.counts == {"keypoints": 100, "inliers": 3}
    assert first.timings_ms == {"features": 12.5, "pose": 3.0}
    assert first.fallback is None
    assert (first.ambiguity, first.confidence) == (0.25, 0.875)
    assert first.grounds == {"evidence": 3.5}
    assert (first.skipped, first.peak_memory_mb) == (("2 map images",), 512.5)

    assert (second.status, second.reason) == (Status.TOO_FEW_MATCHES, "only 3 matches")
    assert second.pose is None
    assert second.fallback_name == "map/c.jpg"
    assert second.fallback is not None
    np.testing.assert_array_equal(second.fallback.translation, POSE.translation)


def test_the_fallback_is_not_stored_as_the_pose() -> None:
    value = result_to_json(failed())
    assert value["pose"] is None
    assert value["fallback"]["name"] == "map/c.jpg"


def test_the_center_is_the_camera_position() -> None:
    value = result_to_json(localized())
    np.testing.assert_allclose(POSE.apply(np.array(value["pose"]["center"])), 0, atol=1e-12)


def test_non_finite_numbers_become_null() -> None:
    result = localized()
    assert result.pose is not None
    unknown = replace(result.pose, covariance=np.full((6, 6), np.nan))
    odd = replace(result, pose=unknown, timings_ms={"pose": float("inf")})
    value = result_to_json(odd)
    json.dumps(value, allow_nan=False)
    assert value["covariance"] is None
    assert value["timings_ms"] == {"pose": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "expected results of schema version 1, got 99"),
        ({"status": "dancing"}, "bad value: 'dancing' is not a valid Status"),
        ({"status": "no_pose"}, "does not go with pose"),
        ({"pose": None}, "does not go with pose"),
        ({"name": 7}, "expected a text, got 7"),
        ({"counts": 3}, "bad value"),
        ({"confidence": float("nan")}, "NaN is no number that JSON has"),
        ({"ambiguity": 1e300}, "1e\\+300 is too large"),
        ({"ambiguity": 10**400}, "is too large"),
        ({"covariance": [[1.0]]}, "6 x 6"),
        ({"confidence": 1.5}, "expected a number from 0 to 1, got 1.5"),
        ({"max_wrong": -0.1}, "expected a number from 0 to 1"),
        ({"num_trials": float("inf")}, "Infinity is no number"),
        ({"num_inliers": 5}, "5 inliers of 4"),
        ({"num_correspondences": 10**13}, "impossible"),
        ({"retrieved": {"names": ["a"], "similarities": []}}, "RetrievalHits.similarities"),
    ],
)
def test_bad_values_are_named_with_their_line(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    good, bad = result_to_json(localized()), {**result_to_json(localized("other")), **change}
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps(bad) + "\n")
    with pytest.raises(FormatError, match=f"line 2: .*{message}"):
        read_results_jsonl(path)


def with_pose(**changes: object) -> dict[str, object]:
    pose = result_to_json(localized())["pose"]
    return {"pose": {**(pose or {}), **changes}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_pose(translation=[1.0, 2.0, -3.4]), "is not that of the pose"),
        (with_pose(center=[0.0, 0.0, 0.0]), "is not that of the pose"),
        (with_pose(quat_wxyz=[1.0, 1.0, 0.0, 0.0]), "unit quaternion"),
        (with_pose(translation=[1e19, 2.0, -3.5]), "at most 1e"),
    ],
)
def test_a_pose_with_one_changed_number_is_refused(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps({**result_to_json(localized()), **change}) + "\n")
    with pytest.raises(FormatError, match=f"line 1: .*{message}"):
        read_results_jsonl(path)


def test_a_pose_without_its_center_is_read(tmp_path: Path) -> None:
    value = result_to_json(localized())
    assert value["pose"] is not None
    del value["pose"]["center"]
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(value) + "\n")
    (found,) = read_results_jsonl(path)
    assert found.pose is not None
    np.testing.assert_allclose(found.pose.cam_from_world.center, POSE.center)


@pytest.mark.parametrize("line", ["[]", "{", "3", "[" * 100000, "1" * 5000])
def test_lines_that_are_not_results_are_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(FormatError, match="line 1: "):
        read_results_jsonl(path)


def test_missing_keys_and_repeated_names_are_errors(tmp_path: Path) -> None:
    value = result_to_json(localized())
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps({k: v for k, v in value.items() if k != "counts"}))
    with pytest.raises(FormatError, match="line 1: the result lacks the key 'counts'"):
        read_results_jsonl(path)
    path.write_text(2 * (json.dumps(value) + "\n"))
    with pytest.raises(FormatError, match=r"line 2: .* is listed twice"):
        read_results_jsonl(path)


def test_a_doubtful_result_has_a_confidence_but_no_pose(tmp_path: Path) -> None:
    doubtful = replace(failed(), status=Status.DOUBTFUL, confidence=0.125)
    path = tmp_path / "results.jsonl"
    write_results_jsonl(path, [doubtful])
    (read,) = read_results_jsonl(path)
    assert (read.status, read.pose, read.confidence) == (Status.DOUBTFUL, None, 0.125)
    line = json.dumps({**result_to_json(localized()), "status": "doubtful"})
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(FormatError, match="does not go with pose"):
        read_results_jsonl(path)


def test_results_of_older_versions_have_no_grounds(tmp_path: Path) -> None:
    value = result_to_json(localized())
    del value["grounds"], value["confidence"]
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")
    (read,) = read_results_jsonl(path)
    assert read.grounds == {} and read.confidence is None


def test_the_core_is_part_of_every_line() -> None:
    for result in (localized(), failed()):
        value = result_to_json(result)
        assert value.items() >= result_core(result).items()
        # only results in maps with a surface have views
        assert value.keys() == ResultJson.__annotations__.keys() - {"views"}
