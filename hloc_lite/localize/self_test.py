"""Test of a map on its own photos, from their stored features: no photo is read.

Each photo is localized twice: without itself, which should give its known pose, and without all
images that share landmarks with it, where any pose is at a place that looks alike at best.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import SelfTestConfig, VisibilityConfig
from hloc_lite.errors import ConfigError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.left_out import LeftOutLifter, LoadedFeatures, ObservedLandmarks
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.query import Predictions, Query
from hloc_lite.localize.result import Answer
from hloc_lite.maps.calibration import SelfTestKind
from hloc_lite.maps.map import Map
from hloc_lite.pose.quality import median_inlier_distance
from hloc_lite.pose.visibility import expected_landmarks, observations
from hloc_lite.protocols import Lifter
from hloc_lite.scene import SfmImage, SfmModel, observed_points
from hloc_lite.types import Float32, Photo, RetrievalHits, Rigid3

RELATIVE_DISTANCE = 0.05
"""Largest error of a right position in maps without metres, over the mean distance of the cameras
from their centre."""


@dataclass(frozen=True, eq=False)
class SelfTestAnswer:
    """Answer about one photo of the map."""

    name: str
    kind: SelfTestKind
    has_pose: bool
    is_wrong: bool
    """True if there is a pose and its known error is beyond the bounds."""
    probability: float
    """Confidence by the global model; 0 without a pose."""
    is_learned: bool
    """True if some matches come from a learned matcher."""
    features: Mapping[str, float]
    """Pose-quality features."""
    best_image: str
    """Map image with most inliers; empty without a pose."""
    relative_error: float = math.nan
    """Position error over the median distance of the inliers; NaN without a pose or its truth."""
    angle_error_deg: float = math.nan
    """Angle between the estimated and the true orientation; NaN where ``relative_error`` is."""


class SelfTest:
    """Localizes photos of a map in the map without them.

    Args:
        localizer: localizer of one full map, without a calibration of the map.

    Raises:
        ConfigError: a compact map, which has no features of its images.
    """

    def __init__(self, localizer: Localizer) -> None:
        sfm_map = localizer.map
        if any(image.keypoints is None for image in sfm_map.model.images[:1]):
            raise ConfigError(
                "a compact map keeps no features of its images, so it cannot test itself: "
                "calibrate the full map, then compress it; the compact map keeps the calibration"
            )
        if localizer.pipeline.matchers[0].finds_keypoints:
            raise ConfigError(
                "the map was made by a matcher of photos: the test of a map uses stored features, "
                "and its keypoints have no descriptors. Its confidence stays the global one"
            )
        self._map = replace(sfm_map, features=LoadedFeatures(sfm_map.features))
        self._pipeline, self._config = localizer.pipeline, localizer.config
        lifter = self._pipeline.matchers[0].lifter
        self.landmarks = ObservedLandmarks(self._map, lifter)
        rows = zip(sfm_map.global_names, sfm_map.global_descriptors, strict=True)
        self.descriptors = dict(rows)
        """(D,) global descriptor of each image by name."""
        calibration = localizer.calibration
        if calibration is None:
            raise ConfigError("confidence.enabled is false: there is nothing to calibrate")
        scale = self._pipeline.verifier.metres_per_unit
        if scale is None:
            distance = RELATIVE_DISTANCE * camera_spread(sfm_map.model)
        else:
            distance = calibration.bounds.distance / scale
        self._limits = (distance, calibration.bounds.angle_deg)

    def names(self, kind: SelfTestKind) -> list[str]:
        """Photos that can be tested, in an order that spreads a sample over the map."""
        chosen = sorted(self.landmarks.lifter.image_names & self.descriptors.keys())
        least = self._config.self_test.min_images_left
        total = len(chosen)
        chosen = [name for name in chosen if total - len(self.left_out(name, kind)) >= least]
        order = np.random.default_rng(self._config.self_test.seed).permutation(len(chosen))
        return [chosen[row] for row in order]

    def left_out(self, name: str, kind: SelfTestKind) -> set[str]:
        """Images that are left out of the map while a photo is tested."""
        if kind is SelfTestKind.SELF_LEFT_OUT:
            return {name}
        least = self._config.self_test.neighbour_landmarks
        shared = self.landmarks.shared[name]
        return {name, *(other for other, count in shared.items() if count >= least)}

    def answer(self, name: str, kind: SelfTestKind) -> SelfTestAnswer:
        """Localize a photo of the map without it, or without its neighbourhood."""
        image = self._map.model.image_named(name)
        assert image is not None
        query = stored_query(self._map, image)
        left_out = self.left_out(name, kind)
        descriptor = self.descriptors[name]
        return self.answer_query(query, descriptor, left_out, image.cam_from_world, kind)

    def answer_query(
        self,
        query: Query,
        descriptor: Float32,
        left_out: Collection[str],
        truth: Rigid3 | None,
        kind: SelfTestKind,
    ) -> SelfTestAnswer:
        """Localize a described photo in the map without some of its images.

        Args:
            descriptor: (D,) global descriptor of the photo.
            truth: pose of the photo in the map; None if it shows another place.
        """
        lifter = LeftOutLifter(self.landmarks, left_out)
        pipeline = self._pipeline.with_points(lifter, lifter.descriptors)
        hits = pipeline.retrieve(descriptor[None], allowed=lifter.image_names)
        found = pipeline.answer(query, hits, StageClock())
        verified, name = found.verified, query.photo.name
        confidence = None if verified is None else verified.confidence
        is_learned = any(each.is_learned for each in found.step.matches)
        if verified is None or confidence is None:
            return SelfTestAnswer(name, kind, False, False, 0.0, is_learned, {}, "")
        pose = verified.selected.hypothesis.pose
        assert pose is not None  # there is no confidence without a pose
        distance, angle_deg = (
            (math.nan, math.nan) if truth is None else pose_errors(pose.cam_from_world, truth)
        )
        is_right = distance <= self._limits[0] and angle_deg <= self._limits[1]
        seen = median_inlier_distance(verified.selected.hypothesis.correspondences, pose)
        return SelfTestAnswer(
            name, kind, True, not is_right, confidence.probability, is_learned,
            confidence.features, _best_image(found), distance / seen, angle_deg,
        )  # fmt: skip


def stored_query(sfm_map: Map, image: SfmImage) -> Query:
    """Query made of the stored features of a map image; networks do not see its photo."""
    photo = Photo(image.name, np.zeros((1, 1, 3), np.uint8))
    camera = sfm_map.model.cameras[image.camera_id]
    return Query(photo, camera, True, (sfm_map.features[image.name],), Predictions(None, None))


def run_self_test(
    test: SelfTest,
    config: SelfTestConfig,
    max_seconds: float | None = None,
    progress: Callable[[Sequence[tuple[str, SelfTestKind]]], Sequence[tuple[str, SelfTestKind]]]
    | None = None,
) -> list[SelfTestAnswer]:
    """Test a sample of the map's photos, both kinds in turn.

    Args:
        max_seconds: no further photo is tested after this time; None for no limit.
        progress: wraps the photos, to show how many are done.
    """
    start = time.perf_counter()
    lists = [test.names(kind)[: config.max_images] for kind in SelfTestKind]
    rows = [
        (names[index], kind)
        for index in range(max(map(len, lists), default=0))
        for kind, names in zip(SelfTestKind, lists, strict=True)
        if index < len(names)
    ]
    answers = []
    for name, kind in rows if progress is None else progress(rows):
        if max_seconds is not None and time.perf_counter() - start > max_seconds:
            break
        answers.append(test.answer(name, kind))
    return answers


def landmark_repeatability(
    model: SfmModel, lifter: Lifter, landmarks: ObservedLandmarks, config: VisibilityConfig
) -> Float32:
    """(M,) share of the map images that should see each landmark and do; NaN where none should.

    An image should see what its neighbours observe from similar directions and distances.
    """
    expected, seen = np.zeros(lifter.num_points), np.zeros(lifter.num_points)
    points = {name: observed_points(lifter.points_of(name)) for name in lifter.image_names}
    for name in sorted(lifter.image_names):
        image = model.image_named(name)
        assert image is not None
        found = observations({each: points[each] for each in landmarks.shared[name]}, lifter, model)
        camera = model.cameras[image.camera_id]
        in_view = expected_landmarks(found, image.cam_from_world, camera, config)
        expected[in_view] += 1
        seen[np.intersect1d(in_view, points[name], assume_unique=True)] += 1
    with np.errstate(invalid="ignore"):
        return (seen / np.where(expected > 0, expected, np.nan)).astype(np.float32)


def camera_spread(model: SfmModel) -> float:
    """Mean distance of the cameras from their centre, map units."""
    centers = np.array([image.cam_from_world.center for image in model.images])
    return float(np.linalg.norm(centers - centers.mean(axis=0), axis=1).mean())


def _best_image(found: Answer) -> str:
    """Retrieved image with most inliers of the pose."""
    assert found.verified is not None
    hypothesis = found.verified.selected.hypothesis
    assert hypothesis.pose is not None
    points = np.unique(hypothesis.correspondences.point3D_idxs[hypothesis.pose.inlier_mask])
    hits: RetrievalHits = found.hits
    matches = found.step.matches[0].by_image
    counts = [
        len(np.intersect1d(points, matches[name].point3D_idxs)) if name in matches else 0
        for name in hits.names
    ]
    return hits.names[int(np.argmax(counts))] if counts else ""
