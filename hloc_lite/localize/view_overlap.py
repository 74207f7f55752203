"""Which map images see the same place, by poses and depth instead of shared points.

Landmarks from depth often belong to one image, since no pair of images was matched, as in maps of
laser scans. Two views still show one place if the points of one lie in the other, in front of what
that one sees: views through a wall do not overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.protocols import Lifter
from hloc_lite.scene import SfmModel, observed_points
from hloc_lite.types import Bool, Camera, Float64, Rigid3

NUM_SAMPLES = 64
"""Points of an image that are looked for in others: a share of them is known to 6 percent."""
FAR_PERCENTILE, FAR_FACTOR = 95, 1.1
"""A point this much farther away than nearly all points of an image is hidden from it."""


@dataclass(frozen=True, eq=False)
class _View:
    camera: Camera
    cam_from_world: Rigid3
    xyz: Float64
    """(S, 3) some of its points, world coordinates."""
    far: float
    """Depth beyond which it sees nothing."""


class ViewOverlap:
    """Finds map images with overlapping views.

    Args:
        model: cameras and poses of the images.
        lifter: points of their keypoints.
        min_share: share of the points of an image that another has to see.
    """

    def __init__(self, model: SfmModel, lifter: Lifter, min_share: float) -> None:
        self._model, self._lifter, self.min_share = model, lifter, min_share
        self._view_of = lru_cache(None)(self._make_view)

    def pairs(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Pairs of images with overlapping views, each once."""
        views = {name: view for name in names if (view := self._view_of(name)) is not None}
        if len(views) < 2:
            return []
        known = [*views]
        xyz = np.concatenate([view.xyz for view in views.values()])
        counts = np.array([len(view.xyz) for view in views.values()])
        starts = np.cumsum([0, *counts[:-1]])
        seen = [np.add.reduceat(_is_seen(xyz, view), starts) for view in views.values()]
        shares = np.array(seen, np.float64) / counts  # row sees points of column
        rows, columns = np.nonzero(np.triu(np.maximum(shares, shares.T) >= self.min_share, 1))
        return [(known[a], known[b]) for a, b in zip(rows, columns, strict=True)]

    def _make_view(self, name: str) -> _View | None:
        image = self._model.image_named(name)
        if image is None or name not in self._lifter.image_names:
            return None
        points = observed_points(self._lifter.points_of(name))
        if len(points) == 0:
            return None
        some = np.linspace(0, len(points) - 1, min(NUM_SAMPLES, len(points))).astype(np.int64)
        xyz = self._lifter.xyz_of(points[some])
        z = image.cam_from_world.apply(xyz)[:, 2]
        far = FAR_FACTOR * float(np.percentile(z, FAR_PERCENTILE))
        return _View(self._model.cameras[image.camera_id], image.cam_from_world, xyz, far)


def _is_seen(xyz: Float64, view: _View) -> Bool:
    """(N,) True for world points that lie in a view."""
    in_cam = view.cam_from_world.apply(xyz)
    pixels = img_from_cam(view.camera, in_cam)
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= 0) & (pixels <= [view.camera.width, view.camera.height])).all(axis=1)
    seen: Bool = np.asarray(inside & (in_cam[:, 2] > 0) & (in_cam[:, 2] <= view.far))
    return seen
