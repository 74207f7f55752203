"""Which of several separate models is the best: the one in which most photos can be localized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.config import ScratchConfig
from hloc_lite.scene import SfmModel, visible_points
from hloc_lite.types import Bool, Float64


def localizing_strength(model: SfmModel, config: ScratchConfig) -> float:
    """Number of images that a model supports well enough to localize there.

    An image counts in proportion to its well-conditioned points, and fully from
    ``enough_points`` on. So six images of a blank wall count less than five of a house.
    """
    good = well_conditioned_points(model, config.good_triangulation_angle_deg)
    counts = [int(good[visible_points(image)].sum()) for image in model.images]
    return float(np.minimum(1.0, np.array(counts) / config.enough_points).sum())


def rank_models(models: Sequence[SfmModel], config: ScratchConfig) -> list[SfmModel]:
    """Order models by ``localizing_strength``, the best first; ties by their number of points.

    Models that add fewer than three images to the better ones are left out.
    """
    ranked = sorted(
        models,
        key=lambda model: (localizing_strength(model, config), model.num_points),
        reverse=True,
    )
    kept: list[SfmModel] = []
    seen: set[str] = set()
    for model in ranked:
        names = {image.name for image in model.images}
        if not kept or len(names - seen) >= config.min_model_images:
            kept.append(model)
            seen |= names
    return kept


def well_conditioned_points(model: SfmModel, min_angle_deg: float) -> Bool:
    """(M,) True for points that two images see from directions ``min_angle_deg`` or more apart."""
    rows, directions = _viewing_directions(model)
    if len(rows) == 0:
        return np.zeros(model.num_points, bool)
    order = np.argsort(rows, kind="stable")
    rows, directions = rows[order], directions[order]
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    lengths = np.diff(np.r_[starts, len(rows)])
    # the observation farthest from the first, then the one farthest from that
    apart = _angles_from(directions, directions[starts], lengths)
    widest = np.maximum.reduceat(apart, starts)
    farthest = np.flatnonzero(apart == np.repeat(widest, lengths))
    _, first_of_row = np.unique(rows[farthest], return_index=True)
    ends = directions[farthest[first_of_row]]
    widest = np.maximum(
        widest, np.maximum.reduceat(_angles_from(directions, ends, lengths), starts)
    )
    good = np.zeros(model.num_points, bool)
    good[rows[starts]] = widest >= np.radians(min_angle_deg)
    return good


def _viewing_directions(model: SfmModel) -> tuple[np.ndarray, Float64]:
    """Point rows of all observations, and (K, 3) unit vectors from the points to the cameras."""
    rows = [visible_points(image) for image in model.images]
    towards = [
        image.cam_from_world.center - model.xyz[points]
        for image, points in zip(model.images, rows, strict=True)
    ]
    joined = np.concatenate([np.zeros((0, 3)), *towards])
    lengths = np.linalg.norm(joined, axis=1, keepdims=True)
    return np.concatenate([np.zeros(0, np.int64), *rows]), joined / np.maximum(lengths, 1e-300)


def _angles_from(directions: Float64, starts: Float64, lengths: np.ndarray) -> Float64:
    """Angles in rad between directions and one direction of each run of ``lengths`` rows."""
    chords = np.linalg.norm(directions - np.repeat(starts, lengths, axis=0), axis=1)
    angles: Float64 = 2 * np.arcsin(np.clip(chords / 2, 0, 1))
    return angles
