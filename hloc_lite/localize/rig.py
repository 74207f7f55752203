"""Localizes a rig: one pose from the photos that its cameras took at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import Config, PoseConfig
from hloc_lite.errors import ConfigError, counted
from hloc_lite.localize.cascade import match_landmarks
from hloc_lite.localize.pipeline import QueryPipeline
from hloc_lite.localize.query import Query
from hloc_lite.localize.result import milliseconds
from hloc_lite.localize.verification import PoseVerifier
from hloc_lite.localize.weighting import weigh
from hloc_lite.pose.inlier_model import usable_mask
from hloc_lite.pose.refine import refine_on_inliers
from hloc_lite.protocols import RigEstimator
from hloc_lite.registry import Runtime, create_rig_estimator, rig_estimator_names
from hloc_lite.types import (
    Correspondences,
    RetrievalHits,
    Rig,
    RigLocalizationResult,
    RigPoseEstimate,
    Status,
)


def no_correspondences() -> Correspondences:
    """Empty correspondences, for a photo that could not be read or matched."""
    no_idxs = np.zeros(0, np.int64)
    return Correspondences(np.zeros((0, 2)), np.zeros((0, 3)), no_idxs, no_idxs, np.zeros(0))


def make_rig_estimator(config: PoseConfig, runtime: Runtime) -> RigEstimator:
    """Make the rig version of ``pose.estimator``; ``weighted`` if it has none."""
    name = config.estimator if config.estimator in rig_estimator_names() else "weighted"
    estimator: RigEstimator = create_rig_estimator(name, config, runtime)
    return estimator


def photo_matches(
    pipeline: QueryPipeline, query: Query, hits: RetrievalHits, clock: StageClock
) -> Correspondences:
    """Weighted correspondences of a query with the landmarks of all retrieved images."""
    matches = match_landmarks(query, hits, pipeline.matchers, clock)
    if not any(each.by_image for each in matches):
        return no_correspondences()
    cues = pipeline.compute_cues(query, hits, matches, clock)
    with clock("cues"):
        keypoints = np.concatenate([features.keypoints for features in query.features])
        every = np.arange(len(hits.names))
        (weighted,) = weigh([(0, cues.joined, [every])], keypoints, pipeline.config)
    return weighted.correspondences


def intrinsics_doubts(
    verifier: PoseVerifier,
    correspondences: Sequence[Correspondences],
    rig: Rig,
    pose: RigPoseEstimate,
    config: PoseConfig,
) -> list[str]:
    """For each camera, the sentence on intrinsics that fit better; empty if none do.

    Each camera is tested at a pose of its own, so that errors of extrinsics or of odometry are not
    taken for errors of intrinsics.
    """
    doubts = []
    poses = rig.cams_from_world(pose.rig_from_world)
    for matches, each, cam_from_world in zip(correspondences, rig.cameras, poses, strict=True):
        kept = matches.subset(usable_mask(matches))
        alone = refine_on_inliers(kept, each.camera, cam_from_world, config, pose.num_trials)
        doubts.append("" if alone is None else verifier.test_intrinsics(kept, alone).sentence)
    return doubts


def solve_rig(
    estimator: RigEstimator,
    verifier: PoseVerifier,
    names: Sequence[str],
    correspondences: Sequence[Correspondences],
    rig: Rig,
    unreadable: Mapping[str, str],
    config: Config,
    clock: StageClock,
) -> RigLocalizationResult:
    """Solve one pose on the correspondences of all cameras.

    Args:
        names: names of the photos, in the rig's order.
        correspondences: correspondences of each photo, in the same order.
        rig: cameras with the intrinsics of their photos, as these were read.
        unreadable: name -> reason for each photo that could not be read.

    Raises:
        ConfigError: a share of wrong answers is promised, for poses without confidence.
    """
    if (config.confidence.max_wrong or 1) < 1:
        raise ConfigError(
            "a promise (max_wrong) needs a confidence, which rigs do not have: localize the photos "
            "one by one, or leave it out"
        )
    with clock("pose"):
        pose = estimator.estimate(correspondences, rig)
    doubts = [""]
    if pose is not None:
        with clock("confidence"):
            doubts = intrinsics_doubts(verifier, correspondences, rig, pose, config.pose)
    number, needed = sum(map(len, correspondences)), config.pose.rig_min_inliers
    if any(doubts):
        pose, status = None, Status.DOUBTFUL
        reason = "; ".join(
            f"{name}: {doubt}" for name, doubt in zip(names, doubts, strict=True) if doubt
        )
    elif pose is not None:
        status = Status.LOCALIZED
        seeing = counted(len(rig) - len(unreadable), "camera")
        reason = f"{pose.num_inliers} of {number} correspondences of {seeing} agree"
        if unreadable:
            reason += f"; {counted(len(unreadable), 'photo')} could not be read"
    elif len(unreadable) == len(rig):
        status, reason = Status.UNREADABLE, "none of the photos could be read"
    elif number < needed:
        status = Status.TOO_FEW_MATCHES
        reason = f"all cameras together have {number} matches with the map, {needed} are needed"
    else:
        status = Status.NO_POSE
        reason = f"no pose agrees with {needed} of the {number} correspondences of all cameras"
    return RigLocalizationResult(
        tuple(names), status, reason, pose, tuple(correspondences), unreadable, milliseconds(clock)
    )
