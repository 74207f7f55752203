"""Semantic consistency check: does a keypoint lie on what its landmark is a part of?

After the check of 2005.11922 and the semantic match consistency without geometry that Larsson 2019
compares with: labels of the query against the landmark's majority label, with tolerance.
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
from hloc_lite.types import Cue, Float32, Float64, LabelMap, UInt8


def semantic_check(
    keypoints: npt.NDArray[np.floating],
    query: LabelMap | LabelWindows,
    point_labels: UInt8,
    point_shares: Float32,
    config: SemanticsConfig,
) -> Cue:
    """What labels say of R matches.

    soft: 1 - share (1 - disagreement_factor) (1 - compatibility). So a full disagreement with a
    landmark of which all observations agree leaves ``disagreement_factor``, and a doubtful label
    says less in both directions. hard: 0 below ``min_compatibility``, else 1.

    Args:
        keypoints: (R, 2) pixels of the query, one for each row.
        query: its labels, or what ``label_windows`` made of them (12 ms saved where several checks
            share it).
        point_labels: (R,) train ids of the landmarks.
        point_shares: (R,) of their votes that the label got.
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
    """(R,) in [0, 1]: the largest compatibility of a landmark's label with one in the window around
    its image point; NaN where either is unknown."""
    near = classes_near(windows, points2D)
    labels = np.asarray(point_labels)
    known = is_class(labels) & near.any(axis=1)
    matrix = compatibility_matrix(config)
    of_landmark = matrix[:, np.where(known, labels, 0).astype(np.int64)].T
    best = np.where(near, of_landmark, 0.0).max(axis=1, initial=0.0)
    return np.where(known, best, np.nan)


def trusted_labels(labels: UInt8, shares: Float32, config: SemanticsConfig) -> UInt8:
    """(R,) the labels, unknown where their share of the votes is below ``min_share``."""
    trusted = is_class(labels) & (np.asarray(shares) >= config.min_share)
    return np.where(trusted, labels, np.uint8(255)).astype(np.uint8)
