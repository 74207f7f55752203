"""Semantic labels of a map's points, when a segmenter is configured."""

from __future__ import annotations

import logging

from tqdm import tqdm

from hloc_lite.consistency.landmark_labels import LandmarkLabels, label_landmarks
from hloc_lite.errors import HlocLiteError
from hloc_lite.mapping.run import Run
from hloc_lite.registry import Segmenter
from hloc_lite.types import LabelMap, SfmModel

logger = logging.getLogger(__name__)


def labelled_landmarks(run: Run, model: SfmModel, segmenter: Segmenter) -> LandmarkLabels:
    """The labels that the map's images give its points."""
    with tqdm(
        total=len(model.images), desc="labels", unit="image", disable=not run.progress
    ) as bar:

        def labels_of(name: str) -> LabelMap | None:
            bar.update()
            try:
                return segmenter.segment([run.source.load(name)])[0]
            except HlocLiteError as error:
                logger.warning("%r goes without labels: %s", name, error)
                return None

        return label_landmarks(model, labels_of, run.config.semantics)
