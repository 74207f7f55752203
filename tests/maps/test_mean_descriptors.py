"""Mean descriptors of map points, computed from the features of the map images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hloc_lite.maps.mean_descriptors import landmark_descriptors_of, mean_descriptors


def test_mean_is_the_descriptor_that_all_views_share(exact_map) -> None:
    scene, sfm_map = exact_map
    descriptors = mean_descriptors(sfm_map)
    assert descriptors.num_landmarks == sfm_map.model.num_points
    rows, owners = descriptors.rows_of(np.array([0, 5, 7]))
    assert owners.tolist() == [0, 5, 7]
    nearest = np.argmax(rows @ scene.descriptors.T, axis=1)
    distances = np.linalg.norm(scene.points[nearest] - sfm_map.model.xyz[owners], axis=1)
    assert distances.max() < 1e-3


def test_means_are_computed_only_for_maps_without_descriptors(exact_map) -> None:
    _, sfm_map = exact_map
    assert landmark_descriptors_of(sfm_map) is sfm_map.landmark_descriptors
    computed = landmark_descriptors_of(replace(sfm_map, landmark_descriptors=None))
    assert np.array_equal(computed.values, mean_descriptors(sfm_map).values)
