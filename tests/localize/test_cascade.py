"""Coarse-to-fine matching: the order in which images are matched, and what the steps yield."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.clock import StageClock
from hloc_lite.localize.cascade import (
    ImageQueue,
    ImageTiming,
    MatchingStep,
    image_scores,
    matching_steps,
)
from hloc_lite.localize.query import ImageMatches, MapMatches
from hloc_lite.maps.map import Map
from hloc_lite.types import LocalFeatures, Matches, Photo, RetrievalHits
from tests.exact_scene import ExactScene
from tests.localize.localizers import make_matcher, make_pipeline, query_config

FEATURES = LocalFeatures(np.zeros((9, 2)), np.ones((9, 4)), np.ones(9), (10, 10))


def landmark_matches(clusters: list[int], scores: list[int]) -> MapMatches:
    """Images a, b, c, ... of numbered clusters, each with so many matches of score 1."""
    names = tuple(chr(ord("a") + row) for row in range(len(clusters)))
    by_image = {}
    for name, cluster, number in zip(names, clusters, scores, strict=True):
        indices = np.stack([np.arange(number), np.zeros(number, int)], axis=1)
        matches = Matches(indices, np.ones(number))
        by_image[name] = ImageMatches(matches, np.array([100 * cluster]))
    hits = RetrievalHits(names, np.linspace(1, 0.5, len(names)))
    return MapMatches(FEATURES, hits, by_image, False)


def record(queue: ImageQueue, retrieved: MapMatches, rows: list[int], scores: list[int]) -> None:
    """Tell the queue what the matcher has found in some of the images."""
    hits = retrieved.hits.subset(np.array(rows))
    alike = landmark_matches([0] * len(rows), scores).by_image.values()
    found = MapMatches(FEATURES, hits, dict(zip(hits.names, alike, strict=True)), True)
    queue.record(hits, [found])


def test_two_clusters_are_tried_before_one_is_tried_twice() -> None:
    retrieved = landmark_matches([1, 1, 2, 2, 3], [9, 8, 5, 4, 3])
    assert image_scores(retrieved.hits, [retrieved]).tolist() == [9, 8, 5, 4, 3]
    queue = ImageQueue(retrieved.hits, [retrieved])
    assert queue.next(2).tolist() == [0, 2]
    record(queue, retrieved, [0, 2], [1, 7])
    assert queue.next(2).tolist() == [3, 4], "the cluster that matched best, and a new one"
    record(queue, retrieved, [3, 4], [2, 0])
    assert queue.next(1).tolist() == [1]


def test_the_order_is_the_same_one_by_one() -> None:
    retrieved = landmark_matches([1, 1, 2, 2, 3], [9, 8, 5, 4, 3])
    queue = ImageQueue(retrieved.hits, [retrieved])
    order = []
    for score in (1, 7, 2, 0, 0):
        order += queue.next(1).tolist()
        record(queue, retrieved, order[-1:], [score])
    assert order == [0, 2, 3, 4, 1]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=9),
    st.lists(st.integers(0, 9), min_size=9, max_size=9),
    st.integers(1, 4),
)
def test_each_image_is_taken_once(
    images: list[tuple[int, int]], found: list[int], num_per_step: int
) -> None:
    retrieved = landmark_matches([cluster for cluster, _ in images], [score for _, score in images])
    queue = ImageQueue(retrieved.hits, [retrieved])
    taken: list[int] = []
    while len(taken) < len(images):
        rows = queue.next(min(num_per_step, len(images) - len(taken))).tolist()
        taken += rows
        record(queue, retrieved, rows, [found[row] for row in rows])
    assert sorted(taken) == list(range(len(images)))


def all_steps(scene: ExactScene, sfm_map: Map, *settings: str) -> list[MatchingStep]:
    """All steps of a query, as if no pose were ever good enough."""
    config = query_config(sfm_map, settings)
    matcher = make_matcher(sfm_map, config, is_learned=True)
    pipeline = make_pipeline(sfm_map, *settings, matcher=matcher)
    query, hits = pipeline.describe(Photo("query", scene.image(3)), scene.camera)
    clock = StageClock()
    return list(matching_steps(query, hits, [matcher], config.cascade, ImageTiming(), clock))


def test_each_step_adds_to_the_matches_of_those_before(scene: ExactScene, sfm_map: Map) -> None:
    settings = ("cascade.num_initial_images=2", "cascade.images_per_step=2", "cascade.max_images=3")
    steps = all_steps(scene, sfm_map, *settings)
    assert [step.num_images for step in steps] == [0, 0, 2, 3]
    assert [len(step.matches[0].by_image) for step in steps] == [2, 6, 6, 6]
    assert [step.accept_above for step in steps] == [0.95, 0.95, None, None]
    assert [step.matches[0].is_learned for step in steps] == [False, False, True, True]
    totals = [sum(len(m.matches) for m in s.matches[0].by_image.values()) for s in steps]
    assert totals == sorted(set(totals)), "every step has more matches than the one before"
    assert [step.remaining for step in steps] == [
        ("landmarks of 4 more images", "images by the matcher"),
        ("3 images by the matcher",),
        ("1 images by the matcher",),
        (),
    ]


def test_few_retrieved_images_make_one_landmark_step(scene: ExactScene, sfm_map: Map) -> None:
    steps = all_steps(scene, sfm_map, "cascade.max_images=0")
    assert [step.num_images for step in steps] == [0]
    assert steps[0].remaining == () and len(steps[0].matches[0].by_image) == 6
