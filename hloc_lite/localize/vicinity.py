"""What a prior means in one map: which images may see the same, which poses contradict it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from hloc_lite.config import PriorConfig
from hloc_lite.localize.prior import agrees, images_within
from hloc_lite.maps.map import Map
from hloc_lite.scene import median_scene_distance
from hloc_lite.types import Float64, LocalizationResult, Prior, Status


class Vicinity:
    """Priors in one map."""

    def __init__(self, place: Map, config: PriorConfig) -> None:
        self._place, self._config = place, config
        self._down = None if place.georeference is None else place.georeference.down_in_map

    def names_within(self, prior: Prior) -> list[str]:
        """The map images that may see what the camera sees."""
        images = self._place.model.images
        near = images_within(prior, self._centers, self._slack, self._down)
        return [images[row].name for row in np.flatnonzero(near)]

    def checked(self, result: LocalizationResult, prior: Prior) -> LocalizationResult:
        """The result, its pose withheld if it contradicts the prior."""
        if result.pose is None:
            return result
        agree, sentence = agrees(prior, result.pose.cam_from_world, self._down)
        if agree:
            return result
        reason = f"{sentence}, although {result.reason}"
        return replace(result, status=Status.DOUBTFUL, reason=reason, pose=None, confidence=0.0)

    @cached_property
    def _centers(self) -> Float64:
        centers = [image.cam_from_world.center for image in self._place.model.images]
        return np.array(centers).reshape(-1, 3)

    @cached_property
    def _slack(self) -> float:
        return self._config.margin_depths * median_scene_distance(self._place.model)
