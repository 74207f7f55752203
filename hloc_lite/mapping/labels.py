"""Semantic labels of the map points, where a segmenter is configured."""

from __future__ import annotations

import logging

from tqdm import tqdm

from hloc_lite.consistency.landmark_labels import LandmarkLabels, label_landmarks
from hloc_lite.errors import HlocLiteError
from hloc_lite.mapping.run import Run
from hloc_lite.protocols import Segmenter
from hloc_lite.scene import SfmModel
from hloc_lite.types import LabelMap

logger = logging.getLogger(__name__)


def label_map_points(run: Run, model: SfmModel, segmenter: Segmenter) -> LandmarkLabels:
    """Segment the map images, and give each point the majority label of its observations."""
    num_images, quiet = len(model.images), not run.progress
    with tqdm(total=num_images, desc="labels", unit="image", disable=quiet) as bar:

        def labels_of(name: str) -> LabelMap | None:
            bar.update()
            try:
                return segmenter.segment([run.source.load(name)])[0]
            except HlocLiteError as error:
                logger.warning("no labels for %r: %s", name, error)
                return None

        return label_landmarks(model, labels_of, run.config.semantics)
