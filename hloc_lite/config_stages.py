"""Sections of the config: images, features, matching, mapping, pose, localization."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ImagesConfig(Section):
    max_megapixels: float = Field(200.0, gt=0, le=2000)
    """Larger images are refused before decoding (a 200 MP photo takes 0.6 GB decoded)."""
    max_file_mb: float = Field(200.0, gt=0, le=4000)
    """Larger files are refused before reading."""
    exif_rotation: bool = True
    """Turn photos upright as their EXIF says; false for reference models made without."""


class FeaturesConfig(Section):
    name: str = "aliked-n16"
    """A name of ``registry.FEATURES``."""
    max_keypoints: int = Field(1024, ge=16, le=65536)
    """Best-scored keypoints kept; LightGlue's time grows with the square (0.3 s a pair at 1024)."""
    max_side_px: int = Field(1024, ge=64, le=16384)
    """Longer side at which the detector runs; keypoints come back in original pixels."""
    min_score: float = Field(0.0, ge=0, le=1)
    """Detections below are dropped, on top of the detector's own threshold; 0 keeps its default."""
    batch_size: int = Field(1, ge=1, le=256)
    """Photos of equal size run at once; above 1 it pays on GPUs only."""


class MatchingConfig(Section):
    name: str = "auto"
    """A name of ``registry.MATCHERS``; auto: the one that goes with the features."""
    max_ratio: float = Field(0.95, gt=0, le=1)
    """mutual-nn: best over second-best distance, of map images and, without weights, of queries
    (else ``localize.max_ratio``). On rendered street pairs 0.95 keeps 1.2 times the right matches
    of 0.9 for ALIKED, at 78 % precision; others in ``FEATURE_DEFAULTS``."""
    even_ratio: float = Field(0.8, gt=0, le=1)
    """mutual-nn: ratio of distances at which a match is as likely right as wrong. RootSIFT on
    rendered streets: 0.84 by day, 0.78 in another season, 0.73 at night."""
    ratio_slope: float = Field(16.0, ge=0, le=200)
    """mutual-nn: what the log odds of a match lose as the ratio goes from 0 to 1. RootSIFT on
    rendered streets: 15.7 by day, 15.8 in another season, 17.2 at night."""
    min_similarity: float = Field(0.0, ge=-1, le=1)
    """mutual-nn: cosine below which no match is made; 0 leaves it to the ratio."""
    min_score: float = Field(0.1, ge=0, le=1)
    """LightGlue's filter threshold (the authors' default)."""
    cheap_first: bool = True
    """Match map images by nearest neighbours first, and with the matcher above only those pairs
    that the three numbers below ask for. No effect on mutual-nn, nor on queries."""
    enough_verified: int = Field(80, ge=1, le=100000)
    """cheap_first: verified nearest neighbours with which a pair needs no other matcher; below,
    LightGlue doubles the right matches of a pair of ALIKED on a rendered street."""
    enough_pairs: int = Field(6, ge=1, le=1000)
    """cheap_first: pairs with so many that an image needs. One with fewer has its next best pairs
    matched again, as many as it lacks: 13 % of all in a dense street, 1 in 3 of those that overlap
    where the photos are 8 m apart."""
    chance_verified: int = Field(3, ge=0, le=1000)
    """cheap_first: so many agree by chance. Of 150 pairs with no more LightGlue found none to
    overlap; they are matched again only for images with less than two good pairs."""
    batch_size: int = Field(1, ge=1, le=256)
    """Pairs run at once; above 1 it pays on GPUs only."""


class RetrievalConfig(Section):
    name: str = "netvlad-lite0"
    """A name of ``registry.GLOBAL_DESCRIPTORS``."""
    max_side_px: int = Field(640, ge=64, le=4096)
    """Longer side at which the backbone runs."""
    num_clusters: int = Field(64, ge=2, le=4096)
    """NetVLAD words, the paper's number; 4 to 9 points of mean average precision above 32 on
    rendered streets."""
    vocabulary_images: int = Field(200, ge=1, le=100000)
    """Images sampled (seeded) for the vocabulary."""
    whiten_min_images: int = Field(2000, ge=2, lt=2**31)
    """PCA-whitening is learned only from at least so many images: from a few it halves recall."""
    output_dim: int = Field(1024, ge=8, le=65536)
    """Dimensions kept by the PCA, if one is learned."""
    seed: int = Field(0, ge=0, lt=2**31)


