"""Cameras that hang on the rest of a model by few common points.

Where two groups of photos do not overlap, chance finds some matches that fit a geometry, and the
groups come to lie anywhere. Inside each group everything is right: only the link is weak. It has
few points, or pairs of which other matches contradict the poses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components

from hloc_lite.config import ScratchConfig
from hloc_lite.mapping.pairs import Pair
from hloc_lite.scene import SfmModel, visible_points
from hloc_lite.types import Int64


def weakly_linked(model: SfmModel, agreeing: Iterable[Pair], min_points: int) -> dict[str, int]:
    """Images outside the largest group that strong links hold together.

    Args:
        agreeing: pairs whose matches agree with the model; only they can be strong links.
        min_points: points that two images share, from which on they are strongly linked.

    Returns:
        Name -> most points that the image shares with an image of the largest group.
    """
    shared = _shared_points(model)
    labels = _groups(model, shared, agreeing, min_points)
    largest = labels == np.argmax(np.bincount(labels))
    to_largest = shared[:, np.flatnonzero(largest)].max(axis=1).toarray().ravel()
    return {
        image.name: int(to_largest[row])
        for row, image in enumerate(model.images)
        if not largest[row]
    }


def strongly_linked_groups(
    model: SfmModel, agreeing: Iterable[Pair], min_points: int
) -> list[set[str]]:
    """Names of the images of each group that strong links hold together, the largest group first.

    Args:
        agreeing: as in ``weakly_linked``.
        min_points: as in ``weakly_linked``.
    """
    groups: dict[int, set[str]] = {}
    labels = _groups(model, _shared_points(model), agreeing, min_points)
    for image, label in zip(model.images, labels.tolist(), strict=True):
        groups.setdefault(label, set()).add(image.name)
    return sorted(groups.values(), key=lambda names: (-len(names), min(names)))


def link_bound(model: SfmModel, min_points: int, rules: ScratchConfig) -> int:
    """Points that a strong link needs in this model.

    The more points neighbours share, the more of them chance finds between places that look alike.

    Args:
        min_points: points that it needs in any model.
        rules: ``link_share`` and ``max_link_points``.
    """
    shared = _shared_points(model)
    with_others = shared - diags(shared.diagonal())
    typical = float(np.median(with_others.max(axis=1).toarray()))
    return max(min_points, min(round(rules.link_share * typical), rules.max_link_points))


def _shared_points(model: SfmModel) -> Any:
    """(I, I) sparse numbers of points that two images share."""
    observed = [visible_points(image) for image in model.images]
    rows = np.repeat(np.arange(len(observed)), [len(points) for points in observed])
    columns = np.concatenate([np.empty(0, np.int64), *observed])
    shape = (len(observed), max(1, model.num_points))
    incidence = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    return incidence @ incidence.T


def _groups(model: SfmModel, shared: Any, agreeing: Iterable[Pair], min_points: int) -> Int64:
    """(I,) number of the group of each image."""
    row_of = {image.name: row for row, image in enumerate(model.images)}
    rows = [(row_of[first], row_of[second]) for first, second in agreeing]
    strong = np.array([pair for pair in rows if shared[pair] >= min_points], np.int64).reshape(
        -1, 2
    )
    links = csr_matrix((np.ones(len(strong)), (strong[:, 0], strong[:, 1])), shape=shared.shape)
    labels: Int64 = connected_components(links, directed=False)[1]
    return labels
