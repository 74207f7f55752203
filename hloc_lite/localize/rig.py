"""Localizes a rig: one pose from the photos that its cameras took at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import Config, PoseConfig
from hloc_lite.errors import ConfigError, HlocLiteError, counted
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.cascade import match_images, match_landmarks
from hloc_lite.localize.pipeline import QueryPipeline, keypoints_of
from hloc_lite.localize.query import (
    Image,
    Query,
    name_of,
    query_camera,
    read_query,
    with_matched_keypoints,
)
from hloc_lite.localize.result import milliseconds
from hloc_lite.localize.verification import PoseVerifier
from hloc_lite.localize.weighting import weigh
from hloc_lite.pose.inlier_model import usable_mask
from hloc_lite.pose.refine import refine_on_inliers
from hloc_lite.protocols import RigEstimator
from hloc_lite.registry import Runtime, create_rig_estimator, rig_estimator_names
from hloc_lite.types import (
    Correspondences,
    Prior,
    RetrievalHits,
    Rig,
    RigCamera,
    Rigid3,
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


def localize_photos(
    pipeline: QueryPipeline,
    estimator: RigEstimator,
    images: Sequence[Image],
    rig: Rig,
    prior: Prior | None,
) -> RigLocalizationResult:
    """Localize a rig by a photo of each camera; arguments as for ``Localizer.localize_rig``."""
    clock, unreadable, found = StageClock(), dict[str, str](), list[Correspondences]()
    mounted = list(rig.cameras)
    names = [f"{index}: {name_of(image)}" for index, image in enumerate(images)]
    for index, (name, image, each) in enumerate(zip(names, images, rig.cameras, strict=True)):
        try:
            with clock("read"):
                photo = read_query(image, name, pipeline.config)
                camera = query_camera(photo, each.camera, pipeline.config)
        except HlocLiteError as error:
            unreadable[name] = str(error)
            found.append(no_correspondences())
        else:
            mounted[index] = replace(each, camera=camera)
            query, hits = pipeline.describe(photo, camera, prior=prior, clock=clock)
            found.append(photo_matches(pipeline, query, hits, clock))
    return solve_rig(
        estimator, pipeline.verifier, names, found, Rig(tuple(mounted)), unreadable,
        pipeline.config, clock,
    )  # fmt: skip


def photo_matches(
    pipeline: QueryPipeline, query: Query, hits: RetrievalHits, clock: StageClock
) -> Correspondences:
    """Weighted correspondences of a query with the landmarks of all retrieved images."""
    if any(matcher.finds_keypoints for matcher in pipeline.matchers):
        matches = match_images(query, hits, pipeline.matchers, clock)
        query = with_matched_keypoints(query, matches)
    else:
        matches = match_landmarks(query, hits, pipeline.matchers, clock)
    if not any(each.by_image for each in matches):
        return no_correspondences()
    cues = pipeline.compute_cues(query, hits, matches, clock)
    with clock("cues"):
        every = np.arange(len(hits.names))
        (weighted,) = weigh([(0, cues.joined, [every])], keypoints_of(query), pipeline.config)
    return weighted.correspondences


def better_intrinsics(
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


def find_contradictions(
    estimator: RigEstimator,
    correspondences: Sequence[Correspondences],
    rig: Rig,
    pose: RigPoseEstimate,
    config: PoseConfig,
) -> dict[int, str]:
    """Cameras whose matches agree with a pose of their own instead of the rig's: row -> sentence.

    Such a camera is mounted otherwise than the rig says, or its intrinsics are wrong. The pose of
    the rig comes from the others and may be right.
    """
    found = {}
    needed = max(config.rig_min_inliers, config.rig_contradiction_share * pose.num_inliers)
    poses = rig.cams_from_world(pose.rig_from_world)
    for row, (matches, mask) in enumerate(zip(correspondences, pose.inlier_masks, strict=True)):
        count = int(mask.sum())
        if count >= config.rig_min_inliers or len(matches) < needed or len(rig) == 1:
            continue
        single = RigCamera(rig.cameras[row].camera, Rigid3.identity())
        alone = estimator.estimate([matches], Rig((single,)))
        if alone is not None and alone.num_inliers >= needed:
            distance, angle_deg = pose_errors(alone.rig_from_world, poses[row])
            found[row] = (
                f"{count} of its {len(matches)} correspondences agree with the rig, but "
                f"{alone.num_inliers} with a pose {distance:.3g} map units and {angle_deg:.3g} "
                f"degrees from it: its mounting or intrinsics are likely wrong"
            )
    return found


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
    doubts, contradictions = [""], dict[int, str]()
    if pose is not None:
        with clock("confidence"):
            doubts = better_intrinsics(verifier, correspondences, rig, pose, config.pose)
            contradictions = find_contradictions(estimator, correspondences, rig, pose, config.pose)
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
        reason += "".join(f"; {names[row]}: {each}" for row, each in contradictions.items())
    elif len(unreadable) == len(rig):
        status, reason = Status.UNREADABLE, "none of the photos could be read"
    elif number < needed:
        status = Status.TOO_FEW_MATCHES
        reason = f"all cameras together have {number} matches with the map, {needed} are needed"
    else:
        status = Status.NO_POSE
        reason = f"no pose agrees with {needed} of the {number} correspondences of all cameras"
    return RigLocalizationResult(
        tuple(names), status, reason, pose, tuple(correspondences), unreadable,
        milliseconds(clock), {names[row]: each for row, each in contradictions.items()},
    )  # fmt: skip
