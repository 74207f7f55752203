"""Pairs of images without parallax: a camera that only turned tells nothing about positions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hloc_lite.config import AssessmentConfig, Config
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.pairs import Pair
from hloc_lite.matching.geometric_verification import max_epipolar_error_px
from hloc_lite.types import Camera, Float64

MAX_PAIRS = 60
"""Pairs that are looked at, those with most matches first."""
INLIER_SHARE = 0.9
"""Share of the matches that the homography of a pair without parallax explains."""


def rotation_pair_share(
    two_views: Mapping[Pair, TwoView],
    keypoints: Mapping[str, Float64],
    cameras: Mapping[str, Camera],
    config: Config,
) -> float:
    """Share of the pairs whose matches a turn of the camera about its centre explains.

    Such pairs follow the homography K R K^-1. Its eigenvalues are those of the rotation R, on the
    unit circle, whatever the intrinsics K are. A plane seen from two places has others.

    Args:
        two_views: verified matches of pairs; those with fewer than ``geometry.min_inliers`` do not
            count.
        keypoints: (N, 2) pixels of each image.
        cameras: camera of each image; inlier bounds grow with its size.
    """
    least = config.geometry.min_inliers
    strong = [(pair, v) for pair, v in two_views.items() if len(v.inliers) >= least]
    strong.sort(key=lambda item: (-len(item[1].inliers), item[0]))
    results = [
        _is_rotation(
            keypoints[a][view.inliers[:, 0]],
            keypoints[b][view.inliers[:, 1]],
            max_epipolar_error_px(cameras[b], config.geometry),
            config.assessment,
        )
        for (a, b), view in strong[:MAX_PAIRS]
    ]
    return float(np.mean(results)) if results else 0.0


def _is_rotation(
    first: Float64, second: Float64, max_error_px: float, config: AssessmentConfig
) -> bool:
    """Return True if a homography explains the (K, 2) matches, and that of a turned camera.

    Args:
        max_error_px: inlier bound in the second image.
    """
    import cv2

    homography, mask = cv2.findHomography(
        first, second, cv2.RANSAC, max_error_px, maxIters=500, confidence=0.999
    )
    if homography is None or mask.mean() < INLIER_SHARE:
        return False
    determinant = np.linalg.det(homography)
    if abs(determinant) < 1e-12:
        return False
    moduli = np.abs(np.linalg.eigvals(homography / np.cbrt(determinant)))
    return bool(np.abs(moduli - 1).max() <= config.max_rotation_modulus)
