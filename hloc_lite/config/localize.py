"""Config of localization: retrieved images, coarse-to-fine matching, sequences, pose priors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hloc_lite.config.section import Section


class LocalizeConfig(Section):
    matching: Literal["cascade", "landmarks", "images"] = "cascade"
    """What queries are matched with: images, one by one, by the map's matcher; landmarks, all that
    the images see at once; or first landmarks, then images until the pose is sure."""
    num_retrieved: int = Field(20, ge=1, le=1000)
    """Map images a query is matched against."""
    only_landmarks: bool = True
    """Match only those keypoints of a map image that have a 3D point: others cannot help a pose,
    and leaving them out makes LightGlue faster."""
    cached_images: int = Field(512, ge=1, le=1000000)
    """Map images whose features stay in memory: 256 MB at 1024 keypoints of 128 floats."""
    exclude_same_name: bool = True
    """A map image of the query's own name is not retrieved: it would be the query itself."""
    max_ratio: float = Field(1.0, gt=0, le=1)
    """mutual-nn, where scores become weights: in place of ``matching.max_ratio``. Weights make use
    of matches that a hard bound throws away."""
    covisibility_clustering: bool = True
    """Solve each group of retrieved images that share points by itself; the best one counts."""
    max_clusters: int = Field(4, ge=1, le=1000)
    """Groups tried, those with most matches first."""
    same_location_depths: float = Field(0.1, gt=0, le=10)
    """Poses no farther apart than so many median depths of their inliers are of one place..."""
    same_location_deg: float = Field(5.0, gt=0, le=180)
    """...and turned by no more than this: their inliers are joined, and one pose solved of all."""
    runner_up_share: float = Field(0.5, gt=0, le=1)
    """Least share of the inliers at which a rival pose elsewhere is sought among the matches that
    the answer leaves over; half of it takes eight times the trials."""
    max_runner_up_trials: int = Field(2000, ge=0, le=10**6)
    """0: no rival is sought."""
    focal_candidates: int = Field(16, ge=2, le=200)
    """Focal lengths tried where a photo says nothing of its own, between the two below."""
    min_focal_ratio: float = Field(0.4, gt=0.05, le=10)
    """Focal length over longer image side: 0.4 is a 103 degree lens."""
    max_focal_ratio: float = Field(4.0, gt=0.05, le=50)
    """4 is a 14 degree lens."""

    @model_validator(mode="after")
    def _ordered(self) -> LocalizeConfig:
        if not self.min_focal_ratio < self.max_focal_ratio:
            raise ValueError(
                f"min_focal_ratio must be below max_focal_ratio, got {self.min_focal_ratio:g} and "
                f"{self.max_focal_ratio:g}"
            )
        return self


class CascadeConfig(Section):
    """How far a query goes, if ``localize.matching`` is ``cascade``."""

    num_initial_images: int = Field(10, ge=1, le=1000)
    """Retrieved images whose landmarks are matched first."""
    accept_above: float = Field(0.95, gt=0, le=1)
    """Confidence of a pose by landmarks at which no images are matched; of those a few are enough
    that make a pose as likely as ``confidence.min_confidence`` asks."""
    images_per_step: int = Field(2, ge=1, le=100)
    """Images that are matched one by one between two looks at the pose."""
    max_images: int = Field(10, ge=0, le=1000)
    """That are matched one by one at most; 0: none."""
    reject_below: float = Field(0.1, ge=0, lt=1)
    """Confidence after some of them below which no more are matched. Of 180 photos of other towns
    151 were below after two images, of 30 of the town's own none that was given a pose later."""


class SequenceConfig(Section):
    """Frames with odometry, one after another."""

    radius_depths: float = Field(0.5, gt=0, le=100)
    """How far from where odometry expects it a frame is looked for, in median distances of the
    map's points from their cameras, ..."""
    drift_share: float = Field(0.2, ge=0, le=10)
    """...and what of the way since the last pose is added to that: wheels and phones drift by a few
    percent, a fifth is a bad day."""
    window: int = Field(8, ge=2, le=1000)
    """Last frames that are solved together where one alone is not enough."""
    min_inliers_of_frame: int = Field(4, ge=3, le=1000)
    """A frame with fewer does not count..."""
    min_frames: int = Field(3, ge=2, le=1000)
    """...towards the frames that must agree on a pose: nobody judges it otherwise."""


class PriorConfig(Section):
    """Where a photo was taken, or how it was held, is known beforehand (``types.Prior``)."""

    margin_depths: float = Field(1.0, ge=0, le=100)
    """Map images so far beyond the prior's radius still count, in median distances of the map's
    points from their cameras: so far apart, two cameras see a point 60 degrees apart, and features
    match no farther."""
