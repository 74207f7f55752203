"""Compares the photos of a map with views of its surface: right poses must agree."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import ImageError
from hloc_lite.localize.query import Predictions, Query
from hloc_lite.localize.view_check import ViewCheck
from hloc_lite.maps.map import Map
from hloc_lite.types import PoseEstimate

logger = logging.getLogger(__name__)
NUM_PHOTOS = 12
"""Photos compared: the median of so many is known to 0.03, and takes two seconds."""
LOW_AGREEMENT = 0.86
"""Agreement that 99 % of right poses reach (``view_synthesis.AGREEMENT_LIMITS``)."""


@dataclass(frozen=True)
class OwnViews:
    """How views of a surface agree with the photos of its map."""

    agreement: float
    """Median over the photos; NaN if none could be compared."""
    num_compared: int

    @property
    def is_low(self) -> bool:
        """True if the typical photo agrees less than photos at right poses do."""
        return self.agreement < LOW_AGREEMENT


def compare_own_views(sfm_map: Map) -> OwnViews:
    """Compare photos of a map, spread over it, with views of its surface at their poses.

    A surface of another scale, shifted or turned, or of other colours agrees less. Nothing is
    compared without a surface or without the photos.
    """
    if sfm_map.surface is None or sfm_map.photos is None:
        return OwnViews(np.nan, 0)
    check = ViewCheck(sfm_map.surface, sfm_map.config)
    images = sfm_map.model.images
    rows = np.unique(np.linspace(0, len(images) - 1, min(NUM_PHOTOS, len(images))).astype(int))
    found = []
    for image in (images[row] for row in rows):
        try:
            photo = sfm_map.photos.load(image.name)
        except ImageError as error:
            logger.warning("map photo %r is not compared: %s", image.name, error)
            continue
        camera = sfm_map.model.cameras[image.camera_id]
        views = check.of(Query(photo, camera, True, (), Predictions(None, None)))
        if views is not None:
            pose = PoseEstimate(image.cam_from_world, np.ones(0, bool), 0, None, camera)
            found.append(views.compare(pose).agreement)
    known = [value for value in found if np.isfinite(value)]
    return OwnViews(float(np.median(known)) if known else np.nan, len(known))
