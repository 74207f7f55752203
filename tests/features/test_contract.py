"""Every extractor of the registry keeps the contract, and what its config promises."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from hloc_lite import registry
from hloc_lite.config import FeaturesConfig
from hloc_lite.contracts import check_extractor
from hloc_lite.types import Photo

NAMES = [
    pytest.param(name, marks=[pytest.mark.weights] if entry.weights else [])
    for name, entry in registry.FEATURES.builtin.items()
]
pytestmark = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A photo with many corners: 384 x 256."""
    return np.ascontiguousarray(np.repeat(data.coins()[:256, :384, None], 3, axis=2))


@pytest.fixture(scope="module")
def create(runtime):
    made = {}

    def make(name: str, **settings: object):
        key = (name, *sorted(settings.items()))
        if key not in made:
            config = FeaturesConfig(name=name, **{"max_keypoints": 64, **settings})
            made[key] = registry.create(registry.FEATURES, name, config, runtime)
        return made[key]

    return make


def test_contract_on_synthetic_photos(name, create):
    check_extractor(create(name))


def test_contract_on_real_photos(name, create, picture):
    photos = [Photo("a", picture), Photo("b", picture[::-1].copy()), Photo("c", picture[:200])]
    check_extractor(create(name, max_keypoints=400, batch_size=4), photos)


def test_max_keypoints_truncates_the_list(name, create, picture):
    few = create(name).extract([Photo("a", picture)])[0]
    many = create(name, max_keypoints=100).extract([Photo("a", picture)])[0]
    assert len(many) > len(few) == 64
    assert np.array_equal(many.keypoints[: len(few)], few.keypoints)


def test_max_keypoints_counts_unmasked_keypoints(name, create, picture):
    mask = np.ones((256, 384), bool)
    mask[:, 200:] = False
    features = create(name).extract([Photo("a", picture, mask)])[0]
    assert len(features) == 64
    assert (features.keypoints[:, 0] < 200).all()


def test_uniform_photos_have_no_features(name, create):
    photos = [Photo("uniform", np.full((64, 96, 3), level, np.uint8)) for level in (0, 130, 255)]
    assert [len(features) for features in create(name).extract(photos)] == [0, 0, 0]


def test_min_score_above_all_scores_leaves_nothing(name, create, picture):
    if name == "disk":
        pytest.skip("its scores are logits, all of those kept are above 1")
    features = create(name, min_score=1.0).extract([Photo("a", picture)])[0]
    assert len(features) == 0


@pytest.mark.parametrize("cut", [32, 13])
def test_keypoints_move_with_the_image(name, create, picture, cut):
    """Cutting away the left columns moves the other keypoints by exactly as many pixels.

    Mirroring would be a stricter test of the half pixel, but the networks' keypoints are up to
    1.5 px off a structure, always to the same side (see the oracle test).
    """
    whole = create(name, max_keypoints=400).extract([Photo("a", picture)])[0].keypoints
    rest = create(name, max_keypoints=400).extract([Photo("a", picture[:, cut:].copy())])[0]
    offsets = (rest.keypoints + np.float32([cut, 0]))[None] - whole[:, None]
    distances = np.linalg.norm(offsets, axis=2)
    near = distances.min(axis=1) < 1.5
    displacements = offsets[np.arange(len(whole)), distances.argmin(axis=1)][near]
    assert near.sum() > 100
    assert np.abs(np.median(displacements, axis=0)).max() < 0.25


def test_keypoints_of_a_resized_photo_are_in_original_pixels(name, create, picture):
    """Every pixel four times, shrunk by areas, is the picture again: keypoints at exactly twice."""
    double = picture.repeat(2, axis=0).repeat(2, axis=1)
    small = create(name, max_side_px=384).extract([Photo("a", picture)])[0]
    back = create(name, max_side_px=384).extract([Photo("a", double)])[0]
    assert back.image_size == (768, 512)
    assert np.array_equal(back.keypoints, small.keypoints * 2)
    assert np.array_equal(back.descriptors, small.descriptors)
