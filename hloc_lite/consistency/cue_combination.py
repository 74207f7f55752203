"""Combination of cues into one weight per correspondence.

The weight of a match is the product of factor ** exponent over its cues. If cues were independent
and each term proportional to the odds that the match is right, so would be the product. Exponents
below 1 correct for cues that depend on each other; ``calibrate_exponents`` fits them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import numpy.typing as npt

from hloc_lite.config import CueName, WeightingConfig
from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.types import Correspondences, Cue, Float64, Int64, PutativeMatches

VIEW_SEMANTICS = "view_semantics"
CUE_NAMES: tuple[str, ...] = get_args(CueName)
"""Names of cues; the exponent of each is the field of that name in ``WeightingConfig``."""
_SUMMATION_ORDER = ("depth", VIEW_SEMANTICS, "retrieval", "score", "semantics", "track")
"""Order in which log factors are added: floating-point sums depend on it."""
MIN_BEST_LOG_WEIGHT = -60.0
"""Log weight of the best match below which all are raised together: products of many underflow."""
MAX_PROBABILITY = 0.999
"""Upper limit of matcher scores, 1 - it the lower one: even with almost equal descriptors one match
in a thousand is wrong."""


@dataclass(frozen=True)
class CueCounts:
    """Number of matches that one cue affects."""

    touched: int
    """Matches for which the cue has information."""
    lowered: int
    """Matches with a factor below 1."""
    used: bool
    """False if the cue is switched off or its exponent is 0."""


@dataclass(frozen=True, eq=False)
class MatchWeights:
    """Weights of R matches, and of the K (keypoint, point) pairs they make."""

    match_weights: Float64
    """(R,) in (0, 1]; 1 where all factors are 1."""
    keypoint_idxs: Int64
    """(K,) into the query's features; pairs ascend by keypoint, then by point."""
    point3D_idxs: Int64
    """(K,) into the map's points."""
    xyz: Float64
    """(K, 3) world coordinates of the points."""
    best_rows: Int64
    """(K,) match of the largest weight of each pair."""
    weights: Float64
    """(K,) > 0 with mean 1: the largest weight among the matches of each pair."""
    mean_weight: float
    """Mean of the pair weights before normalization, to compare pairs of different images."""
    counts: Mapping[str, CueCounts]
    """Counts of each cue by name."""
    cues: tuple[Cue, ...]
    """Cues in use over the K pairs, each with the values of the pair's best match."""

    def correspondences(
        self,
        keypoints: npt.NDArray[np.floating],
        bound_factors: Float64 | None = None,
        noise_axes: Float64 | None = None,
    ) -> Correspondences:
        """The K pairs as weighted correspondences.

        Args:
            keypoints: (N, 2) pixels of the query.
            bound_factors: (R,) factor of the inlier threshold of each match; None: all 1.
            noise_axes: (R, 3) noise of each match's point (``Correspondences``); None: unknown.
        """
        return Correspondences(
            np.asarray(keypoints, np.float64)[self.keypoint_idxs].reshape(-1, 2),
            self.xyz,
            self.keypoint_idxs,
            self.point3D_idxs,
            self.weights,
            None if bound_factors is None else bound_factors[self.best_rows],
            None if noise_axes is None else noise_axes[self.best_rows],
        )


def combine_cues(
    matches: PutativeMatches, cues: Sequence[Cue], config: WeightingConfig
) -> MatchWeights:
    """One weight for each match and for each (keypoint, point) pair.

    A pair that matches of several images give takes the largest of their weights: a sum would
    mostly count how many retrieved images show the same location. Weights below
    ``config.min_weight`` times the best are raised to it. If all factors are 0, all weights are 1.

    Raises:
        ShapeError: a cue has another number of factors than there are matches.
        ConfigError: a cue has an unknown name and no exponent of its own, or two have one name.
    """
    exponents = cue_exponents(config)
    _check(matches, cues, exponents)
    log_weights = np.zeros(len(matches))
    counts: dict[str, CueCounts] = {}
    used: list[Cue] = []
    for cue in sorted(cues, key=_summation_order):
        exponent = exponents[cue.name] if cue.exponent is None else cue.exponent
        factors = np.clip(np.where(np.isnan(cue.factors), 1.0, cue.factors), 0.0, 1.0)
        counts[cue.name] = CueCounts(
            int(cue.touched.sum()), int((factors < 1).sum()), used=exponent > 0
        )
        if exponent > 0:
            used.append(replace(cue, factors=factors))
            with np.errstate(divide="ignore"):
                log_weights += exponent * np.log(factors)
    match_weights = _weights(log_weights, config.min_weight)
    # one integer per pair: np.unique of rows takes ten times as long
    num_points = 1 + int(matches.point3D_idxs.max(initial=0))
    keys = matches.keypoint_idxs * num_points + matches.point3D_idxs
    unique, pair_idxs = np.unique(keys, return_inverse=True)
    keypoint_idxs, point3D_idxs = np.divmod(unique, num_points)
    best = _best_rows(pair_idxs, match_weights)
    weights = match_weights[best]
    mean = float(weights.mean()) if len(weights) else 1.0
    pair_cues = tuple(cue.subset(best) for cue in used)
    return MatchWeights(
        match_weights=match_weights,
        keypoint_idxs=keypoint_idxs,
        point3D_idxs=point3D_idxs,
        xyz=matches.xyz[best],
        best_rows=best,
        weights=weights / mean,
        mean_weight=mean,
        counts=counts,
        cues=pair_cues,
    )


