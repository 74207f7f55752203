"""Groups of conditions as further rows, and means over scenes."""

from __future__ import annotations

import math

import pytest

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.conditions import all_but, grouped_conditions, parse_groups
from hloc_lite.evaluation.evaluate import evaluate
from hloc_lite.evaluation.metrics import BootstrapConfig, score_conditions
from hloc_lite.evaluation.scene_means import mean_over_scenes
from hloc_lite.evaluation.thresholds import Threshold

from .scenes import moved, random_poses

FAST = BootstrapConfig(num_resamples=100)
NAMES = ["dawn", "sun", "night", "night-rain"]
CONDITIONS = {name: random_poses([f"{name}/{i}" for i in range(2)], n) for n, name in
              enumerate(NAMES)}  # fmt: skip


def test_groups_of_robotcar() -> None:
    day = all_but(CONDITIONS, ["night", "night-rain"])
    assert day == ["dawn", "sun"]
    groups = {"day all": day, "night all": ["night", "night-rain"]}
    rows = grouped_conditions(CONDITIONS, groups)
    assert list(rows) == [*NAMES, "day all", "night all"]
    assert list(rows["day all"]) == ["dawn/0", "dawn/1", "sun/0", "sun/1"]
    assert list(CONDITIONS) == NAMES


def test_groups_are_rows_before_all_and_do_not_change_it() -> None:
    estimated = {**CONDITIONS["dawn"], **CONDITIONS["night"]}
    limits = [Threshold(0.1, 1)]
    found = evaluate(estimated, CONDITIONS, limits, bootstrap=FAST, groups={"x": ["dawn", "sun"]})
    plain = evaluate(estimated, CONDITIONS, limits, bootstrap=FAST)
    assert list(found.rows) == [*NAMES, "x", "all"]
    assert found.rows["x"].recalls[0].value == 0.5
    assert found.rows["x"].num_queries == 4
    assert found.overall == plain.overall
    assert list(found.conditions) == NAMES


def test_groups_are_parsed() -> None:
    texts = ["day all=!night, night-rain", "two=dawn,sun"]
    assert parse_groups(texts, NAMES) == {"day all": ["dawn", "sun"], "two": ["dawn", "sun"]}
    assert parse_groups([], NAMES) == {}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["x"], "a group is NAME="),
        (["=dawn"], "a group is NAME="),
        (["x="], "a group is NAME="),
        (["x=!"], "a group is NAME="),
        (["x=dawn,,sun"], "a group is NAME="),
        (["x=dusk"], "'dusk' is not a condition; there are dawn, sun"),
        (["x=!dusk"], "'dusk' is not a condition"),
        (["x=dawn", "x=sun"], "given twice"),
    ],
)
def test_bad_groups_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(HlocLiteError, match=message):
        parse_groups(texts, NAMES)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"dawn": ["sun"]}, "there is such a row"),
        ({"all": ["sun"]}, "there is such a row"),
        ({"x": []}, "has no conditions"),
        ({"x": ["dusk"]}, "not a condition"),
    ],
)
def test_bad_rows_are_refused(groups: dict[str, list[str]], message: str) -> None:
    with pytest.raises(HlocLiteError, match=message):
        grouped_conditions(CONDITIONS, groups)


def test_mean_counts_every_scene_the_same() -> None:
    big, small = random_poses([f"a{i}" for i in range(4)]), random_poses(["b0", "b1"], 1)
    shifts = {"a0": 0.01, "a1": 0.02, "a2": 0.04, "a3": 0.08, "b0": 0.1, "b1": 0.3}
    estimated = {n: moved(p, shifts[n], 1.0) for n, p in {**big, **small}.items()}
    rows = score_conditions(estimated, {"big": big, "small": small}, [Threshold(0.05, 5)], FAST)
    means = mean_over_scenes(rows)
    # 3 of 4 and 0 of 2; medians 0.03 and 0.2
    assert means.recalls == (0.375,)
    assert rows["all"].recalls[0].value == 0.5
    assert means.median_distance == pytest.approx(0.115)
    assert means.median_angle_deg == pytest.approx(1)
    assert (means.num_scenes, means.num_queries) == (2, 6)
    del estimated["b0"], estimated["b1"]
    rows = score_conditions(estimated, {"big": big, "small": small}, [Threshold(0.05, 5)], FAST)
    assert math.isinf(mean_over_scenes(rows).median_distance)


def test_a_mean_of_nothing_or_of_other_thresholds_is_refused() -> None:
    true = random_poses(["a"])
    row = score_conditions(true, {"all": true}, [Threshold(1, 1)], FAST)
    assert mean_over_scenes(row).recalls == (1.0,)
    other = score_conditions(true, {"b": true}, [Threshold(2, 1)], FAST)
    with pytest.raises(HlocLiteError, match="same thresholds"):
        mean_over_scenes({"a": row["all"], **other})
    with pytest.raises(HlocLiteError, match="at least one scene"):
        mean_over_scenes({})
