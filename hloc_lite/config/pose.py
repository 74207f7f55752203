"""Config of pose estimation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config.section import Section


class PoseConfig(Section):
    """Camera pose from 2D-3D correspondences: RANSAC, local optimization, refinement."""

    estimator: str = "weighted"
    """Name of an estimator in the registry; only ``weighted`` uses the weights of correspondences.
    It takes 0.1 to 0.4 of the time of ``poselib`` at 10 % inliers, 0.7 to 1.1 of it at 50 %."""
    max_error_px: float = Field(12.0, ge=0.001, le=1000)
    """Inlier threshold at ``reference_side_px``; scaled with the longer image side (hloc's 12 px).
    """
    reference_side_px: int = Field(1600, ge=64, le=10**6)
    """Longer image side at which the threshold above holds."""
    keypoint_sigma_px: float = Field(1.5, gt=0, le=100)
    """Standard deviation of keypoints along each axis, at ``reference_side_px``. Landmarks of maps
    from depth that are less certain than that, seen from the camera, weigh less."""
    min_inliers: int = Field(6, ge=4, le=10000)
    """Least number of inliers of a pose. Six also agree by chance, so the confidence model looks at
    more than their number. With ``confidence.enabled`` false, 12 is safe (HF-Net's bound)."""
    rig_min_inliers: int = Field(12, ge=4, le=10000)
    """Least number of inliers of a rig pose, in all cameras together. No confidence model checks
    rig poses."""
    rig_contradiction_share: float = Field(0.5, gt=0, le=1)
    """A camera with hardly any inlier contradicts its rig if a pose of its own has this share of
    the rig's inliers, and ``rig_min_inliers``: its mounting or intrinsics are wrong. A photo that
    is only weak, or like another place in part, has far fewer, and keeps the pose of the rig."""
    confidence: float = Field(0.9999, gt=0, lt=1)
    """RANSAC success probability."""
    min_num_trials: int = Field(100, ge=1, lt=2**31)
    """With local optimization 100 trials find the same poses as 1000, in a third of the time."""
    max_num_trials: int = Field(100000, ge=1, lt=2**31)
    """Trials after which RANSAC ends in any case."""
    sampling: Literal["mixed", "prosac"] = "mixed"
    """``weighted`` samples by weight and uniformly (mixed), or best weights first (prosac)."""
    early_trials: int = Field(5000, ge=0)
    """Trials that mostly sample by weight. With informative weights and 2 % inliers, 2000 trials
    find the pose."""
    early_weighted_share: float = Field(0.7, ge=0, le=1)
    """Share of the early samples that are drawn by weight; the others are uniform."""
    late_weighted_share: float = Field(0.05, ge=0, le=1)
    """Share of the later samples that are drawn by weight: wrong weights then cost 5 % of them."""
    prior_inlier_ratio: float = Field(0.1, gt=0, lt=1)
    """Inlier ratio among correspondences of mean weight, assumed before any pose is known."""
    first_batch: int = Field(100, ge=1, le=65536)
    """Samples in the first batch; each later batch has up to four times as many. 100 have to be
    drawn in any case, and suffice at 50 % inliers."""
    max_batch: int = Field(4096, ge=1, le=65536)
    """Samples in the largest batch; more do not fit the processor's cache."""
    device_batch: int = Field(16384, ge=1, le=2**20)
    """Samples per batch on an accelerator. A batch launches about 500 kernels whatever its size;
    16384 samples take 100 MB of its memory."""
    screening_correspondences: int = Field(128, ge=8, le=65536)
    """Correspondences on which all poses of a batch are compared first: 6 inliers at 5 %."""
    screening_survivors: int = Field(32, ge=1, le=65536)
    """Poses of a batch that are scored on all correspondences."""
    optimized_per_batch: int = Field(2, ge=1, le=1000)
    """Poses of a batch that may be optimized locally, if they score above all minimal ones before.
    """
    depth_scored_per_batch: int = Field(8, ge=1, le=1000)
    """Best poses of a batch whose depths are compared with the predicted ones, if
    ``depth.in_ransac``. It takes 1 ms at 1000 correspondences."""
    optimization_steps: int = Field(6, ge=0, le=100)
    """Gauss-Newton steps at most; stops earlier at convergence."""
    refine_loss_sigmas: float = Field(2.385, gt=0, le=1000)
    """Scale of the Cauchy loss in the refinement, in robust standard deviations of the inliers'
    errors. 2.385 has 95 % of the efficiency of least squares on normal noise."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of the samples that RANSAC draws."""
