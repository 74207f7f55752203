"""Queries that were described before are localized without their pixels."""

from __future__ import annotations

import numpy as np

from hloc_lite.config import load_config
from hloc_lite.localize.localizer import Localizer
from hloc_lite.types import Photo
from pipelines.towns.described_queries import DescribedQuery, correct_queries
from tests.exact_scene import NoWeights, mapped_scene


def test_only_queries_with_the_true_pose_are_correct() -> None:
    with mapped_scene() as (scene, sfm_map):
        config = load_config(base=sfm_map.config, settings=["localize.matching=images"])
        localizer = Localizer(sfm_map, config, weights=NoWeights())
        query, _ = localizer.pipeline.describe(Photo("q", scene.image(3)), scene.camera)
        black = Photo("q", np.zeros_like(query.photo.pixels))
        angle = 0.3  # that of the scene's stand-in descriptor for image 3
        descriptor = np.array([np.cos(angle), np.sin(angle)], np.float32)
        right, wrong = (
            DescribedQuery(
                "q", "day", black, scene.camera, query.features[0], descriptor, scene.poses[index]
            )
            for index in (3, 6)
        )
        assert correct_queries(localizer, [right, wrong], 5) == [True, False]
