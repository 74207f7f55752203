"""Semantic consistency of matches: the label at the keypoint against that of the landmark.

Follows the check of arXiv 2005.11922 and the baseline without geometry in Larsson 2019: labels of
the query are compared with the landmark's majority label, with a tolerance window.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hloc_lite.config import SemanticsConfig
from hloc_lite.consistency.labels import (
    LabelWindows,
    classes_near,
    compatibility_matrix,
    is_class,
    label_windows,
)
from hloc_lite.types import UNKNOWN_LABEL, Cue, Float32, Float64, LabelMap, UInt8


def semantic_check(
    keypoints: npt.NDArray[np.floating],
    query: LabelMap | LabelWindows,
    point_labels: UInt8,
    point_shares: Float32,
    config: SemanticsConfig,
) -> Cue:
    """The cue ``semantics`` of R matches.

    Mode soft: 1 - share (1 - disagreement_factor) (1 - compatibility). Full disagreement with a
    landmark whose observations all agree leaves ``disagreement_factor``; the less they agree, the
    closer the factor is to 1. Mode hard: 0 below ``min_compatibility``, else 1.

    Args:
        keypoints: (R, 2) pixels of the query.
        query: label map of the query, or its ``label_windows`` (12 ms saved if several checks share
            them).
        point_labels: (R,) train ids of the landmarks.
        point_shares: (R,) shares of the observations that agree with them.
    """
    windows = query if isinstance(query, LabelWindows) else label_windows(query, config)
    shares = np.asarray(point_shares, np.float64)
    labels = trusted_labels(point_labels, point_shares, config)
    agreement = label_agreement(keypoints, windows, labels, config)
    touched = ~np.isnan(agreement)
    compatible = np.where(touched, agreement, 1.0)
    if config.mode == "hard":
        factors = (compatible >= config.min_compatibility).astype(np.float64)
    else:
        factors = 1 - shares * (1 - config.disagreement_factor) * (1 - compatible)
    return Cue("semantics", np.where(touched, factors, 1.0), touched)


def label_agreement(
    points2D: npt.NDArray[np.floating],
    windows: LabelWindows,
    point_labels: UInt8,
    config: SemanticsConfig,
) -> Float64:
    """(R,) largest compatibility of each landmark's label with those around its image point.

    In [0, 1]; NaN where the landmark's label or the label at the point is unknown.
    """
    near = classes_near(windows, points2D)
    labels = np.asarray(point_labels)
    known = is_class(labels) & near.any(axis=1)
    matrix = compatibility_matrix(config)
    of_landmark = matrix[:, np.where(known, labels, 0).astype(np.int64)].T
    best = np.where(near, of_landmark, 0.0).max(axis=1, initial=0.0)
    return np.where(known, best, np.nan)


def trusted_labels(labels: UInt8, shares: Float32, config: SemanticsConfig) -> UInt8:
    """(R,) labels, set to unknown where fewer than ``min_share`` of the observations agree."""
    trusted = is_class(labels) & (np.asarray(shares) >= config.min_share)
    return np.where(trusted, labels, UNKNOWN_LABEL).astype(np.uint8)
