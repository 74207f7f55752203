"""Truth of retrieval for localization: map images that share landmarks with a query's true image.

A retrieved image helps localization if its landmarks are in the query photo. That is known where
the queries are registered in a model, too, such as the one that gave them their true poses.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hloc_lite.config import Section
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.retrieval_truth import RetrievalTruth
from hloc_lite.scene import SfmImage, SfmModel, visible_points


class CovisibilityConfig(Section):
    """When a map image is right for a query."""

    min_shared: int = Field(15, ge=1, le=100000)
    """Least number of landmarks in both images. 15 is the number of matches that a verified pair of
    map images needs (``geometry.min_inliers``, COLMAP's default): with fewer, not even perfect
    matching would verify the pair."""


def covisible_truth(
    model: SfmModel, queries: Iterable[str], config: CovisibilityConfig | None = None
) -> RetrievalTruth:
    """Map images that share landmarks with each query.

    Args:
        model: model with the map images and the queries. An image that observes a landmark twice
            shares it once.
        queries: names of images of the model; the others are map images.
        config: number of landmarks; default: that of ``CovisibilityConfig``.

    Raises:
        HlocLiteError: a query that the model does not have, or no map images.
    """
    config = config or CovisibilityConfig()
    names = dict.fromkeys(queries)
    asked = [model.image_named(name) for name in names]
    missing = [name for name, image in zip(names, asked, strict=True) if image is None]
    if missing:
        raise HlocLiteError(
            f"{len(missing)} queries are not in the model, first {missing[0]!r}: expected a model "
            f"in which the queries are registered beside the map images"
        )
    mapped = [image for image in model.images if image.name not in names]
    if not mapped:
        raise HlocLiteError("all images of the model are queries: expected map images among them")
    found = [image for image in asked if image is not None]
    shared = (_observations(found, model) @ _observations(mapped, model).T).tocsr()
    positives = {}
    for row, query in enumerate(found):
        start, end = shared.indptr[row : row + 2]
        columns = shared.indices[start:end][shared.data[start:end] >= config.min_shared]
        positives[query.name] = frozenset(mapped[column].name for column in columns)
    return RetrievalTruth(positives, {}, frozenset(image.name for image in mapped))


def _observations(images: list[SfmImage], model: SfmModel) -> csr_matrix:
    """(images, points) ones where an image observes a point."""
    points = [visible_points(image) for image in images]
    starts = np.cumsum([0, *map(len, points)])
    columns = np.concatenate([np.empty(0, np.int64), *points])
    ones = np.ones(len(columns), np.int64)
    return csr_matrix((ones, columns, starts), shape=(len(images), model.num_points))
