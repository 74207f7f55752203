"""Fusion of lifted keypoints: those that match and whose points agree are one landmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.config import LiftingConfig
from hloc_lite.mapping.landmark_refinement import (
    DepthObservations,
    PosedCameras,
    RefinedLandmarks,
    refine_landmarks,
)
from hloc_lite.types import Bool, Float64, Int64

MIN_VARIANCE = 1e-18
"""Added to each axis: exact points have singular covariances."""


@dataclass(frozen=True, eq=False)
class PlacedKeypoints:
    """Observations of keypoints that have a point: that of a track, or one of their own.

    ``observations.landmark_idxs`` are T triangulated tracks first, then one landmark for each
    lifted keypoint without a track.
    """

    observations: DepthObservations
    lifted: Float64
    """(O, 3) point of each observation by its own depth; NaN without one."""
    xyz: Float64
    """(L, 3) points of the landmarks."""
    covariances: Float64
    """(L, 3, 3)"""


@dataclass(frozen=True, eq=False)
class FusedLandmarks:
    """Landmarks after fusion, each observed by an image at most once."""

    observations: DepthObservations
    landmarks: RefinedLandmarks
    num_joined: int
    """Landmarks that more than one of the given ones became."""


def fuse_landmarks(
    placed: PlacedKeypoints,
    matches: Int64,
    images: PosedCameras,
    config: LiftingConfig,
    max_error_px: Float64,
) -> FusedLandmarks:
    """Join landmarks that matches connect and whose points agree, and fit them to all observations.

    Args:
        matches: (K, 2) rows of the observations that a verified match connects.
        max_error_px: (I,) largest reprojection error of an observation in each image; one with more
            becomes a landmark of its own if it has a depth.
    """
    agreeing = matches[_agree(placed, matches, config.fusion_sigmas)]
    owners = placed.observations.landmark_idxs
    joined = _components(owners[agreeing], len(placed.xyz))
    fused = _with_shared_errors(_with_owners(placed.observations, joined[owners]))
    start = _weighted_means(placed, joined)
    found = refine_landmarks(start, fused, images)
    keep = found.errors_px <= max_error_px[fused.image_idxs]
    keep &= _best_of_image(fused, found.errors_px)
    observations, xyz, rows = _split(fused, found.xyz, keep, placed)
    # the standard deviations of single depths again, shared by those that are left
    z_sigmas = placed.observations.z_sigmas[rows]
    observations = _with_shared_errors(replace(observations, z_sigmas=z_sigmas))
    landmarks = refine_landmarks(xyz, observations, images)
    return FusedLandmarks(
        observations, landmarks, len(placed.xyz) - int(joined.max(initial=-1)) - 1
    )


def _agree(placed: PlacedKeypoints, matches: Int64, sigmas: float) -> Bool:
    """(K,) True for matches of landmarks that coincide within their standard deviations."""
    first, second = placed.observations.landmark_idxs[matches].T
    difference = placed.xyz[first] - placed.xyz[second]
    covariance = placed.covariances[first] + placed.covariances[second]
    covariance = covariance + MIN_VARIANCE * np.eye(3)
    solved = np.linalg.solve(covariance, difference[..., None])[..., 0]
    return np.asarray((difference * solved).sum(axis=1) <= sigmas**2)


def _components(pairs: Int64, size: int) -> Int64:
    """(size,) connected component of each landmark."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(size, size))
    _, labels = connected_components(edges, directed=False)
    return np.asarray(labels, np.int64)


def _with_owners(observations: DepthObservations, owners: Int64) -> DepthObservations:
    return replace(observations, landmark_idxs=owners)


def _with_shared_errors(observations: DepthObservations) -> DepthObservations:
    """Observations whose n depths of one landmark count together as one.

    Errors of a sensor are alike in images taken from similar places, so their mean is no better.
    """
    measured = np.isfinite(observations.z)
    counts = np.bincount(observations.landmark_idxs, measured)
    growth = np.sqrt(np.maximum(counts, 1))[observations.landmark_idxs]
    return replace(observations, z_sigmas=observations.z_sigmas * growth)


def _weighted_means(placed: PlacedKeypoints, joined: Int64) -> Float64:
    """Mean of the points that became one, weighted by the inverse of their variances."""
    variances = np.trace(placed.covariances, axis1=1, axis2=2) + MIN_VARIANCE
    weights = 1 / variances
    size = int(joined.max(initial=-1)) + 1
    sums = [np.bincount(joined, weights * column, size) for column in placed.xyz.T]
    return np.asarray(np.stack(sums, axis=1) / np.bincount(joined, weights, size)[:, None])


def _best_of_image(observations: DepthObservations, errors_px: Float64) -> Bool:
    """(O,) True for the observation of least error among those of one image and landmark."""
    order = np.lexsort((errors_px, observations.image_idxs, observations.landmark_idxs))
    keys = np.stack([observations.landmark_idxs[order], observations.image_idxs[order]])
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(keys, axis=1) != 0).any(axis=0)
    best = np.zeros(len(order), bool)
    best[order[first]] = True
    return best


def _split(
    observations: DepthObservations, xyz: Float64, keep: Bool, placed: PlacedKeypoints
) -> tuple[DepthObservations, Float64, Int64]:
    """Give each observation that does not fit a landmark of its own, where it has a depth.

    Landmarks without depth of which one observation is left are dropped.

    Returns:
        Observations and points of the landmarks, and the row of each observation among those given.
    """
    measured = np.isfinite(observations.z)
    alone = ~keep & measured
    counts = np.bincount(observations.landmark_idxs[keep], minlength=len(xyz))
    with_depth = np.bincount(observations.landmark_idxs[keep & measured], minlength=len(xyz))
    keep = keep & ((counts >= 2) | (with_depth > 0))[observations.landmark_idxs]
    owners = observations.landmark_idxs.copy()
    owners[alone] = len(xyz) + np.arange(np.count_nonzero(alone))
    points = np.concatenate([xyz, placed.lifted[alone]])
    used = np.flatnonzero(keep | alone)
    numbers, compact = np.unique(owners[used], return_inverse=True)
    return _with_owners(observations.subset(used), compact), points[numbers], used


def match_rows(first_rows: Sequence[Int64], pairs: Sequence[tuple[int, int, Int64]]) -> Int64:
    """(K, 2) rows of the observations that matches connect; matches of others are left out.

    Args:
        first_rows: (N,) row of the observation of each keypoint of each image, -1 without one.
        pairs: two images, and the (K, 2) matched rows of their keypoints.
    """
    found = [np.zeros((0, 2), np.int64)]
    for first, second, inliers in pairs:
        rows = np.stack([first_rows[first][inliers[:, 0]], first_rows[second][inliers[:, 1]]], 1)
        found.append(rows[(rows >= 0).all(axis=1)])
    return np.concatenate(found)
