"""Semantic consistency weight of retrieved images: how many of their matches agree in label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hloc_lite.config import SemanticsConfig
from hloc_lite.types import Float64, Int64, PutativeMatches, RetrievalHits


def semantic_consistency_weights(
    sightings: PutativeMatches, agreement: npt.NDArray[np.floating], num_hits: int
) -> Float64:
    """(num_hits,) smoothed share (n_ok + 1) / (n + 2) of agreeing matches; 0.5 without any.

    Args:
        agreement: (R,) of ``label_agreement``: in [0, 1], NaN where it says nothing.
    """
    hits, values = _known(sightings, agreement)
    agreeing = np.bincount(hits, values, minlength=num_hits)
    return (agreeing + 1) / (np.bincount(hits, minlength=num_hits) + 2)


def labelled_counts(
    sightings: PutativeMatches, agreement: npt.NDArray[np.floating], num_hits: int
) -> Int64:
    """(num_hits,) matches of each retrieved image of which labels say something."""
    return np.bincount(_known(sightings, agreement)[0], minlength=num_hits)


def rerank(
    hits: RetrievalHits,
    weights: npt.NDArray[np.floating],
    counts: npt.NDArray[np.integer],
    config: SemanticsConfig,
) -> Int64:
    """(k,) indices of the hits, best first: by similarity^a weight^b ln(1 + n_ok)^c.

    Images with fewer than ``rerank_min_matches`` labelled matches keep their place: the others are
    ordered among the places that are left.

    Args:
        weights: (k,) of ``semantic_consistency_weights``.
        counts: (k,) of ``labelled_counts``.
    """
    weights, counts = np.asarray(weights, np.float64), np.asarray(counts)
    agreeing = np.maximum(weights * (counts + 2) - 1, 0)
    similarities = np.maximum(hits.similarities.astype(np.float64), 1e-6)
    scores = similarities**config.rerank_similarity_exponent
    scores *= weights**config.rerank_consistency_exponent
    scores *= np.log1p(agreeing) ** config.rerank_count_exponent
    places = np.flatnonzero(counts >= config.rerank_min_matches)
    order = np.arange(len(hits.names))
    order[places] = places[np.argsort(-scores[places], kind="stable")]
    return order


def _known(
    sightings: PutativeMatches, agreement: npt.NDArray[np.floating]
) -> tuple[Int64, Float64]:
    values = np.asarray(agreement, np.float64)
    known = ~np.isnan(values)
    return sightings.hit_idxs[known], values[known]
