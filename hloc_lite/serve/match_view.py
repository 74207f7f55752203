"""Matches of an answer: the inliers of a photo, and the map image that shares most of them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from hloc_lite.evaluation.shared_view import best_map_image, inlier_mask, spread_rows
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float64, LocalizationResult

MAX_MATCHES = 400
"""Matches in an answer: 20 kB, and as many lines as an eye can tell apart."""
DIGITS = 1
"""Decimals of pixels: screens show no more."""


class MatchView(BaseModel):
    """Map image that shares most inliers with the photo; without a pose, most correspondences."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    image: str
    """Name of the map image."""
    rank: int
    """Its rank among the retrieved images, from 1."""
    width: int
    """Image width that map_points refer to, pixels."""
    height: int
    """Image height that map_points refer to, pixels."""
    query_points: list[tuple[float, float]]
    """Matched keypoints (x, y) in the photo, pixels; evenly chosen if there are many."""
    map_points: list[tuple[float, float]]
    """The same landmarks in the map image, pixels; in the order of query_points."""
    num_shared: int
    """Number of inliers (correspondences without a pose) that the map image sees."""
    are_inliers: bool
    """False if there is no pose, and the matches are all correspondences."""


def match_view(result: LocalizationResult, model: SfmModel) -> MatchView | None:
    """Describe the matches with the best map image; None without any, or without map keypoints."""
    shared = best_map_image(result, model)
    if shared is None or result.correspondences is None:
        return None
    image = model.image_named(shared.name)
    assert image is not None
    points = result.correspondences.points2D[shared.rows]
    chosen = spread_rows(points, MAX_MATCHES)
    camera = model.cameras[image.camera_id]
    return MatchView(
        image=shared.name,
        rank=1 + result.hits.names.index(shared.name),
        width=camera.width,
        height=camera.height,
        query_points=_pixels(points[chosen]),
        map_points=_pixels(shared.keypoints[chosen]),
        num_shared=len(shared.rows),
        are_inliers=bool(inlier_mask(result).any()),
    )


def _pixels(points: Float64) -> list[tuple[float, float]]:
    return [(round(float(x), DIGITS), round(float(y), DIGITS)) for x, y in points]
