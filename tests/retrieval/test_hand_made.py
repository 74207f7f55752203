"""Perceptual hashes and colour histograms: values by hand, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data

from hloc_lite.config import RetrievalConfig
from hloc_lite.errors import ConfigError
from hloc_lite.registry import GLOBAL_DESCRIPTORS, Runtime, create
from hloc_lite.retrieval.colour_histogram import histogram
from hloc_lite.retrieval.perceptual_hashes import average_hash, dct_hash, difference_hash
from hloc_lite.types import Photo

HASHES = ("ahash", "dhash", "phash")


def describe(name: str, pixels: np.ndarray) -> np.ndarray:
    descriptor = create(GLOBAL_DESCRIPTORS, name, RetrievalConfig(), Runtime(None))
    return descriptor.describe([Photo("x", pixels)])[0]


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Hamming distance of two hashes from their cosine."""
    return 32 * (1 - float(first @ second))


def test_hashes_by_hand():
    ramp = np.tile(np.arange(8.0), (8, 1))
    assert average_hash(ramp).sum() == 32 and average_hash(ramp)[:, 4:].all()
    assert difference_hash(np.tile(np.arange(9.0), (8, 1))).all()
    assert not difference_hash(np.tile(np.arange(9.0)[::-1], (8, 1))).any()
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(32, 32))
    k = np.arange(32)
    basis = (
        np.cos(np.pi / 32 * np.outer(k, k + 0.5)) * np.sqrt(np.where(k == 0, 1, 2) / 32)[:, None]
    )
    low = (basis @ picture @ basis.T)[:8, :8]
    np.testing.assert_array_equal(dct_hash(picture), low > np.median(low))


@pytest.mark.parametrize("name", HASHES)
def test_near_duplicates_have_near_hashes(name):
    photo, other = skimage.data.astronaut(), skimage.data.coffee()
    own = describe(name, photo)
    darker = (0.7 * photo).astype(np.uint8)
    smaller = photo[::2, ::2]
    assert distance(own, describe(name, darker)) <= 6
    assert distance(own, describe(name, smaller)) <= 6
    assert distance(own, describe(name, other)) > 15


def test_a_histogram_by_hand():
    hsv = np.array([[[0, 0, 0], [179, 255, 255]], [[22, 0, 0], [23, 0, 0]]], np.uint8)
    shares = histogram(hsv).reshape(8, 4, 4)
    assert shares[0, 0, 0] == 0.5 and shares[7, 3, 3] == 0.25 and shares[1, 0, 0] == 0.25


def test_mirrored_regions_have_the_same_colours():
    photo = skimage.data.coffee()
    own, mirrored = describe("hsv-histogram", photo), describe("hsv-histogram", photo[:, ::-1])
    by_region = mirrored.reshape(3, 3, -1)[:, ::-1].ravel()
    assert own @ by_region > 0.99 > own @ mirrored


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pooled:gem", "expected two parts"),
        ("pooled:+lite0", "expected two parts"),
        ("pooled:gm+lite0", "Did you mean 'gem'"),
        ("pooled:gem+lite9", "Did you mean 'lite"),
        ("local:gem+rootsift", "pools responses of a network"),
        ("local:vlad+sift", "Did you mean 'rootsift'"),
    ],
)
def test_wrong_names_are_explained(runtime, name, message):
    with pytest.raises(ConfigError, match=message):
        create(GLOBAL_DESCRIPTORS, name, RetrievalConfig(), runtime)
