"""Picture cards of a comparison: queries that one of two methods solves, with all their matches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hloc_lite.config import PoseConfig
from hloc_lite.evaluation.match_picture import draw_matches
from hloc_lite.evaluation.paired import Comparison, Flip
from hloc_lite.evaluation.paired_tables import pose_error_text
from hloc_lite.evaluation.query_error import QueryError
from hloc_lite.evaluation.shared_view import best_map_image
from hloc_lite.evaluation.thresholds import DistanceUnit
from hloc_lite.geometry.cameras import img_from_cam, pixel_differences
from hloc_lite.pose.inlier_model import bounds_px
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, LocalizationResult, Photo, PoseEstimate, Rigid3


@dataclass(frozen=True, eq=False)
class MatchFinder:
    """Matches of queries with one map, found when a picture is drawn."""

    model: SfmModel
    config: PoseConfig
    """Its inlier bound says which matches agree with a pose."""
    find: Callable[[Photo], tuple[LocalizationResult, Camera]]
    """Query photo -> result with correspondences, and the intrinsics."""
    load_map_photo: Callable[[str], Photo | None]


def shown_flips(comparison: Comparison, count: int) -> dict[str, tuple[Flip, tuple[str, ...]]]:
    """Query -> flip and the thresholds at which only one method solves it.

    Those of ``flip_lines``: the first ``count`` of each threshold, over all conditions.
    """
    overall = list(comparison.rows.values())[-1]
    chosen = {flip.name: flip for recall in overall.recalls for flip in recall.flips[:count]}
    labels: dict[str, list[str]] = {name: [] for name in chosen}
    for recall in overall.recalls:
        for flip in recall.flips:
            if flip.name in labels:
                labels[flip.name].append(recall.threshold.label)
    return {name: (flip, tuple(labels[name])) for name, flip in chosen.items()}


def flip_cards(
    comparison: Comparison,
    poses: Mapping[str, Mapping[str, Rigid3]],
    finders: Mapping[str, MatchFinder],
    load_query_photo: Callable[[str], Photo | None],
    unit: DistanceUnit,
    count: int,
) -> list[dict[str, Any]]:
    """Make a card for each of the ``shown_flips``.

    Args:
        comparison: comparison of two methods.
        poses: method -> query name of the ground truth -> its estimated cam_from_world.
        finders: method -> where its matches are looked for; methods without one have no pictures.
        load_query_photo: query name -> photo.
        unit: unit of the distances shown.
        count: number of queries at each threshold.
    """
    cards = []
    for name, (flip, labels) in shown_flips(comparison, count).items():
        photo = load_query_photo(name) if finders else None
        sides = [
            _side(method, poses[method].get(name), error, finders.get(method), photo, unit)
            for method, error in ((comparison.first, flip.first), (comparison.second, flip.second))
        ]
        solver = comparison.second if flip.excess > 0 else comparison.first
        cards.append({"name": name, "solver": solver, "within": ", ".join(labels), "sides": sides})
    return cards


def with_pose(
    result: LocalizationResult, cam_from_world: Rigid3 | None, camera: Camera, config: PoseConfig
) -> LocalizationResult:
    """Result with another pose; inliers are the correspondences that agree with it.

    Args:
        cam_from_world: the pose; None for a result without one.
        camera: intrinsics of the query.
        config: its inlier bound is that of poses.
    """
    found = result.correspondences
    if found is None or cam_from_world is None:
        return replace(result, pose=None)
    projected = img_from_cam(camera, cam_from_world.apply(found.points3D))
    errors = np.linalg.norm(pixel_differences(camera, projected, found.points2D), axis=1)
    agrees = errors <= bounds_px(found, camera, config)  # False for NaN
    return replace(result, pose=PoseEstimate(cam_from_world, agrees, 0, None, camera))


def _side(
    method: str,
    pose: Rigid3 | None,
    error: QueryError,
    finder: MatchFinder | None,
    photo: Photo | None,
    unit: DistanceUnit,
) -> dict[str, Any]:
    """Values of the template for one method."""
    side = {"method": method, "errors": pose_error_text(error, unit), "picture": None}
    if finder is None or photo is None:
        return side
    found, camera = finder.find(photo)
    result = with_pose(found, pose, camera, finder.config)
    best = best_map_image(result, finder.model)
    map_photo = finder.load_map_photo(best.name) if best else None
    agreeing = None if result.pose is None else int(result.pose.inlier_mask.sum())
    return side | {
        "picture": draw_matches(result, photo, (best, map_photo) if best and map_photo else None),
        "num_matches": 0 if result.correspondences is None else len(result.correspondences),
        "num_agreeing": agreeing,
    }
