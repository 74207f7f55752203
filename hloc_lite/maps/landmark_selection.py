"""Which landmarks to keep when not all of them fit: every image must stay recognizable.

Greedy weighted K-cover (Li 2010, Cao 2014): rounds of growing K, in each of which the landmarks go
first that most of the images with fewer than K still need, where they have none near in the image,
and that are well measured. So all images keep about as many, and a landmark of many serves first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.consistency.landmark_noise import landmark_noise
from hloc_lite.scene import SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Bool, Float64, Int64

CELLS_A_SIDE = 8
"""Of the grid over an image in which landmarks are spread."""
FIRST_COVER = 8
"""Landmarks an image needs before any image gets more; doubled each time."""
ROUNDS = 256
"""Landmarks are taken in about so many portions, and gains computed anew after each."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Which landmark lies where in which image; each image sees a landmark once."""

    images: Int64
    """(O,) indices, ascending."""
    landmarks: Int64
    """(O,) indices, ascending within an image."""
    cells: Int64
    """(O,) of the grids of all images, counted on."""
    num_images: int
    num_landmarks: int


@dataclass(frozen=True, eq=False)
class Selection:
    """The landmarks to keep."""

    landmarks: Int64
    """(P,) ascending."""
    least: int
    """Each image keeps so many of its landmarks, or all if it has fewer."""


def observations_of(model: SfmModel) -> Observations:
    """All that a model's images see, without repetition."""
    none = np.empty(0, np.int64)
    images, landmarks, cells = [none], [none], [none]
    for index, image in enumerate(model.images):
        points, first = np.unique(image.point3D_idxs, return_index=True)
        seen = points != NO_POINT
        camera = model.cameras[image.camera_id]
        size = np.array([camera.width, camera.height])
        places = (keypoints_of(model, image)[first[seen]] / size * CELLS_A_SIDE).astype(np.int64)
        column, row = np.clip(places, 0, CELLS_A_SIDE - 1).T
        images.append(np.full(len(row), index))
        landmarks.append(points[seen])
        cells.append((index * CELLS_A_SIDE + row) * CELLS_A_SIDE + column)
    return Observations(
        np.concatenate(images),
        np.concatenate(landmarks),
        np.concatenate(cells),
        len(model.images),
        model.num_points,
    )


def select_landmarks(
    seen: Observations,
    errors_px: Float64,
    max_bytes: float,
    bytes_a_landmark: float,
    bytes_an_observation: float,
) -> Selection:
    """The landmarks that fit into some bytes with their observations.

    Args:
        errors_px: (M,) reprojection errors; NaN or negative where unknown.
    """
    track_lengths = np.bincount(seen.landmarks, minlength=seen.num_landmarks)
    costs = bytes_a_landmark + bytes_an_observation * track_lengths
    useful = track_lengths > 0
    if not useful.any() or costs[useful].sum() <= max_bytes:
        return _selection(seen, useful)
    chosen, left = np.zeros(seen.num_landmarks, bool), float(max_bytes)
    totals = np.bincount(seen.images, minlength=seen.num_images)
    worth = quality(track_lengths, errors_px) / costs
    portion = max(1, int(max_bytes / costs[useful].mean()) // ROUNDS)
    cover = FIRST_COVER
    while not chosen[useful].all():
        gains = np.where(chosen, 0, worth * _needed(seen, chosen, np.minimum(totals, cover)))
        if not gains.any():
            cover *= 2
            continue
        best = np.argsort(-gains, kind="stable")[:portion]
        best = best[gains[best] > 0]
        fitting = best[np.cumsum(costs[best]) <= left]
        chosen[fitting] = True
        left -= costs[fitting].sum()
        if len(fitting) < len(best):
            break
    return _selection(seen, chosen)


def quality(track_lengths: npt.NDArray[np.integer], errors_px: Float64) -> Float64:
    """(M,) in (0, 1]: by how exactly each landmark is known, 1/2 where as the map's median."""
    noise = landmark_noise(track_lengths, errors_px)
    return np.asarray(1 / (1 + np.where(np.isfinite(noise), noise, 1.0)))


def _needed(seen: Observations, chosen: Bool, wanted: npt.NDArray[np.integer]) -> Float64:
    """(M,) how much images that have fewer than they want would gain by each landmark."""
    has = chosen[seen.landmarks]
    counts = np.bincount(seen.images[has], minlength=seen.num_images)
    in_cells = np.bincount(seen.cells[has], minlength=seen.num_images * CELLS_A_SIDE**2)
    gains = (counts < wanted)[seen.images] / (1.0 + in_cells[seen.cells])
    needed = np.bincount(seen.landmarks, gains, minlength=seen.num_landmarks)
    return np.asarray(needed, np.float64)


def _selection(seen: Observations, chosen: Bool) -> Selection:
    counts = np.bincount(seen.images[chosen[seen.landmarks]], minlength=seen.num_images)
    totals = np.bincount(seen.images, minlength=seen.num_images)
    short = counts < totals
    least = counts[short].min() if short.any() else totals.max(initial=0)
    return Selection(np.flatnonzero(chosen), int(least))
