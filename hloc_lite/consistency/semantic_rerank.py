"""Re-ranking of retrieved images by the share of their matches that agree in label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hloc_lite.config import SemanticsConfig
from hloc_lite.types import Float64, Int64, PutativeMatches, RetrievalHits


def semantic_consistency_weights(
    matches: PutativeMatches, agreement: npt.NDArray[np.floating], num_hits: int
) -> Float64:
    """(num_hits,) smoothed share (n_ok + 1) / (n + 2) of agreeing matches; 0.5 without matches.

    Args:
        agreement: (R,) result of ``label_agreement``: in [0, 1], NaN if unknown.
    """
    hits, values = _known(matches, agreement)
    agreeing = np.bincount(hits, values, minlength=num_hits)
    return (agreeing + 1) / (np.bincount(hits, minlength=num_hits) + 2)


def labelled_counts(
    matches: PutativeMatches, agreement: npt.NDArray[np.floating], num_hits: int
) -> Int64:
    """(num_hits,) number of matches of each retrieved image whose agreement is known."""
    return np.bincount(_known(matches, agreement)[0], minlength=num_hits)


def rerank(
    hits: RetrievalHits,
    weights: npt.NDArray[np.floating],
    counts: npt.NDArray[np.integer],
    config: SemanticsConfig,
) -> Int64:
    """(k,) indices of the hits, best first, ranked by similarity^a weight^b ln(1 + n_ok)^c.

    Images with fewer than ``rerank_min_matches`` labelled matches keep their rank; the others are
    sorted into the remaining ranks.

    Args:
        weights: (k,) result of ``semantic_consistency_weights``.
        counts: (k,) result of ``labelled_counts``.
    """
    weights, counts = np.asarray(weights, np.float64), np.asarray(counts)
    agreeing = np.maximum(weights * (counts + 2) - 1, 0)
    similarities = np.maximum(hits.similarities.astype(np.float64), 1e-6)
    scores = similarities**config.rerank_similarity_exponent
    scores *= weights**config.rerank_consistency_exponent
    scores *= np.log1p(agreeing) ** config.rerank_count_exponent
    ranks = np.flatnonzero(counts >= config.rerank_min_matches)
    order = np.arange(len(hits.names))
    order[ranks] = ranks[np.argsort(-scores[ranks], kind="stable")]
    return order


def _known(matches: PutativeMatches, agreement: npt.NDArray[np.floating]) -> tuple[Int64, Float64]:
    values = np.asarray(agreement, np.float64)
    known = ~np.isnan(values)
    return matches.hit_idxs[known], values[known]
