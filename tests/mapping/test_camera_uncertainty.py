"""Uncertainty of the cameras of a model: it tells how large their errors are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hloc_lite.formats.colmap.adjustment import adjusted_with_own_cameras
from hloc_lite.geometry.similarity import fit_similarity
from hloc_lite.mapping.camera_uncertainty import camera_uncertainty
from hloc_lite.scene import SfmModel
from tests.exact_scene import make_scene
from tests.mapping.assessment_scene import observed_model


def test_errors_are_as_large_as_the_uncertainty_says() -> None:
    scene = make_scene(num_cameras=6, num_points=150)
    true = np.array([pose.center for pose in scene.poses])
    ratios = []
    for seed in range(5):
        model = adjusted_with_own_cameras(observed_model(scene, seed))
        found = camera_uncertainty(model)
        assert found is not None and 0.4 < found.sigma_px < 0.6
        centers = np.array([image.cam_from_world.center for image in model.images])
        aligned = fit_similarity(centers, true, None)
        assert aligned is not None
        errors = np.linalg.norm(aligned.apply(centers) - true, axis=1)
        ratios.append(errors / (found.position * aligned.scale))
    typical = np.sqrt(np.mean(np.square(ratios)))
    assert 0.3 < typical < 1.2  # the principal point is known here, but counts as uncertain


def test_camera_with_few_points_is_less_certain() -> None:
    scene = make_scene(num_cameras=6, num_points=150)
    model = adjusted_with_own_cameras(observed_model(scene, 0, seen={2: 10}))
    found = camera_uncertainty(model)
    assert found is not None
    assert found.position[2] > 2 * np.delete(found.position, 2).max()


def test_the_frame_and_its_unit_do_not_matter() -> None:
    scene = make_scene(num_cameras=5, num_points=100)
    model = adjusted_with_own_cameras(observed_model(scene, 1))
    found = camera_uncertainty(model)
    moved = camera_uncertainty(_scaled(model, 100.0))
    assert found is not None and moved is not None
    np.testing.assert_allclose(moved.position, 100 * found.position, rtol=1e-3)
    np.testing.assert_allclose(moved.rotation_deg, found.rotation_deg, rtol=1e-3)


def test_too_few_observations_determine_nothing() -> None:
    scene = make_scene(num_cameras=2, num_points=4)
    assert camera_uncertainty(observed_model(scene, 0)) is None


def _scaled(model: SfmModel, factor: float) -> SfmModel:
    images = tuple(
        replace(
            image,
            cam_from_world=replace(
                image.cam_from_world, translation=factor * image.cam_from_world.translation
            ),
        )
        for image in model.images
    )
    return replace(model, images=images, xyz=factor * model.xyz)
