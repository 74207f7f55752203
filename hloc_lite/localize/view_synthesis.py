"""Comparison of a photo with a synthesized view of the place (Taira 2018, 2019).

DensePV scores a pose by the inverse median distance of dense RootSIFT descriptors of the photo and
of the view rendered there. That value depends on the photo: blur, night and plain walls lower it
for the right pose, too. Here the same distances are compared with those between *different* places
in the photo and the view: a place of the photo should resemble the same place of the view more than
others. The share of the others that it resembles less is 1/2 by chance in any photo.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import logit

from hloc_lite.config.view_synthesis import ViewSynthesisConfig
from hloc_lite.types import Float32, Float64

AGREEMENT_LIMITS = (0.5, 0.86)
"""Range of the agreement of views within which its log odds count. 99 % of right poses have 0.86 or
more (rendered towns by day, night and with changes; two real kitchens). A pose that is a little off
has more, too, and so does a street with the same facades. So agreement beyond does not speak for a
pose; less speaks against it."""


def share_of_less_similar(query: Float32, view: Float32, num_others: int) -> Float64:
    """(C,) share of other places that resemble each place less than its own counterpart does.

    Mean of both directions: the place of the photo among those of the view, and vice versa. Equal
    distances count half.

    Args:
        query, view: (C, D) descriptors of the same places, unit rows.
        num_others: places that each is compared with; spread evenly.
    """
    own = np.einsum("cd,cd->c", query, view)[:, None]
    others = np.linspace(0, len(query) - 1, min(num_others, len(query))).astype(np.int64)
    shares = np.zeros(len(query))
    for first, second in ((query, view), (view, query)):
        similarity = first @ second[others].T
        shares += ((similarity < own).mean(axis=1) + (similarity <= own).mean(axis=1)) / 4
    return shares


def inverse_median_distance(query: Float32, view: Float32) -> float:
    """Score of DensePV: 1 / median distance of (C, D) descriptors, unit rows."""
    squared = np.maximum(2 - 2 * np.einsum("cd,cd->c", query, view), 1e-6)
    return float(1 / np.sqrt(np.median(squared)))


def view_agreement(
    query: Float32,
    view: Float32,
    weights: Float64,
    consistent: Float64,
    config: ViewSynthesisConfig,
) -> float:
    """Agreement of a photo with a view: weighted mean of ``share_of_less_similar``.

    It is NaN with fewer than ``min_cells`` places.

    Args:
        query, view: (C, 128) descriptors of the places where the surface is seen.
        weights: (C,) weights of the places; 0 for passers-by, and low where normals differ.
        consistent: (C,) 1 or 0: a place whose labels exclude each other resembles nothing.
    """
    total = float(weights.sum())
    if int((weights > 0).sum()) < config.min_cells or total <= 0:
        return math.nan
    shares = share_of_less_similar(query, view, config.num_others) * consistent
    return float(weights @ shares / total)


def agreement_log_odds(agreement: float) -> float:
    """Pose-quality feature ``view``: log odds of the agreement, 0 by chance; NaN if unknown.

    It is bounded by that of the upper one of ``AGREEMENT_LIMITS``.
    """
    return (
        math.nan if math.isnan(agreement) else float(logit(np.clip(agreement, *AGREEMENT_LIMITS)))
    )


def agreement_factor(agreement: float, exponent: float) -> float:
    """Factor of a location's score, from 0 (views agree as by chance) to 1."""
    return max(2 * agreement - 1, 0.0) ** exponent
