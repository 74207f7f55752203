"""What became of each image of a map, and why it was left out if it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hloc_lite.errors import counted
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT

Pair = tuple[str, str]


def map_report(
    model: SfmModel,
    names: Sequence[str],
    skipped: Mapping[str, str],
    num_keypoints: Mapping[str, int],
    verified: Mapping[Pair, int],
    num_other_models: int,
    min_inliers: int,
) -> dict[str, Any]:
    """Counts of the whole map, and for each image whether it is registered; the reason if it is
    not, or if it has the given pose but no point.

    Args:
        model: the finished model.
        names: all images asked for.
        skipped: name -> why an image was not even tried.
        num_keypoints: name -> keypoints found.
        verified: tried pair -> matches that survived verification.
        num_other_models: separate models that were found and dropped.
        min_inliers: verified matches that a pair needed.
    """
    tried: Counter[str] = Counter()
    good: Counter[str] = Counter()
    best: dict[str, tuple[int, str]] = {}
    for pair, count in verified.items():
        for name, other in (pair, pair[::-1]):
            tried[name] += 1
            good[name] += count >= min_inliers
            best[name] = max(best.get(name, (-1, "")), (count, other))
    images = {}
    for name in names:
        registered = model.image_named(name)
        entry: dict[str, Any] = {
            "registered": registered is not None,
            "keypoints": num_keypoints.get(name, 0),
            "pairs_tried": tried[name],
            "pairs_verified": good[name],
        }
        if registered is not None:
            entry["points"] = int((registered.point3D_idxs != NO_POINT).sum())
        if name in skipped:
            entry["reason"] = skipped[name]
        elif registered is None or entry["points"] == 0:
            entry["reason"] = _reason(
                num_keypoints.get(name, 0), tried[name], good[name], best.get(name), min_inliers,
                num_other_models, registered is not None,
            )  # fmt: skip
        images[name] = entry
    observations = sum(int((i.point3D_idxs != NO_POINT).sum()) for i in model.images)
    errors = model.errors_px[model.errors_px >= 0]
    return {
        "registered": len(model.images),
        "images_given": len(names),
        "points": model.num_points,
        "observations": observations,
        "mean_track_length": observations / max(1, model.num_points),
        "mean_reprojection_error_px": float(np.mean(errors)) if len(errors) else None,
        "pairs_tried": len(verified),
        "pairs_verified": sum(count >= min_inliers for count in verified.values()),
        "models_dropped": num_other_models,
        "images": images,
    }


def _reason(
    keypoints: int,
    tried: int,
    good: int,
    best: tuple[int, str] | None,
    min_inliers: int,
    num_other_models: int,
    has_pose: bool,
) -> str:
    if keypoints == 0:
        return "no keypoints found: the image is blank, masked away or far too dark"
    if tried == 0 or best is None:
        return "no pair with it was tried: ask for more pairs (--pairs)"
    if good == 0:
        return (
            f"{counted(tried, 'pair')} with it tried, none with {min_inliers} or more verified "
            f"matches; the best is {best[1]!r} with {best[0]}: it overlaps too little with the "
            f"other images"
        )
    verified = (
        f"{good} of {counted(tried, 'pair')} with it verified (best: {best[1]!r} with {best[0]} "
        f"matches)"
    )
    if has_pose:
        return (
            f"{verified}, but no point was found: the others are too near, or see too little of it"
        )
    elsewhere = f"; it may belong to one of the {num_other_models} smaller models that were dropped"
    return f"{verified}, but its pose could not be found with enough points" + (
        elsewhere if num_other_models else ""
    )
