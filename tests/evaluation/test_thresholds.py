"""Parsing of thresholds, and distance units."""

from __future__ import annotations

import pytest

from hloc_lite.errors import ConfigError
from hloc_lite.evaluation.thresholds import (
    DistanceUnit,
    Threshold,
    correct_within,
    is_threshold,
    parse_threshold,
    parse_thresholds,
    percent_of,
)


@pytest.mark.parametrize(
    ("text", "distance", "angle_deg"),
    [
        ("0.25m,2deg", 0.25, 2),
        (".5m,5deg", 0.5, 5),
        ("5m/10°", 5, 10),
        ("25cm,2", 0.25, 2),
        ("3mm, 0.1deg", 0.003, 0.1),
        ("0.25,2", 0.25, 2),
        ("5M,10DEG", 5, 10),
    ],
)
def test_forms_of_a_threshold(text: str, distance: float, angle_deg: float) -> None:
    threshold = parse_threshold(text)
    assert threshold.max_distance == pytest.approx(distance)
    assert threshold.max_angle_deg == angle_deg
    assert is_threshold(text)


def test_percent_of_a_reference_length() -> None:
    threshold = parse_threshold("1%,0.5deg", unit_length=3.2)
    assert threshold.max_distance == pytest.approx(0.032)
    assert threshold.label == "1%,0.5deg"
    assert percent_of(3.2).convert(0.032) == pytest.approx(1)
    with pytest.raises(ConfigError, match="--unit-length"):
        parse_threshold("1%,0.5deg")
    with pytest.raises(ConfigError, match="above zero, got 0"):
        percent_of(0)


def test_metres_in_a_map_of_another_unit() -> None:
    unit = DistanceUnit("m", 0.05)  # a map unit is 20 m
    assert correct_within(unit).max_distance == pytest.approx(0.0125)
    assert correct_within(unit, "0.5,2deg").max_distance == 0.5
    limits = parse_thresholds(["aachen"], metre=unit.length)
    assert [unit.convert(limit.max_distance) for limit in limits] == pytest.approx([0.25, 0.5, 5])


@pytest.mark.parametrize(
    "text", ["", "1", "m,deg", "1m", "1km,2deg", "1m,2rad", "-1m,2deg", "a.txt"]
)
def test_malformed_thresholds_are_refused(text: str) -> None:
    assert not is_threshold(text)
    with pytest.raises(ConfigError, match=r"such as 0\.25m,2deg"):
        parse_threshold(text)


def test_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="above zero"):
        parse_threshold("0m,2deg")


def test_presets_and_lists_of_thresholds() -> None:
    aachen = parse_thresholds(["aachen"])
    assert [(t.max_distance, t.max_angle_deg) for t in aachen] == [(0.25, 2), (0.5, 5), (5, 10)]
    inloc = parse_thresholds(["InLoc"])
    assert [(t.max_distance, t.max_angle_deg) for t in inloc] == [(0.25, 10), (0.5, 10), (1, 10)]
    assert parse_thresholds(["0.25m,2deg 0.5m,5deg", "5m,10deg;0.5m,5deg"]) == aachen


def test_default_label() -> None:
    assert Threshold(0.5, 5).label == "0.5,5deg"
    assert DistanceUnit().convert(0.5) == 0.5
