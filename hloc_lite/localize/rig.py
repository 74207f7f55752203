"""Localizes a rig: one pose from the photos that its cameras took at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import PoseConfig
from hloc_lite.errors import HlocLiteError, counted
from hloc_lite.localize.cascade import match_landmarks
from hloc_lite.localize.pipeline import QueryPipeline, keypoints_of
from hloc_lite.localize.query import Image, Query, name_of, query_camera, read_query
from hloc_lite.localize.result import milliseconds
from hloc_lite.localize.weighting import weigh
from hloc_lite.protocols import RigEstimator
from hloc_lite.registry import Runtime, create_rig_estimator, rig_estimator_names
from hloc_lite.types import (
    Correspondences,
    Prior,
    RetrievalHits,
    Rig,
    RigLocalizationResult,
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
    names = [f"{index}: {name_of(image)}" for index, image in enumerate(images)]
    for name, image, each in zip(names, images, rig.cameras, strict=True):
        try:
            with clock("read"):
                photo = read_query(image, name, pipeline.config)
                camera = query_camera(photo, each.camera, pipeline.config)
        except HlocLiteError as error:
            unreadable[name] = str(error)
            found.append(no_correspondences())
        else:
            query, hits = pipeline.describe(photo, camera, prior=prior, clock=clock)
            found.append(photo_matches(pipeline, query, hits, clock))
    return solve_rig(estimator, names, found, rig, unreadable, pipeline.config.pose, clock)


def photo_matches(
    pipeline: QueryPipeline, query: Query, hits: RetrievalHits, clock: StageClock
) -> Correspondences:
    """Weighted correspondences of a query with the landmarks of all retrieved images."""
    matches = match_landmarks(query, hits, pipeline.matchers, clock)
    if not any(each.by_image for each in matches):
        return no_correspondences()
    cues = pipeline.compute_cues(query, hits, matches, clock)
    with clock("cues"):
        every = np.arange(len(hits.names))
        (weighted,) = weigh([(0, cues.joined, [every])], keypoints_of(query), pipeline.config)
    return weighted.correspondences


def solve_rig(
    estimator: RigEstimator,
    names: Sequence[str],
    correspondences: Sequence[Correspondences],
    rig: Rig,
    unreadable: Mapping[str, str],
    config: PoseConfig,
    clock: StageClock,
) -> RigLocalizationResult:
    """Solve one pose on the correspondences of all cameras.

    Args:
        names: names of the photos, in the rig's order.
        correspondences: correspondences of each photo, in the same order.
        unreadable: name -> reason for each photo that could not be read.
    """
    with clock("pose"):
        pose = estimator.estimate(correspondences, rig)
    number, needed = sum(map(len, correspondences)), config.rig_min_inliers
    if pose is not None:
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
