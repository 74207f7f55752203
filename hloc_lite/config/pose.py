"""Config of pose estimation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config.section import Section


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
    prior_inlier_ratio: float = Field(0.1, gt=0, lt=1)
    """Of right correspondences among those of mean weight, before any pose is known."""
    first_batch: int = Field(100, ge=1, le=65536)
    """Samples solved at once at first, up to four times as many each time: 100 have to be drawn
    anyway, and are enough at 50 % inliers."""
    max_batch: int = Field(4096, ge=1, le=65536)
    """Larger ones leave the processor's cache."""
    device_batch: int = Field(16384, ge=1, le=2**20)
    """On an accelerator instead of both, which starts some 500 kernels for a batch whatever its
    size; 16384 samples take 100 MB of its memory."""
    screening_correspondences: int = Field(128, ge=8, le=65536)
    """Correspondences that all poses of a batch are compared on: 6 inliers at 5 %."""
    screening_survivors: int = Field(32, ge=1, le=65536)
    """Poses of a batch that are scored on all correspondences."""
    optimized_per_batch: int = Field(2, ge=1, le=1000)
    """Poses of a batch that may be optimized locally, if they beat all minimal ones before."""
    depth_scored_per_batch: int = Field(8, ge=1, le=1000)
    """Poses of a batch, the best of those that came through, whose depths are compared with the
    predicted ones if ``depth.in_ransac``: 1 ms of 1000 correspondences."""
    optimization_steps: int = Field(6, ge=0, le=100)
    """Of Gauss-Newton, fewer where they stop helping."""
    refine_loss_sigmas: float = Field(2.385, gt=0, le=1000)
    """Scale of the Cauchy loss of the refinement, in standard deviations of the inliers' errors
    (taken from their median): 2.385 has 95 % of least squares' efficiency on normal noise."""
    seed: int = Field(0, ge=0, lt=2**31)
