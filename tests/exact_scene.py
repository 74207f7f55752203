"""Scene with known points and cameras, and stand-in networks that observe them exactly.

The pixels of image n encode n. The stand-in extractor decodes n and returns the exact projections
of the points in view of camera n, each with the point's own descriptor. Maps and poses made from
them must be exact to numerical precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hloc_lite import registry
from hloc_lite.config import Config, FeaturesConfig, load_config
from hloc_lite.entries import Entry, FeatureEntry
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Float32, LocalFeatures, Photo, Rigid3, UInt8
from tests.weights_stores import NoWeights as NoWeights

SIZE = (320, 240)
DIM = 64


@dataclass(frozen=True, eq=False)
class ExactScene:
    """M cameras on an arc that face N points."""

    points: np.ndarray
    descriptors: np.ndarray
    poses: tuple[Rigid3, ...]
    camera: Camera
    noise_px: float = 0.0

    def image(self, index: int) -> UInt8:
        """(H, W, 3) image: a texture, with the index in the first pixels."""
        rng = np.random.default_rng(index)
        pixels = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        pixels[:8, :8] = index  # a whole block, which JPEG keeps too
        return pixels

    def features(self, index: int, max_keypoints: int) -> LocalFeatures:
        """Projections of the points in view of camera ``index``, as features."""
        xy = img_from_cam(self.camera, self.poses[index].apply(self.points))
        rng = np.random.default_rng(1000 + index)
        xy = xy + self.noise_px * rng.standard_normal(xy.shape)
        with np.errstate(invalid="ignore"):
            in_view = ((xy > 0) & (xy < SIZE)).all(axis=1)
        rows = np.flatnonzero(in_view)[:max_keypoints]
        scores = np.linspace(1, 0.5, len(rows))
        return LocalFeatures(xy[rows], self.descriptors[rows], scores, SIZE)

    def write_images(self, folder: Path, names: Mapping[str, int]) -> None:
        """Write PNG files.

        Args:
            names: name -> index of the camera.
        """
        for name, index in names.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(self.image(index)).save(path)

    def reference(self, names: Mapping[str, int]) -> SfmModel:
        """Model of the named images with their poses and camera, without points."""
        images = tuple(
            SfmImage(i, name, 1, self.poses[index], np.zeros((0, 2)), np.zeros(0, np.int64))
            for i, (name, index) in enumerate(sorted(names.items()), start=1)
        )
        none = np.zeros((0, 3))
        return SfmModel(
            {1: self.camera},
            images,
            np.zeros(0, np.int64),
            none,
            none.astype(np.uint8),
            np.zeros(0),
        )


def make_scene(num_cameras: int = 10, num_points: int = 400, seed: int = 0) -> ExactScene:
    """Make a deterministic scene; one unit is about a metre."""
    rng = np.random.default_rng(seed)
    points = rng.uniform((-4, -2, 5), (4, 2, 9), (num_points, 3))
    descriptors = rng.standard_normal((num_points, DIM))
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    poses = []
    for t in np.linspace(-1, 1, num_cameras):
        center = np.array([2.5 * t, 1.2 * np.sin(5 * t), 0.2 * t])
        angle = 0.25 * t
        rotation = np.array(
            [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        )
        poses.append(Rigid3(rotation, -rotation @ center))
    camera = Camera("SIMPLE_RADIAL", *SIZE, np.array([300.0, 160.0, 120.0, -0.05]))
    return ExactScene(points, descriptors.astype(np.float32), tuple(poses), camera)


MAP_NAMES = {f"map {i}.png": i for i in (0, 1, 2, 4, 6, 8)}
"""Images of ``mapped_scene`` -> index of their camera."""


@contextmanager
def mapped_scene() -> Iterator[tuple[ExactScene, Map]]:
    """Scene, and a map of some of its images; stand-ins are registered within the context."""
    with pytest.MonkeyPatch.context() as patch:
        scene = make_scene()
        config = use_scene(patch, scene)
        images = {name: scene.image(index) for name, index in MAP_NAMES.items()}
        inputs = MapInputs(reference=scene.reference(MAP_NAMES))
        yield scene, build_map(images, config, inputs=inputs, weights=NoWeights())


def use_scene(monkeypatch: pytest.MonkeyPatch, scene: ExactScene) -> Config:
    """Register the scene's stand-ins as ``exact``, in place of another scene's.

    Returns:
        Config that uses them.
    """

    class Extractor:
        descriptor_dim = DIM

        def __init__(self, name: str, config: FeaturesConfig, runtime: Any) -> None:
            self.max_keypoints = config.max_keypoints

        def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
            return [scene.features(int(p.pixels[4, 4, 0]), self.max_keypoints) for p in photos]

    class Descriptor:
        def __init__(self, name: str, config: Any, runtime: Any) -> None:
            pass

        def fit(self, photos: Sequence[Photo]) -> None:
            pass

        def state(self) -> dict[str, Any]:
            return {"learned": np.ones((2, 3), np.float32)}

        def load_state(self, state: Mapping[str, Any]) -> None:
            assert state["learned"].shape == (2, 3)

        def describe(self, photos: Sequence[Photo]) -> Float32:
            angles = [0.1 * float(p.pixels[4, 4, 0]) for p in photos]
            return np.array([[np.cos(a), np.sin(a)] for a in angles], np.float32)

    monkeypatch.setitem(registry.FEATURES.registered, "exact", FeatureEntry(Extractor))
    monkeypatch.setitem(registry.GLOBAL_DESCRIPTORS.registered, "exact", Entry(Descriptor))
    return load_config(overrides={"features": {"name": "exact"}, "retrieval": {"name": "exact"}})
