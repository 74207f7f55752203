"""Maps from depth by a matcher of photos: its keypoints are landmarks before pairs are matched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from hloc_lite.config import load_config
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.registry import register
from hloc_lite.types import NO_POINT, LocalFeatures, Photo
from tests.exact_scene import NoWeights
from tests.photo_wall import (
    CAMERA,
    DISTANCE,
    OrbPairMatcher,
    WallDepth,
    config_with,
    make_photos,
    registered,
)


class Proposer(OrbPairMatcher):
    """ORB's keypoints are those of a photo alone, so they can be told before it is matched."""

    def propose_keypoints(self, photo: Photo) -> LocalFeatures:
        points, _ = self._describe(photo)
        scores = np.ones(len(points), np.float32)
        return LocalFeatures(points, points[:, :0], scores, (photo.width, photo.height))


@pytest.fixture
def names() -> Iterator[None]:
    with registered(), register("matchers", "orb-proposer", Proposer):
        yield


def test_a_map_from_depth_needs_no_pairs(names: None, tmp_path: Path) -> None:
    photos, reference = make_photos()
    (tmp_path / "images").mkdir()
    for name, pixels in photos.items():
        cv2.imwrite(str(tmp_path / "images" / name), pixels[:, :, ::-1])
    query, *mapped = photos
    inputs = MapInputs(
        reference=reference.with_images(set(mapped)), names=tuple(mapped), metric=True,
        depth=WallDepth(reference),
    )  # fmt: skip
    config = load_config(
        base=config_with("orb-proposer", "none"), settings=["lifting.min_image_landmarks=5000"]
    )
    build_map(
        tmp_path / "images", config, inputs=inputs, output=tmp_path / "map", weights=NoWeights()
    )
    sfm_map = Map.open(tmp_path / "map", trust=True)
    shares = [(image.point3D_idxs != NO_POINT).mean() for image in sfm_map.model.images]
    assert min(shares) > 0.9
    np.testing.assert_allclose(sfm_map.model.xyz[:, 2], DISTANCE, atol=1e-2)
    result = Localizer(sfm_map, weights=NoWeights()).localize(photos[query], CAMERA, name=query)
    truth = reference.image_named(query)
    assert truth is not None and result.pose is not None
    off = result.pose.cam_from_world.center - truth.cam_from_world.center
    assert np.linalg.norm(off) < 0.02
