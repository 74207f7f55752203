"""Scores of one query: by hand, and against a slow reference on random rankings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import HlocLiteError, ShapeError
from hloc_lite.evaluation.retrieval.average_precision import (
    RankedPositives,
    adaptive_precision_at,
    average_precision_at,
    num_right_at,
    precision_at,
    rank_positives,
    ranking_of,
    recall_at,
    trapezoidal_ap,
)
from hloc_lite.evaluation.retrieval.recognition_gap import recognition_gap
from hloc_lite.formats.google_landmarks import LandmarkPrediction
from tests.evaluation.retrieval import slow_reference as slow

NAMES = [f"i{number}" for number in range(14)]
SETS = st.sets(st.sampled_from(NAMES), max_size=8)
RANKINGS = st.lists(st.sampled_from(NAMES), max_size=25)
COUNTS = st.integers(1, 20)


def ap(ranking: str, positives: str, ignored: str = "") -> float:
    """AP of images named by one letter each."""
    return trapezoidal_ap(rank_positives(ranking, set(positives), set(ignored)))


def test_trapezoids_by_hand() -> None:
    assert ap("ab", "ab") == 1
    # right images at ranks 1 and 3: ((0 + 1/2) / 2 + (1/3 + 2/4) / 2) / 2
    assert ap("xayb", "ab") == pytest.approx((0.25 + 5 / 12) / 2)
    # the second right image is not delivered and adds nothing
    assert ap("a", "ab") == 0.5
    assert ap("", "ab") == 0 and ap("xyz", "ab") == 0


def test_junk_leaves_before_ranks_are_counted() -> None:
    assert ap("jajb", "ab", "j") == 1
    assert ap("jxa", "a", "j") == ap("xa", "a") == 0.25
    assert rank_positives("jxka", {"a"}, {"j", "k"}).ranks == (1,)


def test_a_repeated_image_counts_where_it_first_stands() -> None:
    assert ap("aaxb", "ab") == ap("axb", "ab")
    assert rank_positives("xxxa", {"a"}).ranks == (1,)


def test_only_the_first_image_of_a_unit_stays() -> None:
    ranking = ["p1_a", "p1_b", "p2_a", "p3_b"]
    ranked = rank_positives(ranking, {"p1_b", "p3_b"}, unit_of=lambda name: name[:2])
    assert ranked.ranks == (2,)  # of the first panorama another cutout was better


def test_precisions_by_hand() -> None:
    ranked = RankedPositives((0, 2), 2)
    # the last right image is the third: mP@10 is the precision there
    assert adaptive_precision_at(ranked, 10) == pytest.approx(2 / 3)
    assert adaptive_precision_at(ranked, 2) == 0.5
    # a right image that was not delivered stands below the first ten
    assert adaptive_precision_at(RankedPositives((0, 2), 3), 10) == 0.2
    assert precision_at(ranked, 20) == 0.1
    assert [recall_at(RankedPositives((2,), 1), count) for count in (1, 2, 3)] == [0, 0, 1]
    assert num_right_at(RankedPositives((0, 1, 3, 5), 4), 4) == 3
    assert average_precision_at(RankedPositives((0, 3), 5), 4) == pytest.approx((1 + 2 / 4) / 4)
    assert average_precision_at(RankedPositives((0, 3), 2), 100) == pytest.approx((1 + 2 / 4) / 2)


def test_queries_without_right_images_score_nothing() -> None:
    empty = rank_positives("abc", set())
    assert trapezoidal_ap(empty) == average_precision_at(empty, 5) == recall_at(empty, 5) == 0


@given(RANKINGS, SETS, SETS, COUNTS)
def test_scores_are_those_of_the_slow_reference(ranking, positives, ignored, count) -> None:
    ignored -= positives
    ranked = rank_positives(ranking, positives, ignored)
    kept = slow.clean_ranking(ranking, ignored)
    assert recall_at(ranked, count) == slow.has_right_one(kept, positives, count)
    if positives:
        assert trapezoidal_ap(ranked) == pytest.approx(slow.trapezoid_area(kept, positives))
        assert average_precision_at(ranked, count) == pytest.approx(
            slow.truncated_average_precision(kept, positives, count)
        )
        assert adaptive_precision_at(ranked, count) == pytest.approx(
            slow.adaptive_precision(kept, positives, count)
        )


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, -np.inf]), max_size=30))
def test_ties_keep_the_order_of_the_database(similarities) -> None:
    order = ranking_of(similarities).tolist()
    assert order == sorted(range(len(similarities)), key=lambda row: -similarities[row])
    assert ranking_of([similarities, similarities]).tolist() == [order, order]


def test_similarities_are_checked() -> None:
    with pytest.raises(ShapeError, match="without NaN"):
        ranking_of([0.1, np.nan])
    with pytest.raises(HlocLiteError, match="2 right images were delivered, of 1"):
        RankedPositives((0, 1), 1)


def test_gap_by_hand() -> None:
    landmarks = {"a": {"1"}, "b": {"2", "3"}, "c": set(), "d": {"4"}}
    predictions = {
        "c": LandmarkPrediction("1", 0.9),  # shows none: a wrong one at the top
        "a": LandmarkPrediction("1", 0.8),
        "b": LandmarkPrediction("3", 0.7),
        "d": None,
        "ignored": LandmarkPrediction("1", 5.0),
    }
    assert recognition_gap(predictions, landmarks) == pytest.approx((1 / 2 + 2 / 3) / 3)
    with pytest.raises(HlocLiteError, match="no image of the truth shows a landmark"):
        recognition_gap(predictions, {"a": set()})
    with pytest.raises(HlocLiteError, match="none of the predictions"):
        recognition_gap({"x": None}, landmarks)


@given(
    st.lists(st.tuples(st.sampled_from("123"), st.sets(st.sampled_from("123"))), min_size=1),
    st.randoms(use_true_random=False),
)
def test_gap_is_that_of_the_slow_reference(images, rng) -> None:
    landmarks = {f"q{i}": shown for i, (_, shown) in enumerate(images)}
    scores = rng.sample(range(1000), len(images))
    rows = [(f"q{i}", images[i][0], float(scores[i])) for i in range(len(images))]
    given = {image: LandmarkPrediction(landmark, score) for image, landmark, score in rows}
    if any(landmarks.values()):
        expected = slow.global_average_precision(rows, landmarks)
        assert recognition_gap(given, landmarks) == pytest.approx(expected)
