"""Feature extraction: changed, unreadable and featureless images."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.config import FeaturesConfig
from hloc_lite.errors import MappingError, StaleArtefactError
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.feature_extraction import colors_at, extract_features, stored_keypoints
from hloc_lite.mapping.run import MapInputs
from hloc_lite.models import load_models
from hloc_lite.registry import Runtime
from tests.exact_scene import NoWeights


def test_features_are_stored_once_and_changes_are_noticed(exact_scene, tmp_path: Path) -> None:
    scene, config = exact_scene
    extractor = load_models(config, Runtime(NoWeights())).extractor
    arrays = {f"{index}.png": scene.image(index) for index in range(3)}
    arrays["empty.png"] = np.zeros((0, 0, 3), np.uint8)
    source = MemorySource(arrays)
    hashes = dict.fromkeys(arrays, "0123")
    with closing(ShardedStore(tmp_path / "features", "made from", "features")) as store:
        unreadable = extract_features(source, hashes, extractor, store, 2, progress=False)
        assert list(unreadable) == ["empty.png"] and len(store) == 3
        keypoints = stored_keypoints(store, ["2.png"])["2.png"]
        expected = scene.features(2, config.features.max_keypoints).keypoints
        assert np.array_equal(keypoints, expected)
        assert np.array_equal(store["2.png"]["rgb"], colors_at(arrays["2.png"], keypoints))
        hashes["1.png"] = "4567"
        with pytest.raises(StaleArtefactError, match=r"'1.png' has changed.*Use --overwrite"):
            extract_features(source, hashes, extractor, store, 2, progress=False)


def test_colors_are_those_of_the_pixel_that_contains_the_keypoint() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    xy = np.array([[0.5, 0.5], [1.9, 0.1], [4.0, 2.0]])
    assert np.array_equal(colors_at(pixels, xy), pixels[[0, 0, 1], [0, 1, 3]])


def test_images_without_keypoints_are_refused(exact_scene, tmp_path: Path) -> None:
    config = exact_scene[1].model_copy(update={"features": FeaturesConfig(name="rootsift")})
    rng = np.random.default_rng(0)
    for folder, name in (("images", "{}.png"), ("masks", "{}.png.png")):
        (tmp_path / folder).mkdir()
        for letter in "abc":
            pixels = rng.integers(0, 256 if folder == "images" else 1, (60, 80), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / name.format(letter))
    with pytest.raises(MappingError, match=r"none of the 3 images has any keypoint.*masked away"):
        build_map(
            tmp_path / "images", config, inputs=MapInputs(masks=tmp_path / "masks"),
            weights=NoWeights(),
        )  # fmt: skip
