"""Majority labels of landmarks, re-ranking by agreement, and the cue ``view_semantics``."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.config import SemanticsConfig
from hloc_lite.consistency.labels import label_windows
from hloc_lite.consistency.landmark_labels import (
    LandmarkLabels,
    label_landmarks,
    landmark_weights,
)
from hloc_lite.consistency.semantic_rerank import (
    labelled_counts,
    rerank,
    semantic_consistency_weights,
)
from hloc_lite.consistency.view_semantics import (
    PoseLabelAgreement,
    pose_label_agreement,
    view_semantics_cue,
)
from hloc_lite.scene import SfmImage, SfmModel, visible_points
from hloc_lite.types import Camera, LabelMap, PutativeMatches, RetrievalHits, Rigid3

ROAD, BUILDING, VEGETATION, SKY, PERSON, CAR = 0, 2, 8, 10, 11, 13
CAMERA = Camera("SIMPLE_PINHOLE", 100, 100, np.array([100.0, 50.0, 50.0]))
POINTWISE = SemanticsConfig(window_px=0)


def model_of(observations, num_points):
    """One image per list of (x, y, point)."""
    images = [
        SfmImage(
            i,
            f"{i}.jpg",
            1,
            Rigid3.identity(),
            np.array([o[:2] for o in observed], float).reshape(-1, 2),
            np.array([o[2] for o in observed], np.int64),
        )
        for i, observed in enumerate(observations)
    ]
    return SfmModel(
        {1: CAMERA},
        tuple(images),
        np.arange(num_points),
        np.zeros((num_points, 3)),
        np.zeros((num_points, 3), np.uint8),
        np.zeros(num_points),
    )


def plain_map(label):
    return LabelMap(np.full((100, 100), label, np.uint8), (100, 100))


def test_majority_and_share_over_observations():
    model = model_of([[(5, 5, 0), (50, 5, 1), (9, 9, -1)], [(5, 5, 0)], [(5, 5, 0), (3, 3, 2)]], 4)
    maps = {"0.jpg": plain_map(BUILDING), "1.jpg": plain_map(VEGETATION)}
    maps["2.jpg"] = plain_map(BUILDING)
    landmarks = label_landmarks(model, maps.get, POINTWISE)
    assert landmarks.labels.tolist() == [BUILDING, BUILDING, BUILDING, 255]
    assert np.allclose(landmarks.shares, [2 / 3, 1, 1, 0])


def test_unknown_labels_and_missing_maps_do_not_count():
    model = model_of([[(5, 5, 0), (5, 5, 1)], [(5, 5, 0)], [(5, 5, 0)]], 2)
    maps = {"0.jpg": plain_map(255), "1.jpg": plain_map(CAR)}
    landmarks = label_landmarks(model, maps.get, POINTWISE)
    assert landmarks.labels.tolist() == [CAR, 255]
    assert landmarks.shares.tolist() == [1, 0]


def test_ties_go_to_the_smaller_id():
    model = model_of([[(5, 5, 0)], [(5, 5, 0)]], 1)
    maps = {"0.jpg": plain_map(VEGETATION), "1.jpg": plain_map(ROAD)}
    landmarks = label_landmarks(model, maps.get, POINTWISE)
    assert (landmarks.labels[0], landmarks.shares[0]) == (ROAD, 0.5)


def test_landmarks_on_the_skyline_are_not_sky():
    labels = np.full((100, 100), SKY, np.uint8)
    labels[:, 50:] = BUILDING
    config = SemanticsConfig(window_px=3, reference_side_px=100)
    points = [(52.5, 50.5, 0), (48.5, 50.5, 1), (46.5, 50.5, 2), (30.5, 50.5, 3)]
    landmarks = label_landmarks(
        model_of([points], 4), lambda _: LabelMap(labels, (100, 100)), config
    )
    assert landmarks.labels.tolist() == [BUILDING, BUILDING, SKY, SKY]
    assert landmarks.shares.tolist() == [1, 1, 1, 1]


def test_observations_on_a_border_are_divided():
    labels = np.full((100, 100), ROAD, np.uint8)
    labels[:, 50:] = BUILDING
    config = SemanticsConfig(window_px=2, reference_side_px=100)
    model = model_of([[(50.5, 50.5, 0), (0.5, 0.5, 1)]], 2)
    landmarks = label_landmarks(model, lambda _: LabelMap(labels, (100, 100)), config)
    assert landmarks.labels.tolist() == [BUILDING, ROAD]
    assert np.allclose(landmarks.shares, [3 / 5, 1])  # pixels outside the image do not count


def test_wide_windows_are_sampled_evenly():
    labels = np.full((1000, 1000), ROAD, np.uint8)
    labels[:, 500:] = BUILDING
    config = SemanticsConfig(window_px=100, reference_side_px=1000)
    model = model_of([[(540.5, 500.5, 0)]], 1)
    share = label_landmarks(model, lambda _: LabelMap(labels, (1000, 1000)), config).shares[0]
    assert share == pytest.approx(141 / 201, abs=0.06)


def test_label_maps_are_loaded_once_and_only_if_needed():
    loaded = []
    model = model_of([[(5, 5, 0), (6, 6, 1)], [(5, 5, -1)], []], 2)
    label_landmarks(model, lambda name: loaded.append(name), POINTWISE)
    assert loaded == ["0.jpg"]


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [("keep", [1, 1, 1, 1]), ("weight", [1, 0.2, 0.2, 1]), ("drop", [1, 0, 0, 1])],
)
def test_weights_of_unstable_landmarks(treatment, expected):
    landmarks = LandmarkLabels(
        np.array([BUILDING, CAR, SKY, CAR], np.uint8), np.array([1, 0.9, 0.5, 0.4], np.float32)
    )
    config = SemanticsConfig(unstable_landmarks=treatment, unstable_weight=0.2)
    result = landmark_weights(landmarks, config)
    assert result.weights.tolist() == expected
    assert result.counts == {
        "landmarks": 4, "labelled": 3, "unstable": 2, "dropped": 2 * (treatment == "drop"),
        "unstable: sky": 1, "unstable: car": 1,
    }  # fmt: skip


def matches_of(hit_idxs):
    rows, hit_idxs = np.arange(len(hit_idxs)), np.array(hit_idxs, np.int64)
    return PutativeMatches(rows, rows, hit_idxs, np.ones(len(rows)), np.zeros((len(rows), 3)))


def test_consistency_weight_is_a_smoothed_share():
    matches = matches_of([0, 0, 0, 0, 1, 1, 3])
    agreement = np.array([1, 1, 1, 0, 0, np.nan, np.nan])
    weights = semantic_consistency_weights(matches, agreement, 4)
    assert np.allclose(weights, [4 / 6, 1 / 3, 1 / 2, 1 / 2])
    assert labelled_counts(matches, agreement, 4).tolist() == [4, 1, 0, 0]


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 0.5, 1, None])), max_size=40),
    st.randoms(),
)
def test_order_of_matches_has_no_effect(rows, random):
    def weights(rows):
        values = np.array([np.nan if a is None else a for _, a in rows], float)
        return semantic_consistency_weights(matches_of([h for h, _ in rows]), values, 5)

    shuffled = list(rows)
    random.shuffle(shuffled)
    assert np.allclose(weights(rows), weights(shuffled))
    assert ((weights(rows) > 0) & (weights(rows) < 1)).all()


def hits_of(*similarities):
    return RetrievalHits(tuple(f"{i}.jpg" for i in range(len(similarities))), similarities)


def weights_of(counts, agreeing):
    return (np.array(agreeing) + 1) / (np.array(counts) + 2)


def test_rerank_prefers_agreement():
    counts = np.array([20, 20, 20])
    order = rerank(
        hits_of(0.8, 0.79, 0.78), weights_of(counts, [4, 16, 18]), counts, SemanticsConfig()
    )
    assert order.tolist() == [2, 1, 0]


def test_images_with_few_matches_keep_their_rank():
    counts = np.array([9, 30, 5, 30])
    order = rerank(
        hits_of(0.8, 0.7, 0.7, 0.7), weights_of(counts, [0, 3, 5, 29]), counts, SemanticsConfig()
    )
    assert order.tolist() == [0, 3, 2, 1]
    none = rerank(hits_of(0.8, 0.7), np.array([0.1, 0.9]), np.array([9, 9]), SemanticsConfig())
    assert none.tolist() == [0, 1]


def test_rerank_exponents():
    counts = np.array([100, 10])
    weights = weights_of(counts, [50, 9])

    def order(**exponents):
        zero = dict.fromkeys(("similarity", "consistency", "count"), 0.0) | exponents
        config = SemanticsConfig(**{f"rerank_{k}_exponent": v for k, v in zero.items()})
        return rerank(hits_of(0.5, 0.4), weights, counts, config).tolist()

    assert order() == [0, 1]  # all equal: the order stays
    assert order(similarity=1) == [0, 1]
    assert order(consistency=1) == [1, 0]
    assert order(count=1) == [0, 1]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 40), st.floats(0, 1)), max_size=12))
def test_rerank_is_a_permutation(rows):
    counts = np.array([n for _, n, _ in rows], np.int64)
    weights = weights_of(counts, [round(n * s) for _, n, s in rows])
    similarities = sorted((s for s, _, _ in rows), reverse=True)
    order = rerank(hits_of(*similarities), weights, counts, SemanticsConfig())
    assert sorted(order) == list(range(len(rows)))
    fixed = np.flatnonzero(counts < 10)
    assert np.array_equal(order[fixed], fixed)


def test_agreement_counts_landmarks_on_their_own_label():
    labels = np.full((100, 100), BUILDING, np.uint8)
    labels[:, 50:] = VEGETATION
    labels[:10] = 255
    query = label_windows(LabelMap(labels, (100, 100)), POINTWISE)
    xyz = np.array(
        [[-1, 0, 5], [1, 0, 5], [1, 0, 5], [-1, 0, 5], [0, -2.2, 5], [9, 0, 5], [0, 0, -5]], float
    )
    point_labels = np.array([BUILDING, VEGETATION, BUILDING, 255, BUILDING, BUILDING, BUILDING])
    found = pose_label_agreement(
        Rigid3.identity(), CAMERA, xyz, point_labels.astype(np.uint8), query, POINTWISE
    )
    # unknown labels, points outside the image and behind the camera are not compared
    assert found == PoseLabelAgreement(2, 3)
    assert found.share == pytest.approx(2 / 3)
    turned = Rigid3(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))
    wrong = pose_label_agreement(
        turned, CAMERA, xyz[:3], point_labels[:3].astype(np.uint8), query, POINTWISE
    )
    assert wrong == PoseLabelAgreement(1, 3)
    nothing = pose_label_agreement(turned, CAMERA, xyz[:0], np.zeros(0, np.uint8), query, POINTWISE)
    assert (nothing, nothing.share) == (PoseLabelAgreement(0, 0), 0.0)


def test_matches_take_the_agreement_of_their_image():
    matches = matches_of([0, 1, 2, 1])
    config = SemanticsConfig(disagreement_factor=0.1)
    cue = view_semantics_cue(
        matches, [PoseLabelAgreement(40, 50), PoseLabelAgreement(10, 10), None], config
    )
    assert cue.name == "view_semantics"
    assert np.allclose(cue.factors, [1, 0.325, 0.1, 0.325]) and cue.touched.all()
    neutral = view_semantics_cue(matches, [None, PoseLabelAgreement(0, 9), None], config)
    assert (neutral.factors == 1).all() and not neutral.touched.any()
    assert len(view_semantics_cue(matches_of([]), [], config).factors) == 0


def test_visible_points_of_a_map_image():
    image = model_of([[(1, 1, 7), (2, 2, -1), (3, 3, 2), (4, 4, 7)]], 8).images[0]
    assert visible_points(image).tolist() == [2, 7]
