"""Global descriptors of the map's images, and the pairs they suggest."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from hloc_lite.mapping.pairs import Pair, choose_pairs, parse_spec
from hloc_lite.mapping.run import Run
from hloc_lite.mapping.stages import prefetch
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import Float32, RetrievalHits

logger = logging.getLogger(__name__)


def global_descriptors(run: Run, names: Sequence[str]) -> Float32:
    """(M, D) unit rows of the images in order; what the descriptor has to learn (a vocabulary) it
    learns first, from a seeded sample of them."""
    config, describer = run.config.retrieval, run.models.describer
    rng = np.random.default_rng(config.seed)
    count = min(len(names), config.vocabulary_images)
    sample = [names[row] for row in sorted(rng.choice(len(names), count, replace=False))]
    describer.fit([run.source.load(name) for name in sample])
    photos = prefetch(run.source.load, names, ahead=2)
    bar = tqdm(photos, "retrieval", len(names), unit="image", disable=not run.progress)
    return np.concatenate([describer.describe([photo]) for photo in bar])


def choose(run: Run, names: Sequence[str], descriptors: Float32) -> list[Pair]:
    """The pairs of images to match, as the config asks."""

    def retrieve(k: int) -> Sequence[RetrievalHits]:
        return RetrievalIndex(names, descriptors).search(descriptors, k, exclude=names)

    reference = run.inputs.reference
    spec = parse_spec(run.config.pairs, len(names), reference)
    pairs = choose_pairs(spec, names, run.config.pairs, reference, retrieve)
    logger.info("%d pairs of %d images (%s)", len(pairs), len(names), spec.kind)
    return pairs
