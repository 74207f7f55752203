"""The ``Map`` value: consistency checks, and copies in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.errors import FormatError
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map import Map, in_memory


def test_parts_of_another_map_are_refused(exact_map) -> None:
    scene, sfm_map = exact_map
    fewer = LandmarkDescriptors(np.ones((3, 32)), np.arange(4))
    with pytest.raises(FormatError, match="descriptors of 3"):
        replace(sfm_map, landmark_descriptors=fewer)
    with pytest.raises(FormatError, match=r"labels of shape \(3,\)"):
        replace(sfm_map, landmark_labels=LandmarkLabels(np.zeros(3), np.zeros(3)))
    features = dict(sfm_map.features)
    del features["map 4.png"]
    with pytest.raises(FormatError, match=r"no features of 1 image: \['map 4.png'\]"):
        replace(sfm_map, features=features)
    with pytest.raises(FormatError, match="keypoints in the model, 3 in the features"):
        replace(sfm_map, features={**sfm_map.features, "map 0.png": scene.features(0, 3)})


def test_copy_in_memory_is_independent_of_the_folder(exact_map, tmp_path) -> None:
    _, sfm_map = exact_map
    sfm_map.save(tmp_path / "map")
    copy = in_memory(Map.open(tmp_path / "map"))
    for path in (tmp_path / "map").rglob("*.*"):
        path.unlink()
    for image in copy.model.images:
        expected = sfm_map.features[image.name].descriptors
        assert np.abs(copy.features[image.name].descriptors - expected).max() < 1e-3
    values = copy.landmark_descriptors.values
    assert type(values) is np.ndarray and values.dtype == np.float16
