"""Which images are asked first: of the place that answers best, and of those not asked yet."""

from __future__ import annotations

import numpy as np
from hloc_lite.localize.image_queue import ImageQueue, image_votes
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.localize.query import MatchedQuery
from hloc_lite.types import Camera, LocalFeatures, Matches, Photo, RetrievalHits

CAMERA = Camera("PINHOLE", 10, 10, np.array([8.0, 8, 5, 5]))
FEATURES = LocalFeatures(np.zeros((9, 2)), np.ones((9, 4)), np.ones(9), (10, 10))


def matched(places: list[int], votes: list[int]) -> MatchedQuery:
    """Images a, b, c, ... of numbered places, each with so many matches of probability 1."""
    names = tuple(chr(ord("a") + row) for row in range(len(places)))
    found = {}
    for name, place, number in zip(names, places, votes, strict=True):
        indices = np.stack([np.arange(number), np.zeros(number, int)], axis=1)
        found[name] = Matches(indices, np.ones(number)), np.array([100 * place])
    hits = RetrievalHits(names, np.linspace(1, 0.5, len(names)))
    photo = Photo("query", np.zeros((10, 10, 3), np.uint8))
    return MatchedQuery(photo, CAMERA, True, FEATURES, hits, found)


def answer(query: MatchedQuery, rows: list[int], votes: list[int]) -> MatchedQuery:
    """What the matcher finds in some of the images."""
    names = [query.hits.names[row] for row in rows]
    alike = matched([0] * len(rows), votes)
    found = dict(zip(names, alike.matched.values(), strict=True))
    return MatchedQuery(
        query.photo, CAMERA, True, FEATURES, query.hits.subset(np.array(rows)), found
    )


def test_two_places_are_asked_before_one_is_asked_twice() -> None:
    query = matched([1, 1, 2, 2, 3], [9, 8, 5, 4, 3])
    assert image_votes(query).tolist() == [9, 8, 5, 4, 3]
    queue = ImageQueue(query)
    assert queue.next(2).tolist() == [0, 2]
    queue.answered(answer(query, [0, 2], [1, 7]))
    assert queue.next(2).tolist() == [3, 4], "the place that answered best, and one not asked"
    queue.answered(answer(query, [3, 4], [2, 0]))
    assert queue.next(1).tolist() == [1]


def test_one_by_one_they_come_alike() -> None:
    query = matched([1, 1, 2, 2, 3], [9, 8, 5, 4, 3])
    queue = ImageQueue(query)
    order = []
    for votes in (1, 7, 2, 0, 0):
        order += queue.next(1).tolist()
        queue.answered(answer(query, order[-1:], [votes]))
    assert order == [0, 2, 3, 4, 1]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=9),
    st.lists(st.integers(0, 9), min_size=9, max_size=9),
    st.integers(1, 4),
)
def test_each_image_comes_once(
    images: list[tuple[int, int]], answers: list[int], at_once: int
) -> None:
    query = matched([place for place, _ in images], [votes for _, votes in images])
    queue = ImageQueue(query)
    asked: list[int] = []
    while len(asked) < len(images):
        rows = queue.next(min(at_once, len(images) - len(asked))).tolist()
        asked += rows
        queue.answered(answer(query, rows, [answers[row] for row in rows]))
    assert sorted(asked) == list(range(len(images)))
