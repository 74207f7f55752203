"""Config of match weights and pose confidence."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config.section import Section

LEAST_PROMISE = 1e-6
"""Smallest promised share of wrong answers: less would need millions of known answers."""
CueName = Literal["score", "retrieval", "view_semantics", "semantics", "depth", "track"]


class WeightingConfig(Section):
    """Combination of cues into one weight per match: the product of factor ** exponent.

    A 2D-3D pair seen through several images takes the largest weight. The exponents were fitted by
    logistic regression (correct or wrong) on 460,000 RootSIFT matches of 240 queries in two
    rendered towns, with labels and depth as noisy as networks make them
    (``python -m pipelines.calibration.match_weights``). Together they lower the log loss from 0.46
    to 0.19.
    """

    score: float = Field(1.0, ge=0, le=20)
    """Exponent of the odds that the matcher's score implies. Fitted: 1.03."""
    retrieval: float = Field(1.5, ge=0, le=20)
    """Exponent of the image's similarity to the query, relative to the best image's."""
    view_semantics: float = Field(1.0, ge=0, le=20)
    """Exponent of the agreement of labels under the pose from a single image (Shi 2019)."""
    semantics: float = Field(1.6, ge=0, le=20)
    """Exponent of the agreement of labels of keypoint and landmark."""
    depth: float = Field(2.0, ge=0, le=20)
    """Exponent of the agreement of depths of keypoint and landmark."""
    track: float = Field(1.7, ge=0, le=20)
    """Exponent of the landmark's quality: track length and reprojection error."""
    off: tuple[CueName, ...] = ("view_semantics",)
    """Cues that are not used. view_semantics estimates a pose for each retrieved image and has not
    been shown to pay. semantics and depth have an effect only if their source is set."""
    half_error_px: float = Field(2.0, gt=0, le=1000)
    """Mean reprojection error of a landmark that halves the factor of its track. COLMAP keeps
    points up to 4 px, good ones are below 1 px."""
    bound_exponent: float = Field(0.0, ge=0, le=2)
    """Exponent with which the inlier threshold of a match grows with the noise of its landmark, as
    estimated from track length and reprojection error; 0: one threshold for all. At 1 two more of
    240 queries on rendered streets were correct and none was lost: too few to turn it on."""
    min_bound_factor: float = Field(0.5, gt=0, le=1)
    """Least factor of the inlier threshold: the noise of query keypoints is unknown to the map."""
    max_bound_factor: float = Field(2.0, ge=1, le=10)
    """Largest factor of the inlier threshold: above, four times as many matches agree by chance."""
    min_weight: float = Field(0.0001, gt=0, le=1)
    """Least weight, relative to the largest. All cues can be wrong together (labels at night), and
    RANSAC must still be able to sample a correct match."""


class ConfidenceConfig(Section):
    """Rejection of poses that are likely wrong."""

    enabled: bool = True
    """false: every pose is accepted, without confidence; ``pose.min_inliers`` should then be 12."""
    file: str = ""
    """Coefficients from ``pipelines/calibration/confidence.py``; empty: those of the package."""
    min_confidence: float = Field(0.75, ge=0, le=1)
    """Poses with less confidence are returned as not localized; 0: none. Of 720 queries of another
    town none is accepted at 0.75, and 14 at 0.5; of the correct poses at 20 retrieved images 3.2 %
    and 1.6 % are rejected (RootSIFT, cross-validated on the towns of the fit)."""
    max_wrong: float | None = Field(None, ge=LEAST_PROMISE, le=1)
    """Largest share of given answers that may be wrong, as a promise (0.01 for 1 %): the threshold
    is learned from answers whose correctness is known, in place of ``min_confidence``. None: no
    promise; 1: every pose is given."""
    delta: float = Field(0.1, gt=0, lt=0.5)
    """Probability that a promise is broken, over sets of known answers. A promise of 1 % needs 230
    given answers, all right, at 0.1, and 299 at 0.05."""
    unmapped_share: float = Field(0.25, gt=0, lt=1)
    """Share of photos that show places which the map lacks, as a promise assumes. As in the
    benchmark of promises, with a quarter each by day, at night, in another season and foreign."""
    promise_floor: float = Field(0.5, ge=0, le=1)
    """Least threshold of a promise: no pose is given that is more likely wrong than right."""
    cautious_confidence: float = Field(0.98, ge=0, le=1)
    """Least threshold of a promise that the known answers cannot show. It is raised to where the
    share wrong of the shipped answers is at most the promise."""
    bounds: Literal["auto", "metric", "relative"] = "auto"
    """Definition of a correct pose. metric: within 0.25 m (in a map of unknown scale, 0.25 map
    units); relative: within 2.5 % of the median distance of the inliers; both within 2 deg. auto:
    metric for maps whose scale is known (``map --metric``, or a georeference), else relative, so
    that the unit of a reference makes no difference."""