def _summation_order(cue: Cue) -> tuple[int, str]:
    """Sort key: the cues of this package in a fixed order, then others by name."""
    known = cue.name in _SUMMATION_ORDER
    return (_SUMMATION_ORDER.index(cue.name) if known else len(_SUMMATION_ORDER), cue.name)


def cue_exponents(config: WeightingConfig) -> dict[str, float]:
    """Return the exponent of each cue; 0 if it is switched off."""
    return {name: 0.0 if name in config.off else float(getattr(config, name)) for name in CUE_NAMES}


def score_cue(scores: npt.NDArray[np.floating]) -> Cue:
    """The cue ``score``: the odds of the matcher's probability, scaled so that the largest are 1.

    Args:
        scores: (R,) probabilities in [0, 1]; NaN if unknown.
    """
    scores = np.asarray(scores, np.float64)
    known = ~np.isnan(scores)
    limited = np.where(known, scores, MAX_PROBABILITY)
    probability = np.clip(limited, 1 - MAX_PROBABILITY, MAX_PROBABILITY)
    odds = probability / (1 - probability)
    return Cue("score", odds * (1 - MAX_PROBABILITY) / MAX_PROBABILITY, known)


def retrieval_cue(similarities: npt.NDArray[np.floating], hit_idxs: npt.NDArray[np.integer]) -> Cue:
    """The cue ``retrieval``: similarity of each match's image over that of the most similar one.

    Args:
        similarities: (k,) cosines of the retrieved images.
        hit_idxs: (R,) the image of each match, into ``similarities``.

    Raises:
        ShapeError: an index is out of range.
    """
    similarities = np.asarray(similarities, np.float64)
    hit_idxs = np.asarray(hit_idxs, np.int64)
    if len(hit_idxs) and not 0 <= hit_idxs.min() <= hit_idxs.max() < len(similarities):
        raise ShapeError(
            f"retrieval_cue: hit_idxs go from {hit_idxs.min()} to {hit_idxs.max()}, but there are "
            f"{len(similarities)} retrieved images"
        )
    finite = np.where(np.isfinite(similarities), similarities, 0.0)
    best = finite.max(initial=0.0)
    known = np.full(len(hit_idxs), best > 0)
    relative = np.clip(finite / best, 0, 1) if best > 0 else np.ones(len(finite))
    return Cue("retrieval", relative[hit_idxs], known)


def track_cue(
    track_lengths: npt.NDArray[np.integer],
    errors_px: npt.NDArray[np.floating],
    config: WeightingConfig,
) -> Cue:
    """The cue ``track``: quality of each match's landmark from its track in the map.

    (1 - 1 / length) / (1 + (error / half_error_px)^2): 0.5 for two views, 0.9 for ten, halved at
    ``half_error_px``.

    Args:
        track_lengths: (R,) number of images that observe the landmark; below 2: unknown.
        errors_px: (R,) mean reprojection error of the landmark; NaN or negative: unknown.

    Raises:
        ShapeError: the arrays differ in length.
    """
    lengths = np.asarray(track_lengths, np.float64)
    errors = np.asarray(errors_px, np.float64)
    if lengths.shape != errors.shape or lengths.ndim != 1:
        raise ShapeError(
            f"track_cue: track_lengths {lengths.shape} and errors_px {errors.shape} must be (R,)"
        )
    has_length, has_error = lengths >= 2, errors >= 0
    by_length = np.where(has_length, 1 - 1 / np.where(has_length, lengths, 2.0), 1.0)
    by_error = 1 / (1 + np.square(np.where(has_error, errors, 0.0) / config.half_error_px))
    return Cue("track", by_length * by_error, has_length | has_error)


def _best_rows(pair_idxs: Int64, match_weights: Float64) -> Int64:
    """(K,) the match of largest weight of each pair; among equals the first."""
    order = np.lexsort((-match_weights, pair_idxs))
    _, firsts = np.unique(pair_idxs[order], return_index=True)
    return np.asarray(order[firsts])


def _weights(log_weights: Float64, min_ratio: float) -> Float64:
    """Weights from their logarithms, none below ``min_ratio`` times the largest."""
    if len(log_weights) == 0:
        return np.zeros(0)
    best = log_weights.max()
    if np.isneginf(best):
        return np.ones(len(log_weights))
    raised = log_weights + max(0.0, MIN_BEST_LOG_WEIGHT - best)
    return np.asarray(np.exp(np.maximum(raised, raised.max() + np.log(min_ratio))))


def _check(matches: PutativeMatches, cues: Sequence[Cue], exponents: Mapping[str, float]) -> None:
    names = [cue.name for cue in cues]
    for cue in cues:
        if cue.exponent is None and cue.name not in exponents:
            raise ConfigError(f"unknown cue {cue.name!r}; known are {', '.join(CUE_NAMES)}")
        if len(cue.factors) != len(matches):
            raise ShapeError(
                f"cue {cue.name!r} has {len(cue.factors)} factors for {len(matches)} matches"
            )
    if len(set(names)) != len(names):
        raise ConfigError(f"cues must have different names, got {', '.join(names)}")