class PairsConfig(Section):
    spec: str = "auto"
    """exhaustive | retrieval:K | covisible:K | poses:K | sequential:K | a file of name pairs.
    auto: exhaustive up to ``exhaustive_max_images``, else retrieval:20."""
    exhaustive_max_images: int = Field(25, ge=2, le=1000)
    """Up to here all pairs are cheaper than a missed one (300 pairs)."""
    max_angle_deg: float = Field(60.0, gt=0, le=180)
    """poses:K only pairs cameras whose viewing directions differ by less."""


class GeometryConfig(Section):
    """Verification of matches between two map images."""

    max_epipolar_error_px: float = Field(4.0, gt=0, le=100)
    """Inlier bound; at original resolution for 1024 px images, scaled with larger ones."""
    reference_side_px: int = Field(1024, ge=64, le=10**6)
    """The image side at which the bound above holds."""
    min_inliers: int = Field(15, ge=5, le=1000)
    """Pairs with fewer verified matches are dropped (COLMAP's default)."""
    min_pose_agreement: float = Field(0.2, ge=0, le=1)
    """Share of its matches that must agree with given poses, in the best pair of the median image;
    right poses give 0.6 to 1, wrong ones below 0.1."""
    seed: int = Field(0, ge=0, lt=2**31)


class MappingConfig(Section):
    mapper: Literal["incremental", "global"] = "incremental"
    camera_model: str = "SIMPLE_RADIAL"
    """Model of cameras that have no given intrinsics (COLMAP's default)."""
    cameras: Literal["auto", "single", "per-image", "per-folder"] = "auto"
    """auto: images of equal size, EXIF camera and focal length share one camera."""
    min_triangulation_angle_deg: float = Field(1.5, gt=0, le=90)
    """Points seen under less are dropped (COLMAP's default)."""
    max_reprojection_error_px: float = Field(4.0, gt=0, le=100)
    """Observations with more are dropped (COLMAP's default)."""
    min_triangulated_share: float = Field(0.02, ge=0, le=1)
    """Share of the keypoints with verified matches that must get a point under given poses, else
    there is no map. Right ones gave 0.26 to 0.84, 1.5 times the right focal length 0.02."""
    low_triangulated_share: float = Field(0.15, ge=0, le=1)
    """Less is warned of: 1.1 to 1.25 times the right focal length gave 0.02 to 0.13 on rendered
    streets, twice the right one 0.1 on a textured wall."""
    threads: int = Field(-1, ge=-1, le=1024)
    """-1: all cores."""
    seed: int = Field(0, ge=0, lt=2**31)


