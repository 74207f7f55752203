"""The assessment on a pose is the same at any scale and place of the world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.localize.error_limits import ErrorLimits, uncertainty_in_words
from hloc_lite.maps.map import Map
from hloc_lite.scene import SfmModel
from hloc_lite.types import LocalizationResult, Rigid3
from tests.exact_scene import ExactScene
from tests.localize.localizers import localizer_with


def moved(model: SfmModel, scale: float, shift: np.ndarray) -> SfmModel:
    """Same model in a world of other units and another origin."""
    images = tuple(
        replace(
            image,
            cam_from_world=Rigid3(
                image.cam_from_world.rotation,
                scale * image.cam_from_world.translation
                - image.cam_from_world.rotation @ (shift * scale),
            ),
        )
        for image in model.images
    )
    return replace(model, xyz=scale * (model.xyz + shift), images=images)


def answer(scene: ExactScene, sfm_map: Map, count: int, noise_px: float) -> LocalizationResult:
    """Answer to a query of which ``count`` keypoints are right and the others are shuffled."""
    exact = scene.features(3, 400)
    rng = np.random.default_rng(1)
    keypoints = exact.keypoints + rng.normal(0, noise_px, exact.keypoints.shape)
    keypoints[count:] = rng.permutation(keypoints[count:])
    features = replace(exact, keypoints=keypoints)
    return localizer_with(sfm_map, features).localize(scene.image(3), scene.camera)


@pytest.mark.parametrize("count", [20, 400], ids=["few right", "all right"])
def test_scale_and_place_of_the_world_make_no_difference(
    scene: ExactScene, sfm_map: Map, count: int
) -> None:
    same = answer(scene, sfm_map, count, noise_px=1.0)
    assert same.confidence is not None
    worlds = [(10.0**power, np.zeros(3)) for power in (-3, -1, 2, 3)]
    worlds += [(1.0, np.full(3, 1e6)), (1000.0, np.full(3, 1e3))]
    for scale, shift in worlds:
        other = replace(sfm_map, model=moved(sfm_map.model, scale, shift))
        found = answer(scene, other, count, noise_px=1.0)
        assert found.status is same.status
        assert found.confidence == pytest.approx(same.confidence, abs=1e-6)
        assert found.counts["inliers"] == same.counts["inliers"]


def test_a_metric_map_judges_by_metres(scene: ExactScene, sfm_map: Map) -> None:
    """The same poses in millimetres, declared to be metres, are far too uncertain."""
    in_mm = replace(sfm_map, model=moved(sfm_map.model, 1000.0, np.zeros(3)))
    as_metres = replace(in_mm, report={**in_mm.report, "metric": True})
    assert answer(scene, in_mm, 400, noise_px=1.0).pose is not None
    refused = answer(scene, as_metres, 400, noise_px=1.0)
    assert refused.pose is None
    assert "own uncertainty of" in refused.reason
    assert "exceeds the 0.25 m that a metric map requires" in refused.reason


@pytest.mark.parametrize(
    ("sigma", "metres_per_unit", "text"),
    [
        (0.4, 1.0, "uncertainty of 0.4 m exceeds the 0.25 m that a metric map requires"),
        (0.2, 1.0, "uncertainty of 0.2 m comes near the 0.25 m that a metric map requires"),
        (0.4, None, "uncertainty of 4 % exceeds the 2.5 % of the distance of what it sees"),
    ],
)
def test_the_reason_names_uncertainty_and_limit(
    sigma: float, metres_per_unit: float | None, text: str
) -> None:
    covariance = np.diag([1e-6] * 3 + [sigma**2] * 3)
    limits = ErrorLimits(0.25, 2.0, metres_per_unit, 0.025)
    assert text in uncertainty_in_words(covariance, limits)


def test_an_uncertain_angle_is_named_in_degrees() -> None:
    covariance = np.diag([np.radians(3.0) ** 2] * 3 + [1e-6] * 3)
    limits = ErrorLimits(0.25, 2.0, 1.0, 0.025)
    assert "uncertainty of 3 deg exceeds the 2 deg" in uncertainty_in_words(covariance, limits)
