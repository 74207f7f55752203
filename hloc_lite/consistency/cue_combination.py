"""Cues about matches become one weight of each correspondence.

The rule: a match weighs the product of its cues' factor ** exponent. Were the cues independent and
each factor ** exponent proportional to the odds of being right, so would be the product; exponents
below 1 make up for evidence that is counted twice. ``calibrate_exponents`` fits them on that rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.config import WeightingConfig
from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.types import Correspondences, Cue, Float64, Int64, PutativeMatches

VIEW_SEMANTICS = "view_semantics"
CUE_NAMES = ("score", "retrieval", VIEW_SEMANTICS, "semantics", "depth", "track")
"""Names of cues; the exponent of each is the field of that name in ``WeightingConfig``."""
_SUM_ORDER = ("depth", VIEW_SEMANTICS, "retrieval", "score", "semantics", "track")
"""Order in which log factors are added: floating-point sums depend on it."""
LEAST_LOG = -60.0
"""Of the best match's weight; below, only proportions are kept."""
SUREST = 0.999
"""Largest probability that a matcher is believed, and 1 - it the smallest: even where descriptors
are almost the same, one match in a thousand is wrong."""


@dataclass(frozen=True)
class CueCounts:
    """What one cue did to the R matches of a query."""

    touched: int
    """Of which it said anything."""
    lowered: int
    """Whose factor it put below 1."""
    used: bool
    """False: switched off, or of exponent 0."""


@dataclass(frozen=True, eq=False)
class MatchWeights:
    """Weights of R matches, and of the K (keypoint, point) pairs they make."""

    match_weights: Float64
    """(R,) in (0, 1], 1 where no cue says anything against a match."""
    pair_idxs: Int64
    """(R,) which of the K pairs each match is."""
    keypoint_idxs: Int64
    """(K,) into the query's features; pairs ascend by keypoint, then by point."""
    point3D_idxs: Int64
    """(K,) into the map's points."""
    xyz: Float64
    """(K, 3) world coordinates of the points."""
    best_rows: Int64
    """(K,) match of the largest weight of each pair."""
    weights: Float64
    """(K,) > 0, of mean 1: the largest of each pair's matches."""
    mean_weight: float
    """Of the pairs before that, to compare the pairs of different images."""
    counts: Mapping[str, CueCounts]
    """Of each cue by name."""
    cues: tuple[Cue, ...]
    """Over the K pairs, those in use: what each said of the match that a pair has its weight of."""

    def correspondences(
        self, keypoints: npt.NDArray[np.floating], bound_factors: Float64 | None = None
    ) -> Correspondences:
        """Return the pairs with their weights.

        Args:
            keypoints: (N, 2) keypoints of the query, pixels.
            bound_factors: (R,) factor of the inlier bound of each match; None for equal bounds.
        """
        return Correspondences(
            np.asarray(keypoints, np.float64)[self.keypoint_idxs].reshape(-1, 2),
            self.xyz,
            self.keypoint_idxs,
            self.point3D_idxs,
            self.weights,
            None if bound_factors is None else bound_factors[self.best_rows],
        )


def combine_cues(
    sightings: PutativeMatches, cues: Sequence[Cue], config: WeightingConfig
) -> MatchWeights:
    """One weight for each match and for each (keypoint, point) pair.

    A pair that several images testify to takes the best testimony: wrong ones differ, so a sum
    would mostly count how many images show the place. Weights below ``config.min_weight`` times the
    best are raised to it; where all cues deny all matches, all weigh the same.

    Raises:
        ShapeError: a cue is of another number of matches.
        ConfigError: a cue of unknown name, or two of one name.
    """
    exponents = cue_exponents(config)
    _check(sightings, cues, exponents)
    log_weights = np.zeros(len(sightings))
    counts: dict[str, CueCounts] = {}
    used: list[Cue] = []
    for cue in sorted(cues, key=lambda cue: _SUM_ORDER.index(cue.name)):
        exponent = exponents[cue.name]
        factors = np.clip(np.where(np.isnan(cue.factors), 1.0, cue.factors), 0.0, 1.0)
        counts[cue.name] = CueCounts(
            int(cue.touched.sum()), int((factors < 1).sum()), used=exponent > 0
        )
        if exponent > 0:
            used.append(Cue(cue.name, factors, cue.touched))
            with np.errstate(divide="ignore"):
                log_weights += exponent * np.log(factors)
    match_weights = _weights(log_weights, config.min_weight)
    # one number for a pair: NumPy's search for unique rows takes ten times as long
    num_points = 1 + int(sightings.point3D_idxs.max(initial=0))
    keys = sightings.keypoint_idxs * num_points + sightings.point3D_idxs
    unique, pair_idxs = np.unique(keys, return_inverse=True)
    keypoint_idxs, point3D_idxs = np.divmod(unique, num_points)
    best = _best_rows(pair_idxs, match_weights)
    weights = match_weights[best]
    mean = float(weights.mean()) if len(weights) else 1.0
    of_pairs = tuple(Cue(cue.name, cue.factors[best], cue.touched[best]) for cue in used)
    return MatchWeights(
        match_weights=match_weights,
        pair_idxs=pair_idxs,
        keypoint_idxs=keypoint_idxs,
        point3D_idxs=point3D_idxs,
        xyz=sightings.xyz[best],
        best_rows=best,
        weights=weights / mean,
        mean_weight=mean,
        counts=counts,
        cues=of_pairs,
    )


