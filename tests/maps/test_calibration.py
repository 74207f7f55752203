"""The calibration beside a map: written and read, ignored where it does not belong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError
from hloc_lite.maps.calibration import (
    CalibrationSet,
    MapCalibration,
    SelfTestKind,
    calibration_bytes,
    calibration_to_json,
    read_calibration,
    write_calibration,
)
from hloc_lite.maps.folder import CALIBRATION

SELF, NEIGHBOURHOOD = SelfTestKind.SELF_LEFT_OUT, SelfTestKind.NEIGHBOURHOOD_LEFT_OUT


def calibration() -> MapCalibration:
    answers = CalibrationSet(
        np.array([0.9, 0.3, 0.0]),
        np.array([False, True, False]),
        np.array([SELF, NEIGHBOURHOOD, NEIGHBOURHOOD], np.uint8),
        np.array([True, True, False]),
    )
    repeatability = np.array([0.5, np.nan, 1.0], np.float32)
    return MapCalibration(answers, repeatability, {"shift": -0.5}, (("a", "b", 0.3),), "base")


def test_a_calibration_is_read_as_written(tmp_path: Path) -> None:
    written = calibration()
    write_calibration(tmp_path, written, "map")
    found = read_calibration(tmp_path, "map", 3)
    assert found is not None
    for name in ("confidences", "is_wrong", "kinds", "has_pose"):
        np.testing.assert_array_equal(getattr(found.answers, name), getattr(written.answers, name))
    np.testing.assert_array_equal(found.repeatability, written.repeatability)
    assert (found.coefficients, found.confused_images) == ({"shift": -0.5}, (("a", "b", 0.3),))
    assert found.fitted_to == "base"


def test_answers_of_a_kind() -> None:
    answers = calibration().answers
    assert answers.of_kind(SELF).confidences.tolist() == [0.9]
    assert answers.of_kind(NEIGHBOURHOOD).is_wrong.tolist() == [True, False]


def test_a_compact_map_keeps_the_answers_whatever_its_landmarks(tmp_path: Path) -> None:
    written = calibration().without_landmarks()
    write_calibration(tmp_path, written, "map")
    assert (tmp_path / CALIBRATION).stat().st_size == calibration_bytes(written, "map")
    found = read_calibration(tmp_path, "map", 2)
    assert found is not None and found.coefficients == {"shift": -0.5}


@pytest.mark.parametrize(("fingerprint", "num_points"), [("other", 3), ("map", 4)])
def test_that_of_another_map_is_ignored(tmp_path, caplog, fingerprint, num_points) -> None:
    write_calibration(tmp_path, calibration(), "map")
    assert read_calibration(tmp_path, fingerprint, num_points) is None
    assert "belongs to another map" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"[]",
        b"{}",
        b'{"schema": "hloc_lite.calibration/1"}',
        b"\xff",
        b'{"schema": "hloc_lite.calibration/1", "coefficients": {"shift": 1%s}}' % (b"0" * 400),
    ],
)
def test_a_damaged_file_is_ignored(tmp_path: Path, caplog, content: bytes) -> None:
    (tmp_path / CALIBRATION).write_bytes(content)
    assert read_calibration(tmp_path, "map", 3) is None
    assert "is ignored" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        {"kinds": [0, 1, 300]},
        {"kinds": [0, 0.5, 1]},
        {"confidences": [10**400, 0, 0]},
        {"is_wrong": [float("nan"), 0, 0]},
        {"is_wrong": [-1, 0, 0]},
        {"has_pose": [None, 1, 1]},
        {"coefficients": {"map_sigma": 1e300}},
        {"coefficients": {"map_sigma": True}},
        {"coefficients": {"shift": "0.01"}},
        {"coefficients": {"\ud800": 0.0}},
        {"confused_images": [["a", "b", float("nan")]]},
        {"confused_images": [["\ud800", "b", 0.5]]},
        {"confused_images": [[1, 2, 0.5]]},
    ],
)
def test_numbers_out_of_range_are_ignored(tmp_path: Path, caplog, change) -> None:
    value = calibration_to_json(calibration(), "map")
    (tmp_path / CALIBRATION).write_text(json.dumps({**value, **change}))
    assert read_calibration(tmp_path, "map", 3) is None
    assert "is ignored" in caplog.text


def test_a_truncated_file_is_ignored(tmp_path: Path, caplog) -> None:
    write_calibration(tmp_path, calibration(), "map")
    path = tmp_path / CALIBRATION
    path.write_bytes(path.read_bytes()[:-100])
    assert read_calibration(tmp_path, "map", 3) is None
    assert "is ignored" in caplog.text


def test_confidences_beyond_one_are_refused() -> None:
    answers = calibration().answers
    with pytest.raises(FormatError, match="out of range"):
        replace(answers, confidences=np.array([0.9, 1.3, 0.0]))
