"""Which retrieved images a learned matcher is asked about first."""

from __future__ import annotations

import numpy as np

from hloc_lite.localize.lifting import covisibility_clusters
from hloc_lite.localize.query import MatchedQuery
from hloc_lite.types import Float64, Int64


class ImageQueue:
    """Retrieved images in turn: by half of the place that has answered best so far, by half of the
    likeliest place not asked yet.

    A place is what images see common points of. Two streets that look alike answer alike, so a pose
    in one of them is no proof while the other has not been asked; more images of the place that has
    answered are what makes its pose sure.

    Args:
        query: matched with the landmarks of all the images.
    """

    def __init__(self, query: MatchedQuery) -> None:
        self._votes = image_votes(query)
        names = query.hits.names
        self._rows = {name: row for row, name in enumerate(names)}
        points = {name: query.matched[name][1] for name in names if name in query.matched}
        self._places = np.arange(len(names))
        for cluster in covisibility_clusters(points):
            rows = [self._rows[name] for name in cluster]
            self._places[rows] = rows[0]
        self._is_left = np.ones(len(names), bool)
        self._is_asked = np.zeros(len(names), bool)
        """Of each place, by its number."""
        self._answers = np.zeros(len(names))
        """Of each place the most votes that the matcher has given one of its images."""

    def next(self, count: int) -> Int64:
        """Rows of so many images to match next; there must be as many left."""
        return np.array([self._take() for _ in range(count)], np.int64)

    def _take(self) -> int:
        fresh = self._is_left & ~self._is_asked[self._places]
        answers = np.where(self._is_left, self._answers[self._places], -1.0)
        explores = (~self._is_left).sum() % 2 == 1 or answers.max() <= 0
        candidates = fresh if explores and fresh.any() else answers == answers.max()
        row = int(np.argmax(np.where(candidates, self._votes, -1.0)))
        self._is_left[row], self._is_asked[self._places[row]] = False, True
        return row

    def answered(self, found: MatchedQuery) -> None:
        """What the matcher found in images that were chosen."""
        for name, votes in zip(found.hits.names, image_votes(found), strict=True):
            place = self._places[self._rows[name]]
            self._answers[place] = max(self._answers[place], votes)


def image_votes(query: MatchedQuery) -> Float64:
    """(k,) for each retrieved image the sum of its matches' probabilities."""
    votes = np.zeros(len(query.hits.names))
    for part in query.layers:
        for row, name in enumerate(query.hits.names):
            if name in part.matched:
                votes[row] += part.matched[name][0].scores.sum()
    return votes
