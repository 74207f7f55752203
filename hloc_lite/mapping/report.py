"""Report of a mapping run: counts, and for each image its outcome and why it was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from hloc_lite.errors import counted
from hloc_lite.mapping.pairs import Pair
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT


def map_report(
    model: SfmModel,
    names: Sequence[str],
    skipped: Mapping[str, str],
    num_keypoints: Mapping[str, int],
    num_verified: Mapping[Pair, int],
    min_inliers: int,
    left_out: Mapping[str, str] = MappingProxyType({}),
    photo_hashes: Mapping[str, str] = MappingProxyType({}),
    num_burned_in: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    """Report the counts of the whole map, and the outcome of each image.

    An image that is not registered, or has a given pose but no point, also has a reason.

    Args:
        model: the finished model.
        names: all images that were given.
        skipped: name -> reason why an image was not used at all.
        num_keypoints: name -> number of keypoints.
        num_verified: matched pair -> number of verified matches.
        min_inliers: verified matches that a pair needs.
        left_out: name -> reason of each image that had to leave the model, or is in another one.
        photo_hashes: name -> hash of its photo (``io.image_sources.photo_hashes``), by which a
            query that is the same photo is recognized.
        num_burned_in: name -> number of features in burned-in marks, which were left out.
    """
    tried: Counter[str] = Counter()
    verified: Counter[str] = Counter()
    best: dict[str, tuple[int, str]] = {}
    for pair, count in num_verified.items():
        for name, other in (pair, pair[::-1]):
            tried[name] += 1
            verified[name] += count >= min_inliers
            best[name] = max(best.get(name, (-1, "")), (count, other))
    points = {i.name: int((i.point3D_idxs != NO_POINT).sum()) for i in model.images}
    images = {}
    for name in names:
        entry: dict[str, Any] = {
            "registered": name in points,
            "keypoints": num_keypoints.get(name, 0),
            "pairs_tried": tried[name],
            "pairs_verified": verified[name],
        }
        if name in points:
            entry["points"] = points[name]
        if name in num_burned_in:
            entry["burned_in"] = num_burned_in[name]
        if name in photo_hashes:
            entry["photo"] = photo_hashes[name]
        if name in skipped:
            entry["reason"] = skipped[name]
        elif name not in points and name in left_out:
            entry["reason"] = left_out[name]
        elif points.get(name, 0) == 0:
            entry["reason"] = _reason(entry, best.get(name), min_inliers)
        images[name] = entry
    observations = sum(points.values())
    errors = model.errors_px[model.errors_px >= 0]
    return {
        "registered": len(model.images),
        "images_given": len(names),
        "points": model.num_points,
        "observations": observations,
        "mean_track_length": observations / max(1, model.num_points),
        "mean_reprojection_error_px": float(np.mean(errors)) if len(errors) else None,
        "pairs_tried": len(num_verified),
        "pairs_verified": sum(count >= min_inliers for count in num_verified.values()),
        "images": images,
    }


def _reason(entry: Mapping[str, Any], best: tuple[int, str] | None, min_inliers: int) -> str:
    """Reason why an image is not registered, or has no points.

    Args:
        entry: counts of the image.
        best: verified matches of its best pair, and the other image; None if it has no pair.
    """
    if entry["keypoints"] == 0:
        return "no keypoints found: the image is blank, masked away or far too dark"
    if best is None:
        return "no pair with it was tried: ask for more pairs (--pairs)"
    count, other = best
    pairs = counted(entry["pairs_tried"], "pair")
    if entry["pairs_verified"] == 0:
        return (
            f"{pairs} with it tried, none with {min_inliers} or more verified matches; the best is "
            f"{other!r} with {count}: it overlaps too little with the other images"
        )
    verified = (
        f"{entry['pairs_verified']} of {pairs} with it verified (best: {other!r} with {count} "
        f"matches)"
    )
    if entry["registered"]:
        return (
            f"{verified}, but no point was found: the others are too near, or see too little of it"
        )
    return f"{verified}, but its pose could not be found with enough points"
