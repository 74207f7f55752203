"""Config of match weights and pose confidence."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config.section import Section

CueName = Literal["score", "retrieval", "view_semantics", "semantics", "depth", "track"]


class WeightingConfig(Section):
    """How cues become one weight: the product of factor ** exponent, rows of one pair by maximum.

    Exponents are those of a logistic regression of right and wrong on 460,000 RootSIFT matches of
    240 queries in two rendered towns, with labels and depth as wrong as networks make them
    (``python -m pipelines.calibrate_weights``): together they take the log loss from 0.46 to 0.19.
    """

    score: float = Field(1.0, ge=0, le=20)
    """Exponent of the odds that the matcher gives. Fitted: 1.03."""
    retrieval: float = Field(1.5, ge=0, le=20)
    """Exponent of the image's similarity to the query, relative to the best image's."""
    view_semantics: float = Field(1.0, ge=0, le=20)
    """Exponent of the agreement of labels under the pose that the image alone gives (Shi 2019)."""
    semantics: float = Field(1.6, ge=0, le=20)
    """Exponent of the agreement of labels of keypoint and landmark."""
    depth: float = Field(2.0, ge=0, le=20)
    """Exponent of the agreement of depths of keypoint and landmark."""
    track: float = Field(1.7, ge=0, le=20)
    """Exponent of the landmark's own quality: track length and reprojection error."""
    off: tuple[CueName, ...] = ("view_semantics",)
    """Cues that are not used. view_semantics estimates a pose for each retrieved image and has not
    been shown to pay. semantics and depth have an effect only if their source is set."""
    half_error_px: float = Field(2.0, gt=0, le=1000)
    """Mean reprojection error of a landmark at which its track counts half: COLMAP keeps up to 4,
    good ones have below 1."""
    bound_exponent: float = Field(0.0, ge=0, le=2)
    """How the inlier bound of a match grows with the noise of its landmark, from that one's track
    length and reprojection error; 0: one bound for all, 1: in proportion. At 1 two more of 240
    queries on rendered streets were right and none was lost: too few to put it on."""
    min_bound_factor: float = Field(0.5, gt=0, le=1)
    """Of the inlier bound: the noise of a query's keypoints is not the map's to know."""
    max_bound_factor: float = Field(2.0, ge=1, le=10)
    """Of the inlier bound: beyond, chance agrees four times as often as at the common bound."""
    min_weight: float = Field(0.0001, gt=0, le=1)
    """Least weight, relative to the largest: cues can be wrong all at once (labels at night), and a
    right match must not become impossible to draw."""


class ConfidenceConfig(Section):
    """Which poses are too likely wrong to be given."""

    enabled: bool = True
    """false: every pose is given, without a probability; then ``pose.min_inliers`` should be 12."""
    file: str = ""
    """Coefficients of ``pipelines/calibrate_confidence.py``; empty: the shipped ones."""
    min_confidence: float = Field(0.75, ge=0, le=1)
    """Poses less likely right come back as not localized. Of 720 queries of another town none is
    accepted at 0.75 and 14 at 0.5; of the right poses at 20 retrieved images 3.2 % and 1.6 % are
    withheld (RootSIFT, cross-validated on the towns of the fit). 0: all are given."""
    bounds: Literal["auto", "metric", "relative"] = "auto"
    """metric: right is within 0.25 map units, which are metres; relative: within 2.5 % of the
    median distance of the inliers; both within 2 deg. auto: maps from known poses are metric."""