def cue_exponents(config: WeightingConfig) -> dict[str, float]:
    """Return the exponent of each cue; 0 if it is switched off."""
    return {name: 0.0 if name in config.off else float(getattr(config, name)) for name in CUE_NAMES}


def score_cue(scores: npt.NDArray[np.floating]) -> Cue:
    """The odds that the matcher gives to each match, the best possible ones as 1.

    Args:
        scores: (R,) in [0, 1], the probabilities that it gives; NaN says nothing.
    """
    scores = np.asarray(scores, np.float64)
    said = ~np.isnan(scores)
    probability = np.clip(np.where(said, scores, SUREST), 1 - SUREST, SUREST)
    odds = probability / (1 - probability)
    return Cue("score", odds * (1 - SUREST) / SUREST, said)


def retrieval_cue(similarities: npt.NDArray[np.floating], hit_idxs: npt.NDArray[np.integer]) -> Cue:
    """How similar each match's image is to the query, the most similar one as 1.

    Args:
        similarities: (k,) cosines of the retrieved images.
        hit_idxs: (R,) into them.

    Raises:
        ShapeError: an index beyond the images.
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
    said = np.full(len(hit_idxs), best > 0)
    relative = np.clip(finite / best, 0, 1) if best > 0 else np.ones(len(finite))
    return Cue("retrieval", relative[hit_idxs], said)


def track_cue(
    track_lengths: npt.NDArray[np.integer],
    errors_px: npt.NDArray[np.floating],
    config: WeightingConfig,
) -> Cue:
    """How well the map knows each match's landmark.

    (1 - 1 / length) / (1 + (error / half_error_px)^2): 0.5 for two views, 0.9 for ten, halved at
    ``half_error_px``.

    Args:
        track_lengths: (R,) images that see the landmark; below 2: unknown.
        errors_px: (R,) its mean reprojection error; NaN or negative: unknown.
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
    """(K,) the match of the largest weight of each pair, the first of equal ones."""
    order = np.lexsort((-match_weights, pair_idxs))
    _, firsts = np.unique(pair_idxs[order], return_index=True)
    return np.asarray(order[firsts])


def _weights(log_weights: Float64, least: float) -> Float64:
    if len(log_weights) == 0:
        return np.zeros(0)
    best = log_weights.max()
    if np.isneginf(best):
        return np.ones(len(log_weights))
    # products of many factors underflow: then all are raised together
    raised = log_weights + max(0.0, LEAST_LOG - best)
    return np.asarray(np.exp(np.maximum(raised, raised.max() + np.log(least))))


def _check(sightings: PutativeMatches, cues: Sequence[Cue], exponents: Mapping[str, float]) -> None:
    names = [cue.name for cue in cues]
    for cue in cues:
        if cue.name not in exponents:
            raise ConfigError(f"unknown cue {cue.name!r}; known are {', '.join(CUE_NAMES)}")
        if len(cue.factors) != len(sightings):
            raise ShapeError(
                f"cue {cue.name!r} is of {len(cue.factors)} matches, there are {len(sightings)}"
            )
    if len(set(names)) != len(names):
        raise ConfigError(f"cues must have names of their own, got {', '.join(names)}")