class PoseConfig(Section):
    estimator: str = "weighted"
    """A name of ``registry.ESTIMATORS``; the only one that uses weights. Against ``poselib`` it
    takes 0.1 to 0.4 of the time at 10 % inliers, 0.7 to 1.1 of it at 50 %."""
    max_error_px: float = Field(12.0, ge=0.001, le=1000)
    """Inlier bound at ``reference_side_px``, scaled with the image's longer side (hloc's 12 px)."""
    reference_side_px: int = Field(1600, ge=64, le=10**6)
    min_inliers: int = Field(6, ge=4, le=10000)
    """Fewer: no pose. Six agree by chance as well; ``confidence`` tells by what else speaks for a
    pose. Where it is not asked, 12 is safe (HF-Net's bound)."""
    rig_min_inliers: int = Field(12, ge=4, le=10000)
    """Of all cameras of a rig together. Nothing but their number speaks for a rig's pose."""
    confidence: float = Field(0.9999, gt=0, lt=1)
    """That RANSAC has drawn one clean sample."""
    min_num_trials: int = Field(100, ge=1, lt=2**31)
    """With local optimization 100 end in the poses of 1000, in a third of the time."""
    max_num_trials: int = Field(100000, ge=1, lt=2**31)
    sampling: Literal["mixed", "prosac"] = "mixed"
    """How ``weighted`` draws: by weight and uniformly, or best weights first."""
    early_trials: int = Field(5000, ge=0)
    """Informative weights have found the pose by then: at 2 % inliers they need 2000."""
    early_weighted_share: float = Field(0.7, ge=0, le=1)
    """Of the samples until then, drawn by weight."""
    late_weighted_share: float = Field(0.05, ge=0, le=1)
    """Of those after: the rest is uniform, so that wrong weights cost 5 % of the samples."""
    prior_share: float = Field(0.1, gt=0, lt=1)
    """Of right correspondences among those of mean weight, before any pose is known."""
    first_batch: int = Field(100, ge=1, le=65536)
    """Samples solved at once at first, up to four times as many each time: 100 have to be drawn
    anyway, and are enough at 50 % inliers."""
    max_batch: int = Field(4096, ge=1, le=65536)
    """Larger ones leave the processor's cache."""
    device_batch: int = Field(16384, ge=1, le=2**20)
    """On an accelerator instead of both, which starts some 500 kernels for a batch whatever its
    size; 16384 samples take 100 MB of its memory."""
    screen_size: int = Field(128, ge=8, le=65536)
    """Correspondences that all poses of a batch are compared on: 6 inliers at 5 %."""
    screen_survivors: int = Field(32, ge=1, le=65536)
    """Poses of a batch that are scored on all correspondences."""
    optimized_per_batch: int = Field(2, ge=1, le=1000)
    """Poses of a batch that may be optimized locally, if they beat all minimal ones before."""
    judged_per_batch: int = Field(8, ge=1, le=1000)
    """Poses of a batch, the best of those that came through, whose depths are compared with the
    predicted ones if ``depth.in_ransac``: 1 ms of 1000 correspondences."""
    optimization_steps: int = Field(6, ge=0, le=100)
    """Of Gauss-Newton, fewer where they stop helping."""
    refine_loss_sigmas: float = Field(2.385, gt=0, le=1000)
    """Scale of the Cauchy loss of the refinement, in standard deviations of the inliers' errors
    (taken from their median): 2.385 has 95 % of least squares' efficiency on normal noise."""
    seed: int = Field(0, ge=0, lt=2**31)


class CascadeConfig(Section):
    """How far a query goes, if ``localize.matching`` is ``cascade``."""

    first_images: int = Field(10, ge=1, le=1000)
    """Retrieved images whose landmarks are matched first."""
    enough: float = Field(0.95, gt=0, le=1)
    """Confidence of a pose by landmarks at which no images are matched; of those a few are enough
    that make a pose as likely as ``confidence.min_confidence`` asks."""
    images_at_once: int = Field(2, ge=1, le=100)
    """Images that are matched one by one between two looks at the pose."""
    max_images: int = Field(10, ge=0, le=1000)
    """That are matched one by one at most; 0: none."""
    hopeless: float = Field(0.1, ge=0, lt=1)
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
    same_place_depths: float = Field(0.1, gt=0, le=10)
    """Poses no farther apart than so many median depths of their inliers are of one place..."""
    same_place_deg: float = Field(5.0, gt=0, le=180)
    """...and turned by no more than this: their inliers are joined, and one pose solved of all."""
    rival_share: float = Field(0.5, gt=0, le=1)
    """Least share of the inliers at which a rival pose elsewhere is sought among the matches that
    the answer leaves over; half of it takes eight times the trials."""
    max_rival_trials: int = Field(2000, ge=0, le=10**6)
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


class PriorConfig(Section):
    """Where a photo was taken, or how it was held, is known beforehand (``types.Prior``)."""

    slack_depths: float = Field(1.0, ge=0, le=100)
    """Map images so far beyond the prior's radius still count, in median distances of the map's
    points from their cameras: so far apart, two cameras see a point 60 degrees apart, and features
    match no farther."""
