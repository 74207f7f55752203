"""Global descriptors of the map's images, and the pairs they suggest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from hloc_lite.mapping.pairs import Pair, choose_pairs, parse_spec
from hloc_lite.mapping.run import Run
from hloc_lite.mapping.stages import prefetch
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import Float32, Photo, RetrievalHits

logger = logging.getLogger(__name__)


class _Photos(Sequence[Photo]):
    """The images, loaded when indexed."""

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        self._run, self._names = run, names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        return self._run.source.load(self._names[index])


def global_descriptors(run: Run, names: Sequence[str]) -> Float32:
    """(M, D) unit rows of the images in order; what the descriptor has to learn (a vocabulary) it
    learns first."""
    describer = run.models.describer
    describer.fit(_Photos(run, names))
    photos = prefetch(run.source.load, names, ahead=2)
    bar = tqdm(photos, "retrieval", len(names), unit="image", disable=not run.progress)
    return np.concatenate([describer.describe([photo]) for photo in bar])


def choose(run: Run, names: Sequence[str], descriptors: Float32) -> list[Pair]:
    """The pairs of images to match, as the config asks."""

    def retrieve(k: int) -> Sequence[RetrievalHits]:
        return RetrievalIndex(names, descriptors).search(descriptors, k, exclude=names)

    reference = run.inputs.reference
    spec = parse_spec(run.config.pairs, len(names), reference)
    pairs = choose_pairs(
        spec, names, run.config.pairs, reference, retrieve, listed=run.source.names
    )
    logger.info("%d pairs of %d images (%s)", len(pairs), len(names), spec.kind)
    return pairs
