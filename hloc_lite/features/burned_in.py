"""Burned-in marks (time stamps, logos): features that stay at one pixel while the picture changes.

They match between all photos of a camera, and would tie together photos of different places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from hloc_lite.config import BurnedInConfig
from hloc_lite.types import Bool, Float64, Int64, LocalFeatures

FIELDS_PER_SIDE = 8
"""Fields of a photo, per side, by which the area of marks is measured."""
NEARLY = 0.75
"""Share of the photos that a mark needs from which on a feature counts for that area: where light
changes, features of a webcam's picture stay in few photos each, but all over it."""


@dataclass(frozen=True, eq=False)
class _Features:
    """Features of several photos of equal size, one row each."""

    keypoints: Float64
    """(N, 2) pixels."""
    descriptors: np.ndarray
    """(N, D) unit rows, less their mean."""
    photo: Int64
    """(N,) index of the photo."""
    field: Int64
    """(N,) index of the field of the photo."""


def find_marks(
    photos: Sequence[LocalFeatures], config: BurnedInConfig, max_side_px: int
) -> Float64:
    """Pixels that burned-in marks have in photos of one camera.

    Args:
        photos: features of photos of equal size, which are all compared.
        config: what counts as a mark.
        max_side_px: longer side at which features were detected, as ``features.max_side_px``.

    Returns:
        (M, 2) pixels; none if the photos are too few, or the whole picture stays.
    """
    none = np.zeros((0, 2))
    if len(photos) < config.min_photos or not any(map(len, photos)):
        return none
    together = _join(photos)
    radius = config.max_shift_px * detector_scale(photos[0].image_size, max_side_px)
    pairs = _staying_pairs(together, radius, config.min_similarity)
    different = _different_photos(together, pairs, config)
    needed = max(config.min_photos, config.min_share * different.sum())
    if different.sum() < needed:
        return none
    num_photos = np.where(different[together.photo], _num_photos(together, pairs, different), 0)
    stays, nearly = num_photos >= needed, num_photos >= NEARLY * needed
    if _area_share(together, nearly, different) > config.max_area_share:
        return none
    return together.keypoints[stays]


def near_marks(keypoints: np.ndarray, marks: Float64, margin_px: float) -> Bool:
    """(N,) True for keypoints within a distance of a mark.

    Args:
        keypoints: (N, 2) pixels.
        marks: (M, 2) pixels.
        margin_px: the distance.
    """
    if not len(marks) or not len(keypoints):
        return np.zeros(len(keypoints), bool)
    distances, _ = cKDTree(marks).query(keypoints, distance_upper_bound=margin_px)
    return np.isfinite(distances)


def detector_scale(image_size: tuple[int, int], max_side_px: int) -> float:
    """Pixels of a photo per pixel of the image that the detector saw; at least 1."""
    return max(1.0, max(image_size) / max_side_px)


def _join(photos: Sequence[LocalFeatures]) -> _Features:
    keypoints = np.concatenate([each.keypoints for each in photos]).astype(np.float64)
    size = np.array(photos[0].image_size)
    at = np.clip(keypoints / size * FIELDS_PER_SIDE, 0, FIELDS_PER_SIDE - 1).astype(np.int64)
    return _Features(
        keypoints,
        _centred(np.concatenate([each.descriptors for each in photos])),
        np.repeat(np.arange(len(photos)), [len(each) for each in photos]),
        at @ np.array([1, FIELDS_PER_SIDE]),
    )


def _centred(descriptors: np.ndarray) -> np.ndarray:
    """(N, D) descriptors less their mean, as unit rows: those of RootSIFT have none below 0, so
    that any two are similar."""
    centred = descriptors - descriptors.mean(axis=0)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)


def _staying_pairs(together: _Features, radius_px: float, min_similarity: float) -> Int64:
    """(P, 2) rows of features of two photos at one pixel that look alike; both orders."""
    tree = cKDTree(together.keypoints)
    near = tree.query_pairs(radius_px, output_type="ndarray").astype(np.int64)
    near = near[together.photo[near[:, 0]] != together.photo[near[:, 1]]]
    first, second = together.descriptors[near[:, 0]], together.descriptors[near[:, 1]]
    alike = near[np.einsum("ij,ij->i", first, second) >= min_similarity]
    return np.concatenate([alike, alike[:, ::-1]])


def _different_photos(together: _Features, pairs: Int64, config: BurnedInConfig) -> Bool:
    """(K,) True for photos whose picture is not that of an earlier one that is True.

    A field of a photo is that of another one if enough of its features stay
    (``config.min_field_share``).
    """
    num_photos, num_fields = int(together.photo.max(initial=-1)) + 1, FIELDS_PER_SIDE**2
    count = np.zeros((num_photos, num_fields), int)
    np.add.at(count, (together.photo, together.field), 1)
    staying = np.zeros((num_photos, num_photos, num_fields), int)
    # a feature may have several of the other photo near it
    first, other = np.unique(np.stack([pairs[:, 0], together.photo[pairs[:, 1]]], axis=1), axis=0).T
    np.add.at(staying, (together.photo[first], other, together.field[first]), 1)
    is_same = staying >= np.maximum(1, config.min_field_share * count[:, None])
    share = is_same.sum(axis=2) / np.maximum(1, (count > 0).sum(axis=1))[:, None]
    different = np.zeros(num_photos, bool)
    for photo in range(num_photos):
        different[photo] = not (share[photo, different] > config.max_area_share).any()
    return different


def _num_photos(together: _Features, pairs: Int64, different: Bool) -> Int64:
    """(N,) number of different photos that have a feature there, its own included."""
    others = together.photo[pairs[:, 1]]
    kept = different[others]
    num_photos = len(different)
    distinct = np.unique(pairs[kept, 0] * num_photos + others[kept])
    return 1 + np.bincount(distinct // num_photos, minlength=len(together.photo))


def _area_share(together: _Features, stays: Bool, different: Bool) -> float:
    """Share of the fields with marks among those with features, in different photos."""
    fields = np.unique(together.field[different[together.photo]])
    return len(np.unique(together.field[stays])) / max(1, len(fields))
