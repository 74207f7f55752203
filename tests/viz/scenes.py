"""Maps, results and truths for tests of the 3D page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.types import (
    Camera,
    LocalizationResult,
    PoseEstimate,
    RetrievalHits,
    Rigid3,
    Status,
)
from tests.exact_scene import ExactScene, NoWeights, mapped_scene

CAMERA = Camera("SIMPLE_PINHOLE", 400, 300, np.array([200.0, 200.0, 150.0]))
"""Half a field of view of 45 degrees in x."""


@dataclass(frozen=True, eq=False)
class LocalizedScene:
    """Scene, its map, a localizer, and results of two of its cameras."""

    scene: ExactScene
    map: Map
    localizer: Localizer
    results: tuple[LocalizationResult, ...]
    truth: dict[str, Rigid3]


@contextmanager
def localized_scene() -> Iterator[LocalizedScene]:
    """Localizes within the context only, where the stand-ins are registered."""
    with mapped_scene() as (scene, sfm_map):
        localizer = Localizer(sfm_map, weights=NoWeights())
        results = tuple(
            localizer.localize(scene.image(index), scene.camera, name=f"query {index}.png")
            for index in (3, 5)
        )
        truth = {f"query {index}.png": scene.poses[index] for index in (3, 5)}
        yield LocalizedScene(scene, sfm_map, localizer, results, truth)


def result_at(
    name: str,
    cam_from_world: Rigid3 | None,
    confidence: float | None = 0.9,
    covariance: np.ndarray | None = None,
    retrieved: tuple[str, ...] = ("map 0.png",),
) -> LocalizationResult:
    """Result with a pose, or one that is doubtful."""
    pose = None
    if cam_from_world is not None:
        pose = PoseEstimate(cam_from_world, np.ones(3, bool), 1, covariance, CAMERA)
    status = Status.LOCALIZED if pose else Status.DOUBTFUL
    hits = RetrievalHits(retrieved, np.ones(len(retrieved), np.float32))
    return LocalizationResult(
        name, status, "because", pose, None, None, hits, {}, {"total": 12.0}, confidence=confidence
    )


def moved_map(sfm_map: Map, shift: np.ndarray, scale: float = 1.0) -> Map:
    """The map in a world scaled, then shifted."""
    images = tuple(
        replace(image, cam_from_world=moved_pose(image.cam_from_world, shift, scale))
        for image in sfm_map.model.images
    )
    model = replace(sfm_map.model, images=images, xyz=sfm_map.model.xyz * scale + shift)
    return replace(sfm_map, model=model)


def moved_pose(cam_from_world: Rigid3, shift: np.ndarray, scale: float = 1.0) -> Rigid3:
    """Pose of the same camera in a world scaled, then shifted."""
    rotation = cam_from_world.rotation
    return Rigid3(rotation, -rotation @ (cam_from_world.center * scale + shift))
