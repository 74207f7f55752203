"""The points of several layers as one model, and what is known of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from hloc_lite.maps.map import Map
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Float64, Int64, UInt8

T = TypeVar("T", Float64, UInt8)


def joint_model(maps: Sequence[Map]) -> SfmModel:
    """The first map's images and cameras, with the keypoints and points of all maps one after the
    other: what the ``point3D_idxs`` of a result of all layers are rows of."""
    first = maps[0].model
    if len(maps) == 1:
        return first
    starts = np.cumsum([0, *(place.model.num_points for place in maps)])
    first_ids = np.cumsum([0, *(1 + int(m.model.point3D_ids.max(initial=0)) for m in maps)])
    return SfmModel(
        first.cameras,
        tuple(_joint_image(image, maps, starts) for image in first.images),
        np.concatenate([m.model.point3D_ids + i for m, i in zip(maps, first_ids, strict=False)]),
        np.concatenate([place.model.xyz for place in maps]),
        np.concatenate([place.model.rgb for place in maps]),
        np.concatenate([place.model.errors_px for place in maps]),
    )


def of_all_points(parts: Sequence[T | None]) -> T | None:
    """(M,) values of the joint model's points, from those of each map's; None if one has none."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def _joint_image(image: SfmImage, maps: Sequence[Map], starts: Int64) -> SfmImage:
    seen, point3D_idxs = [], []
    for place, start in zip(maps, starts, strict=False):
        own = place.model.image_named(image.name)
        if own is not None:
            seen.append((place.model, own))
            points = own.point3D_idxs
            point3D_idxs.append(np.where(points == NO_POINT, NO_POINT, points + start))
    keypoints = None
    if any(own.keypoints is not None for _, own in seen):
        keypoints = np.concatenate([keypoints_of(model, own) for model, own in seen])
    return replace(image, keypoints=keypoints, point3D_idxs=np.concatenate(point3D_idxs))
