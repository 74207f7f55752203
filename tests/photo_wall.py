"""A textured wall seen by five cameras, and a matcher that takes photos and needs no weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import cv2
import numpy as np

from hloc_lite import load_config
from hloc_lite.registry import register
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, DepthMap, PairMatches, Photo, Rigid3

SIZE = (320, 240)
FOCAL_PX = 300.0
CAMERA = Camera("PINHOLE", *SIZE, np.array([FOCAL_PX, FOCAL_PX, SIZE[0] / 2, SIZE[1] / 2]))
DISTANCE, SIDE = 5.0, 8.0
"""Distance of a textured wall from the cameras, and its side, map units."""


class OrbPairMatcher:
    """ORB keypoints of both photos, matched by mutual nearest neighbours."""

    matched: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, name: str, config: object, runtime: object) -> None:
        self._orb = cv2.ORB_create(nfeatures=800)
        self._matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)

    def match_photos(self, pairs: Sequence[tuple[Photo, Photo]]) -> list[PairMatches]:
        return [self._match(first, second) for first, second in pairs]

    def _match(self, first: Photo, second: Photo) -> PairMatches:
        self.matched.append((first.name, second.name))
        (points0, rows0), (points1, rows1) = (self._describe(photo) for photo in (first, second))
        found = self._matcher.match(rows0, rows1) if len(rows0) and len(rows1) else ()
        return PairMatches(
            points0[[each.queryIdx for each in found]].reshape(-1, 2),
            points1[[each.trainIdx for each in found]].reshape(-1, 2),
            np.array([1 / (1 + each.distance / 16) for each in found], np.float32),
            (first.width, first.height),
            (second.width, second.height),
        )

    def _describe(self, photo: Photo) -> tuple[np.ndarray, np.ndarray]:
        keypoints, rows = self._orb.detectAndCompute(
            cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY), None
        )
        points = np.array([each.pt for each in keypoints], np.float32).reshape(-1, 2)
        return points + 0.5, np.zeros((0, 32), np.uint8) if rows is None else rows


def wall_texture() -> np.ndarray:
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (40, 40, 3), np.uint8)
    fine = rng.integers(0, 256, (160, 160, 3), np.uint8)
    large = cv2.resize(coarse, (960, 960), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    small = cv2.resize(fine, (960, 960), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(0.6 * large + 0.4 * small, 0, 255).astype(np.uint8)


def photo_of_the_wall(texture: np.ndarray, pose: Rigid3) -> np.ndarray:
    """Exact image of a wall at z = DISTANCE, by its homography."""
    side = texture.shape[0]
    scale = SIDE / side
    world_from_texel = np.array(
        [[scale, 0, -SIDE / 2], [0, scale, -SIDE / 2], [0, 0, DISTANCE], [0, 0, 1]]
    )[:, [0, 1, 2]]
    intrinsics = np.array([[FOCAL_PX, 0, SIZE[0] / 2], [0, FOCAL_PX, SIZE[1] / 2], [0, 0, 1.0]])
    cam_from_world = np.column_stack([pose.rotation, pose.translation])
    corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # OpenCV's pixels are centred on 0
    homography = np.linalg.inv(corner) @ intrinsics @ cam_from_world @ world_from_texel @ corner
    return cv2.warpPerspective(texture, homography, SIZE, flags=cv2.INTER_AREA)


def make_photos() -> tuple[dict[str, np.ndarray], SfmModel]:
    texture, images, shots = wall_texture(), [], {}
    for index, (x, y) in enumerate([(-0.8, 0), (-0.3, 0.3), (0.2, -0.2), (0.7, 0.1), (0.1, 0.5)]):
        rotation, _ = cv2.Rodrigues(np.array([0.03 * y, -0.06 * x, 0.02 * index]))
        pose = Rigid3(rotation, -rotation @ np.array([x, y, 0.0]))
        name = f"{index}.png"
        shots[name] = photo_of_the_wall(texture, pose)
        none = np.zeros(0, np.int64)
        images.append(SfmImage(index + 1, name, 1, pose, np.zeros((0, 2)), none))
    no_points = np.zeros((0, 3))
    model = SfmModel(
        {1: CAMERA}, tuple(images), np.zeros(0, np.int64), no_points, no_points, np.zeros(0)
    )
    return shots, model


def config_with(matcher: str, pairs: str = "exhaustive"):
    settings = {
        "pairs": {"spec": pairs},
        "matching": {"name": matcher},
        "features": {"name": "rootsift"},
        "retrieval": {"name": "counting"},
    }
    return load_config(overrides=settings)


class Counting:
    """Global descriptor that needs no weights: mean colours of a grid."""

    def __init__(self, name: str, config: object, runtime: object) -> None:
        pass

    def fit(self, photos: Sequence[Photo]) -> None:
        pass

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def load_state(self, state: object) -> None:
        pass

    def describe(self, photos: Sequence[Photo]) -> np.ndarray:
        small = [cv2.resize(photo.pixels, (4, 4)).ravel() + 1.0 for photo in photos]
        rows = np.array(small, np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@contextmanager
def registered() -> Iterator[None]:
    """Register the matcher ``orb-pairs`` and the global descriptor ``counting`` meanwhile."""
    OrbPairMatcher.matched.clear()
    with (
        register("matchers", "orb-pairs", OrbPairMatcher),
        register("global_descriptors", "counting", Counting),
    ):
        yield


class WallDepth:
    """``MapDepth`` of the wall in the images of a model."""

    def __init__(self, model: SfmModel) -> None:
        self._model = model

    def depth_of(self, image_name: str) -> DepthMap:
        image = self._model.image_named(image_name)
        assert image is not None
        pixels = np.stack(np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1])), -1) + 0.5
        rays = np.dstack([(pixels - CAMERA.params[2:]) / FOCAL_PX, np.ones(pixels.shape[:2])])
        slope = rays @ image.cam_from_world.rotation[:, 2]
        z = (DISTANCE - image.cam_from_world.center[2]) / slope
        return DepthMap(z.astype(np.float32), SIZE)

    def fingerprint(self, image_name: str) -> str:
        return "wall"
