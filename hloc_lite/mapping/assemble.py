"""The finished Map from what the stages left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.map import Map, StoredFeatures
from hloc_lite.mapping.run import Run
from hloc_lite.types import NO_POINT, Float32, SfmModel


def colored(model: SfmModel, features: ShardedStore) -> SfmModel:
    """The model with each point in the mean colour of its keypoints."""
    total = np.zeros((model.num_points, 3))
    count = np.zeros(model.num_points)
    for image in model.images:
        seen = image.point3D_idxs != NO_POINT
        rows = image.point3D_idxs[seen]
        np.add.at(total, rows, features.read(image.name, ["rgb"])["rgb"][seen])
        np.add.at(count, rows, 1)
    rgb = np.rint(total / np.maximum(count, 1)[:, None]).astype(np.uint8)
    return replace(model, rgb=rgb)


def assemble(
    run: Run,
    model: SfmModel,
    features: ShardedStore,
    names: Sequence[str],
    descriptors: Float32,
    made_from: str,
    report: Mapping[str, Any],
    labels: LandmarkLabels | None = None,
) -> Map:
    """The map of the registered images.

    Args:
        names: of the images in the order of the (M, D) ``descriptors``.
    """
    registered = {image.name for image in model.images}
    rows = [row for row, name in enumerate(names) if name in registered]
    return Map(
        model=model,
        features=StoredFeatures(features),
        global_names=tuple(names[row] for row in rows),
        global_descriptors=descriptors[rows],
        retrieval_state=run.models.describer.state(),
        config=run.config,
        fingerprint=made_from,
        weights=run.models.weights,
        report=report,
        landmark_labels=labels,
    )
