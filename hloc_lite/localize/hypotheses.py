"""Several poses of one query: which of them agree, one answer of those, and its rival elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hloc_lite.config import LocalizeConfig
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.answers import Attempt, Choice
from hloc_lite.types import Correspondences, Cue, Int64, PoseEstimate, Rigid3

Refine = Callable[[Correspondences, PoseEstimate, Int64], PoseEstimate | None]
Rival = Callable[[Attempt], float]


def choose(
    attempts: Sequence[Attempt], refine: Refine, rival: Rival, config: LocalizeConfig
) -> Choice:
    """The place that most speaks for, solved again on the matches of all attempts that found it;
    without any pose, the first attempt.

    Args:
        refine: a pose on correspondences, from where a given one is; and which layer each is of.
        rival: support of the best pose elsewhere among the matches of one attempt.
    """
    places = places_of(attempts, config)
    if not places:
        return Choice(attempts[0], 0, None)
    places.sort(key=_support, reverse=True)  # stable: of equal ones the first
    best = places[0]
    answer = joined(best, refine)
    others = [_support(place) for place in places[1:]] + [rival(attempt) for attempt in best]
    return Choice(answer, len(best), min(max(others) / _support(best), 1.0))


def places_of(attempts: Sequence[Attempt], config: LocalizeConfig) -> list[list[Attempt]]:
    """Attempts with a pose in groups of one place, each around its best supported one."""
    places: list[list[Attempt]] = []
    for attempt in sorted(attempts, key=lambda each: -each.support):
        if attempt.pose is None:
            continue
        for place in places:
            if same_place(place[0], attempt.pose.cam_from_world, config):
                place.append(attempt)
                break
        else:
            places.append([attempt])
    return places


def same_place(attempt: Attempt, pose: Rigid3, config: LocalizeConfig) -> bool:
    """Whether a pose lies about where an attempt's does, by the depth of that one's inliers."""
    assert attempt.pose is not None
    own = attempt.pose.cam_from_world
    inliers = attempt.correspondences.points3D[attempt.pose.inlier_mask]
    # the distance along the ray: depth along the axis is 0 at the side of a fisheye image
    depth = float(np.median(np.linalg.norm(own.apply(inliers), axis=1)))
    distance, angle_deg = pose_errors(pose, own)
    return distance <= config.same_location_depths * depth and angle_deg <= config.same_location_deg


def joined(place: Sequence[Attempt], refine: Refine) -> Attempt:
    """One attempt of all that found a place: a pose of all their correspondences."""
    first = place[0]
    if len(place) == 1 or first.pose is None:
        return first
    correspondences, rows = union([each.correspondences for each in place])
    layers = np.repeat([each.layer for each in place], [len(each.gains) for each in place])
    pose = refine(correspondences, first.pose, layers[rows])
    if pose is None:
        return first
    counts = {key: sum(each.cue_counts.get(key, 0) for each in place) for key in first.cue_counts}
    agreement = np.average(
        [each.depth_agreement for each in place],
        weights=[each.pose.num_inliers for each in place if each.pose is not None],
    )
    return replace(
        first,
        correspondences=correspondences,
        pose=pose,
        cue_counts=counts,
        gains=np.concatenate([each.gains for each in place])[rows],
        depth_agreement=float(agreement),
        cues=_cues_of(place, rows),
    )


def union(parts: Sequence[Correspondences]) -> tuple[Correspondences, Int64]:
    """All of them; a pair of keypoint and point that several have counts once, with its largest
    weight. And which row of all parts, one after the other, each of them is."""
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("points2D", "points3D", "keypoint_idxs", "point3D_idxs", "weights")
    ]
    points2D, points3D, keypoints, points, weights = columns
    factors = [
        np.ones(len(part)) if part.bound_factors is None else part.bound_factors for part in parts
    ]
    has_factors = any(part.bound_factors is not None for part in parts)
    order = np.lexsort((-weights, points, keypoints))
    pairs = np.stack([keypoints[order], points[order]])
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(pairs, axis=1) != 0).any(axis=0)
    rows: Int64 = order[first]
    found = Correspondences(
        points2D[rows],
        points3D[rows],
        keypoints[rows],
        points[rows],
        weights[rows],
        np.concatenate(factors)[rows] if has_factors else None,
    )
    return found, rows


def rival_trials(num_inliers: int, num_left: int, config: LocalizeConfig) -> int:
    """Samples that find a pose of ``runner_up_share`` times the inliers among those left over, if
    there is one, with a probability of 99 %."""
    share = min(config.runner_up_share * num_inliers / max(num_left, 1), 1.0)
    missed = np.log1p(-min(share**3, 1 - 1e-9))
    return int(min(np.ceil(np.log(0.01) / missed), config.max_runner_up_trials)) if share > 0 else 0


def _cues_of(place: Sequence[Attempt], rows: Int64) -> tuple[Cue, ...]:
    """Of the rows of all attempts: those cues that all of them have."""
    said = [{cue.name: cue for cue in each.cues} for each in place]
    return tuple(
        Cue(
            name,
            np.concatenate([each[name].factors for each in said])[rows],
            np.concatenate([each[name].touched for each in said])[rows],
        )
        for name in said[0]
        if all(name in each for each in said)
    )


def _support(place: Sequence[Attempt]) -> float:
    return sum(each.support for each in place)
