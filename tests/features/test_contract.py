"""What every extractor of the registry owes, whatever its network."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from hloc_lite import registry
from hloc_lite.config import FeaturesConfig
from hloc_lite.types import LocalFeatures, Photo

NAMES = [
    name if name == "rootsift" else pytest.param(name, marks=pytest.mark.weights)
    for name in registry.FEATURES
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


def same(a: LocalFeatures, b: LocalFeatures) -> bool:
    fields = ("keypoints", "descriptors", "scores")
    return all(np.array_equal(getattr(a, field), getattr(b, field)) for field in fields)


def test_shapes_order_and_determinism(name, create, picture):
    extractor = create(name)
    photo = Photo("a", picture)
    features = extractor.extract([photo])[0]
    assert len(features) == 64
    assert features.descriptors.shape == (64, extractor.descriptor_dim)
    assert features.keypoints.dtype == features.descriptors.dtype == np.float32
    assert np.allclose(np.linalg.norm(features.descriptors, axis=1), 1, atol=1e-5)
    assert (np.diff(features.scores) <= 0).all()
    assert (features.keypoints > 0).all() and (features.keypoints < (384, 256)).all()
    assert features.image_size == (384, 256)
    assert same(features, extractor.extract([photo])[0])


def test_more_keypoints_extend_the_list(name, create, picture):
    few = create(name).extract([Photo("a", picture)])[0]
    many = create(name, max_keypoints=100).extract([Photo("a", picture)])[0]
    assert len(many) > len(few)
    assert np.array_equal(many.keypoints[: len(few)], few.keypoints)


def test_a_batch_gives_what_single_photos_give(name, create, picture):
    photos = [Photo("a", picture), Photo("b", picture[::-1].copy()), Photo("c", picture[:200])]
    together = create(name, batch_size=4).extract(photos)
    for photo, features in zip(photos, together, strict=True):
        alone = create(name).extract([photo])[0]
        assert len(alone) == len(features)
        assert np.median(np.abs(alone.keypoints - features.keypoints)) < 0.01
        assert features.image_size == (photo.width, photo.height)


def test_the_mask_is_respected_and_the_number_kept(name, create, picture):
    mask = np.ones((256, 384), bool)
    mask[:, 200:] = False
    features = create(name).extract([Photo("a", picture, mask)])[0]
    assert len(features) == 64
    assert (features.keypoints[:, 0] < 200).all()
    nothing = create(name).extract([Photo("a", picture, np.zeros_like(mask))])[0]
    assert len(nothing) == 0 and nothing.descriptors.shape == (0, create(name).descriptor_dim)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (20, 15), (33, 47), (500, 9)])
def test_tiny_images_are_no_error(name, create, size):
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    features = create(name).extract([Photo("tiny", pixels)])[0]
    assert (features.keypoints >= 0).all() and (features.keypoints <= size).all()
    assert features.descriptors.shape[1] == create(name).descriptor_dim


def test_flat_images_have_no_features(name, create):
    photos = [Photo("flat", np.full((64, 96, 3), level, np.uint8)) for level in (0, 130, 255)]
    for features in create(name).extract(photos):
        assert len(features) == 0
        assert features.descriptors.shape == (0, create(name).descriptor_dim)


def test_a_least_score_above_all_leaves_nothing(name, create, picture):
    if name == "disk":
        pytest.skip("its scores are logits, all of those kept are above 1")
    features = create(name, min_score=1.0).extract([Photo("a", picture)])[0]
    assert len(features) == 0


@pytest.mark.parametrize("cut", [32, 13])
def test_keypoints_move_with_the_image(name, create, picture, cut):
    """Cutting away the left columns moves what is left; not by a fraction more or less.

    (Mirroring would be the stricter test of the half pixel, but the networks themselves place their
    keypoints up to 1.5 px beside a structure, always to the same side: see the oracle test.)
    """
    whole = create(name, max_keypoints=400).extract([Photo("a", picture)])[0].keypoints
    rest = create(name, max_keypoints=400).extract([Photo("a", picture[:, cut:].copy())])[0]
    offsets = (rest.keypoints + np.float32([cut, 0]))[None] - whole[:, None]
    distances = np.linalg.norm(offsets, axis=2)
    near = distances.min(axis=1) < 1.5
    displacements = offsets[np.arange(len(whole)), distances.argmin(axis=1)][near]
    assert near.sum() > 100
    assert np.abs(np.median(displacements, axis=0)).max() < 0.25


def test_resizing_brings_keypoints_back_to_the_original(name, create, picture):
    """Every pixel four times, shrunk by areas, is the picture again: keypoints at exactly twice."""
    double = picture.repeat(2, axis=0).repeat(2, axis=1)
    small = create(name, max_side_px=384).extract([Photo("a", picture)])[0]
    back = create(name, max_side_px=384).extract([Photo("a", double)])[0]
    assert back.image_size == (768, 512)
    assert np.array_equal(back.keypoints, small.keypoints * 2)
    assert np.array_equal(back.descriptors, small.descriptors)
