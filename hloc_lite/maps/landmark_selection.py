"""Choice of the landmarks to keep within a byte budget, so that every image stays recognizable.

Greedy weighted K-cover (Li 2010, Cao 2014) in rounds of growing K. A round serves the images that
have fewer than K landmarks. A landmark's score counts those images that observe it, with more
weight where it falls into an empty grid cell, times its accuracy. So all images keep about as many
landmarks, and long tracks are taken first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.consistency.landmark_noise import landmark_noise
from hloc_lite.scene import SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, Bool, Float64, Int64

GRID_SIZE = 8
"""Cells per side of the grid in which landmarks are spread over an image."""
INITIAL_COVER = 8
"""K of the first round; doubled in each further one."""
NUM_STEPS = 256
"""Landmarks are taken in about this many steps; scores are computed anew before each."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Observations of landmarks in images; each image observes a landmark at most once."""

    image_idxs: Int64
    """(O,) ascending."""
    landmark_idxs: Int64
    """(O,) ascending within an image."""
    cell_idxs: Int64
    """(O,) grid cells, numbered over all images."""
    num_images: int
    num_landmarks: int

    def counts_per_image(self, selected: Bool | slice = slice(None)) -> npt.NDArray[np.integer]:
        """(num_images,) number of observations, of all or of selected ones."""
        return np.bincount(self.image_idxs[selected], minlength=self.num_images)


@dataclass(frozen=True, eq=False)
class Selection:
    """Landmarks to keep."""

    landmark_idxs: Int64
    """(P,) ascending."""
    min_per_image: int
    """Each image keeps this many of its landmarks, or all if it has fewer."""


def collect_observations(model: SfmModel) -> Observations:
    """Collect the observations of all images of a model, without repetitions."""
    none = np.empty(0, np.int64)
    images, landmarks, cells = [none], [none], [none]
    for index, image in enumerate(model.images):
        points, first = np.unique(image.point3D_idxs, return_index=True)
        observed = points != NO_POINT
        camera = model.cameras[image.camera_id]
        size = np.array([camera.width, camera.height])
        in_grid = keypoints_of(model, image)[first[observed]] / size * GRID_SIZE
        column, row = np.clip(in_grid.astype(np.int64), 0, GRID_SIZE - 1).T
        images.append(np.full(len(row), index))
        landmarks.append(points[observed])
        cells.append((index * GRID_SIZE + row) * GRID_SIZE + column)
    return Observations(
        np.concatenate(images),
        np.concatenate(landmarks),
        np.concatenate(cells),
        len(model.images),
        model.num_points,
    )


def select_landmarks(
    observations: Observations,
    errors_px: Float64,
    max_bytes: float,
    bytes_per_landmark: float,
    bytes_per_observation: float,
) -> Selection:
    """Select landmarks that fit into ``max_bytes`` together with their observations.

    Args:
        errors_px: (M,) reprojection errors; NaN or negative where unknown.
    """
    num_landmarks = observations.num_landmarks
    track_lengths = np.bincount(observations.landmark_idxs, minlength=num_landmarks)
    costs = bytes_per_landmark + bytes_per_observation * track_lengths
    useful = track_lengths > 0
    if not useful.any() or costs[useful].sum() <= max_bytes:
        return _selection(observations, useful)
    chosen, bytes_left = np.zeros(num_landmarks, bool), float(max_bytes)
    totals = observations.counts_per_image()
    accuracy_per_byte = landmark_accuracy(track_lengths, errors_px) / costs
    step = max(1, int(max_bytes / costs[useful].mean()) // NUM_STEPS)
    cover = INITIAL_COVER
    while not chosen[useful].all():
        coverage = _coverage_scores(observations, chosen, np.minimum(totals, cover))
        scores = np.where(chosen, 0, accuracy_per_byte * coverage)
        if not scores.any():
            cover *= 2
            continue
        best = np.argsort(-scores, kind="stable")[:step]
        best = best[scores[best] > 0]
        fitting = best[np.cumsum(costs[best]) <= bytes_left]
        chosen[fitting] = True
        bytes_left -= costs[fitting].sum()
        if len(fitting) < len(best):
            break
    return _selection(observations, chosen)


def landmark_accuracy(track_lengths: npt.NDArray[np.integer], errors_px: Float64) -> Float64:
    """(M,) accuracy of each landmark in (0, 1]; 1/2 for the median landmark of the map."""
    noise = landmark_noise(track_lengths, errors_px)
    return np.asarray(1 / (1 + np.where(np.isfinite(noise), noise, 1.0)))


def _coverage_scores(
    observations: Observations, chosen: Bool, wanted: npt.NDArray[np.integer]
) -> Float64:
    """(M,) value of each landmark to the images that have fewer landmarks than wanted."""
    is_chosen = chosen[observations.landmark_idxs]
    num_cells = observations.num_images * GRID_SIZE**2
    per_cell = np.bincount(observations.cell_idxs[is_chosen], minlength=num_cells)
    needs_more = observations.counts_per_image(is_chosen) < wanted
    scores = needs_more[observations.image_idxs] / (1.0 + per_cell[observations.cell_idxs])
    return np.bincount(
        observations.landmark_idxs, scores, minlength=observations.num_landmarks
    ).astype(np.float64)


def _selection(observations: Observations, chosen: Bool) -> Selection:
    counts = observations.counts_per_image(chosen[observations.landmark_idxs])
    totals = observations.counts_per_image()
    reduced = counts < totals
    minimum = counts[reduced].min() if reduced.any() else totals.max(initial=0)
    return Selection(np.flatnonzero(chosen), int(minimum))
