"""Config of localization: retrieved images, coarse-to-fine matching, sequences, pose priors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hloc_lite.config.section import Section


class LocalizeConfig(Section):
    """Localization of a query: retrieval, matching, selection among pose hypotheses."""

    matching: Literal["cascade", "landmarks", "images"] = "cascade"
    """images: match retrieved images one by one with the map's matcher; landmarks: match the
    landmarks visible in all of them at once; cascade: first landmarks, then images until the pose
    is confident."""
    num_retrieved: int = Field(20, ge=1, le=1000)
    """Map images that a query is matched against."""
    min_image_matches: int = Field(0, ge=0, le=10000)
    """Images matched one by one that have fewer matches are left out; 0: none. hloc's InLoc run has
    20. Weights and RANSAC make more of few matches than this limit does."""
    only_landmarks: bool = True
    """Match only those keypoints of a map image that have a 3D point. Others cannot support a pose,
    and LightGlue is faster without them."""
    cached_images: int = Field(512, ge=1, le=1000000)
    """Map images whose features stay in memory: 256 MB at 1024 keypoints of 128 floats."""
    exclude_same_name: bool = True
    """Never retrieve a map image with the query's name: it would be the query itself."""
    max_ratio: float = Field(1.0, gt=0, le=1)
    """mutual-nn, where scores become weights: replaces ``matching.max_ratio``. Weights make use of
    matches that a hard threshold discards."""
    covisibility_clustering: bool = True
    """Estimate a pose for each cluster of retrieved images that share points; keep the best."""
    min_overlap: float = Field(0.3, gt=0, le=1)
    """Maps from depth: share of an image's points that another must see for both to be of one
    cluster, since few of them share points. Cutouts of a scan 30 degrees apart see a half."""
    max_clusters: int = Field(4, ge=1, le=1000)
    """Clusters tried, those with most matches first."""
    same_location_depths: float = Field(0.1, gt=0, le=10)
    """Poses agree if their distance is at most this many median depths of their inliers, and their
    rotation at most ``same_location_deg``. Poses that agree are solved again as one."""
    same_location_deg: float = Field(5.0, gt=0, le=180)
    """Largest rotation between poses that agree."""
    runner_up_share: float = Field(0.5, gt=0, le=1)
    """Share of the selected pose's inliers that a runner-up elsewhere must reach. It is searched
    among the matches that are no inliers of the selected pose; half the share takes eight times the
    trials."""
    max_runner_up_trials: int = Field(2000, ge=0, le=10**6)
    """RANSAC trials for the runner-up; 0: no search."""
    recalibrate: bool = False
    """Where given intrinsics do not fit, use those that do instead of withholding the pose."""
    turn_failed: bool = True
    """Try a photo turned if few of its matches agree with a pose, and it seems to lie on a side."""
    turn_max_inlier_share: float = Field(0.25, ge=0, le=1)
    """Share of inliers among the correspondences below which it may be tried. Upright photos of
    three places had 0.36 or more; with ALIKED, those on their side or upside down at most 0.12."""
    turn_min_gain: float = Field(0.06, ge=0, le=2)
    """Gain in the cosine similarity of the best retrieved image that turning must bring. The right
    way up led by 0.04 to 0.37 for 36 photos of five places; of 108 photos of other places 5 gained
    more than 0.06 by turning, at most 0.10."""
    focal_candidates: int = Field(16, ge=2, le=200)
    """Focal lengths tried for photos without EXIF focal length, between the two ratios below."""
    min_focal_ratio: float = Field(0.4, gt=0.05, le=10)
    """Focal length over longer image side: 0.4 is a field of view of 103 degrees."""
    max_focal_ratio: float = Field(4.0, gt=0.05, le=50)
    """Focal length over longer image side: 4 is a field of view of 14 degrees."""

    @model_validator(mode="after")
    def _ordered(self) -> LocalizeConfig:
        if not self.min_focal_ratio < self.max_focal_ratio:
            raise ValueError(
                f"min_focal_ratio must be below max_focal_ratio, got {self.min_focal_ratio:g} and "
                f"{self.max_focal_ratio:g}"
            )
        return self


class CascadeConfig(Section):
    """Coarse-to-fine matching, used if ``localize.matching`` is ``cascade``."""

    num_initial_images: int = Field(10, ge=1, le=1000)
    """Retrieved images whose landmarks are matched first."""
    accept_above: float = Field(0.95, gt=0, le=1)
    """Confidence of a landmark pose that makes matching of single images unnecessary. Once images
    are matched, ``confidence.min_confidence`` suffices."""
    images_per_step: int = Field(2, ge=1, le=100)
    """Single images matched before the pose is estimated again."""
    max_images: int = Field(10, ge=0, le=1000)
    """Single images matched at most; 0: none."""
    reject_below: float = Field(0.1, ge=0, lt=1)
    """Confidence after matching some single images below which matching stops. Of 180 photos of
    other towns 151 were below it after two images; of 30 of the same town none that was localized
    later."""


class SequenceConfig(Section):
    """Localization of consecutive frames with odometry."""

    radius_depths: float = Field(0.5, gt=0, le=100)
    """Search radius around the position that odometry predicts, in median distances of the map's
    points from their cameras."""
    drift_share: float = Field(0.2, ge=0, le=10)
    """Growth of that radius, as a share of the distance since the last pose. Wheels and phones
    drift by a few percent; a fifth is far worse than usual."""
    window: int = Field(8, ge=2, le=1000)
    """Last frames that are solved jointly where a single frame is not localized."""
    min_inliers_of_frame: int = Field(4, ge=3, le=1000)
    """Least number of inliers of a frame that counts towards ``min_frames``."""
    min_frames: int = Field(3, ge=2, le=1000)
    """Frames that must agree on a jointly solved pose, which no confidence model checks."""


class PriorConfig(Section):
    """Pose priors (``types.Prior``): known position, height or orientation of a photo."""

    margin_depths: float = Field(1.0, ge=0, le=100)
    """Margin around the prior's radius within which map images are retrieved, in median distances
    of the map's points from their cameras. Two cameras this far apart see a point 60 degrees apart,
    and features do not match beyond."""
