"""The semantic consistency check: exact small cases and invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.config import Confusion, SemanticsConfig
from hloc_lite.consistency.labels import label_windows, pixel_indices
from hloc_lite.consistency.semantic_check import label_agreement, semantic_check
from hloc_lite.types import LabelMap

ROAD, BUILDING, WALL, VEGETATION, SKY, PERSON, CAR = 0, 2, 3, 8, 10, 11, 13
EXACT = SemanticsConfig(
    window_px=0, confusable=(), unstable=(), min_share=0, disagreement_factor=0.1
)
ROW = LabelMap(np.array([[SKY, BUILDING, ROAD, 255, CAR]], np.uint8), (5, 1))
CENTRES = np.array([[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [3.5, 0.5], [4.5, 0.5]])


def check(points, labels, shares=None, config=EXACT, query=ROW):
    labels = np.array(labels, np.uint8)
    shares = np.ones(len(labels)) if shares is None else np.array(shares)
    return semantic_check(np.asarray(points), query, labels, shares.astype(np.float32), config)


def hard(**changes):
    return EXACT.model_copy(update={"mode": "hard", **changes})


def test_hard_check_without_tolerance_is_equality():
    cue = check(CENTRES, [SKY, ROAD, ROAD, ROAD, 255], config=hard())
    assert cue.name == "semantics"
    assert cue.factors.tolist() == [1, 0, 1, 1, 1]
    assert cue.touched.tolist() == [True, True, True, False, False]


def test_soft_check_follows_shares_and_compatibility():
    config = EXACT.model_copy(
        update={"confusable": (Confusion(classes=("building", "wall"), compatibility=0.6),)}
    )
    cue = check([CENTRES[1]] * 5, [BUILDING, WALL, ROAD, ROAD, ROAD], [1, 1, 1, 0.5, 0], config)
    # 1 - share * 0.9 * (1 - compatibility)
    assert np.allclose(cue.factors, [1, 1 - 0.9 * 0.4, 0.1, 0.55, 1])
    assert cue.touched.all()


def test_hard_check_applies_min_compatibility():
    confusable = (Confusion(classes=("building", "wall"), compatibility=0.6),)
    points, labels = [CENTRES[1]], [WALL]
    assert check(points, labels, config=hard(confusable=confusable)).factors[0] == 1
    strict = hard(confusable=confusable, min_compatibility=0.7)
    assert check(points, labels, config=strict).factors[0] == 0


def test_landmarks_below_min_share_are_neutral():
    config = EXACT.model_copy(update={"min_share": 0.5})
    cue = check([CENTRES[1]] * 2, [ROAD, ROAD], [0.49, 0.5], config)
    assert cue.touched.tolist() == [False, True] and cue.factors[0] == 1


def test_unstable_classes_never_agree():
    config = hard(unstable=("sky", "car"))
    cue = check(CENTRES[[0, 4, 1]], [SKY, CAR, BUILDING], config=config)
    assert cue.factors.tolist() == [0, 0, 1]


@pytest.mark.parametrize(("side", "reach"), [(20, 1), (64, 3), (128, 6)])
def test_tolerance_at_a_border_grows_with_the_image(side, reach):
    labels = np.full((side, side), SKY, np.uint8)
    border = side // 2
    labels[:, border:] = BUILDING
    config = hard(window_px=3, reference_side_px=64)
    columns = np.arange(border - reach - 1, border + 1)
    points = [[x + 0.5, border + 0.5] for x in columns]
    cue = check(points, [BUILDING] * len(points), None, config, LabelMap(labels, (side, side)))
    assert cue.factors.tolist() == [0] + [1] * (reach + 1)


def test_points_outside_or_not_finite_are_neutral():
    cue = check([[-1, 0.5], [9, 0.5], [np.nan, 0.5]], [ROAD] * 3, config=hard())
    assert not cue.touched.any() and (cue.factors == 1).all()


def test_no_matches():
    cue = check(np.zeros((0, 2)), [])
    assert cue.factors.shape == cue.touched.shape == (0,)


def test_shared_windows_give_the_same():
    config = SemanticsConfig(window_px=60)
    labels, shares = np.array([0, 2, 8, 10, 13], np.uint8), np.ones(5, np.float32)
    direct = semantic_check(CENTRES, ROW, labels, shares, config)
    shared = semantic_check(CENTRES, label_windows(ROW, config), labels, shares, config)
    assert np.array_equal(direct.factors, shared.factors)


def random_case(seed):
    rng = np.random.default_rng(seed)
    values = np.array([*range(19), 255], np.uint8)
    labels = np.repeat(np.repeat(rng.choice(values, (5, 7)), 6, axis=0), 6, axis=1)
    label_map = LabelMap(labels, (84, 60))
    points = rng.uniform(-5, 90, (40, 2))
    return rng, label_map, points, rng.choice(values, 40), rng.uniform(0, 1, 40).astype(np.float32)


CONFIGS = st.builds(
    SemanticsConfig,
    window_px=st.sampled_from([0, 3, 20, 60]),
    mode=st.sampled_from(["soft", "hard"]),
    disagreement_factor=st.sampled_from([0.05, 0.5, 1.0]),
    min_share=st.sampled_from([0.0, 0.5]),
)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), CONFIGS)
def test_rows_are_independent_and_in_range(seed, config):
    rng, label_map, points, labels, shares = random_case(seed)
    cue = semantic_check(points, label_map, labels, shares, config)
    assert ((cue.factors >= 0) & (cue.factors <= 1)).all()
    assert (cue.factors[~cue.touched] == 1).all()
    order = rng.permutation(len(points))
    again = semantic_check(points[order], label_map, labels[order], shares[order], config)
    assert np.array_equal(again.factors, cue.factors[order])
    assert np.array_equal(again.touched, cue.touched[order])


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 5, 30]), st.sampled_from([1, 10]))
def test_wider_windows_never_agree_less(seed, window_px, more_px):
    _, label_map, points, labels, _ = random_case(seed)
    agreements = []
    for window in (window_px, window_px + more_px):
        config = SemanticsConfig(window_px=window, reference_side_px=84)
        agreements.append(label_agreement(points, label_windows(label_map, config), labels, config))
    assert np.array_equal(np.isnan(agreements[0]), np.isnan(agreements[1]))
    assert (np.nan_to_num(agreements[1]) >= np.nan_to_num(agreements[0])).all()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_check_without_tolerance_is_equality(seed):
    _, label_map, points, labels, shares = random_case(seed)
    cue = semantic_check(points, label_map, labels, shares, hard())
    rows, columns = pixel_indices(label_map, points)
    found = np.where(rows >= 0, label_map.labels[rows, columns], 255)
    known = (found < 19) & (labels < 19)
    assert np.array_equal(cue.touched, known)
    assert np.array_equal(cue.factors, np.where(known, found == labels, 1))


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_unknown_label_maps_are_neutral(mode):
    config = SemanticsConfig(mode=mode)
    unknown = LabelMap(np.full((4, 4), 255, np.uint8), (4, 4))
    cue = check([[1, 1], [2, 2]], [ROAD, CAR], None, config, unknown)
    assert (cue.factors == 1).all() and not cue.touched.any()
