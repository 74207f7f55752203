"""``netvlad-lite0``: fitted before use, photos loaded on demand."""

from collections.abc import Sequence

import numpy as np
import pytest

from hloc_lite.config import RetrievalConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.retrieval.netvlad import NetVladLite
from hloc_lite.types import Photo

pytestmark = pytest.mark.weights


def photo(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Photo(f"{seed}.jpg", pixels)


class Lazy(Sequence):
    """Photos that are made on demand."""

    def __init__(self, count):
        self.count = count
        self.loaded = []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index >= self.count:
            raise IndexError(index)
        self.loaded.append(int(index))
        return photo(index)


def test_words_are_required(runtime):
    descriptor = NetVladLite("netvlad-lite0", RetrievalConfig(), runtime)
    assert descriptor.state() == {}
    with pytest.raises(HlocLiteError, match="fit"):
        descriptor.describe([photo(0)])
    with pytest.raises(HlocLiteError, match="none"):
        descriptor.fit([])
    with pytest.raises(HlocLiteError, match="build the map again"):
        descriptor.load_state({})


def test_vocabulary_images_are_computed_once(runtime, monkeypatch):
    config = RetrievalConfig(vocabulary_images=3, num_clusters=4)
    descriptor = NetVladLite("netvlad-lite0", config, runtime)
    network, passes = descriptor._backbone.stride16, []
    monkeypatch.setattr(descriptor._backbone, "stride16", lambda x: passes.append(1) or network(x))
    photos = [photo(seed) for seed in range(3)]
    descriptor.fit(photos)
    first = descriptor.describe([photo(0), photo(0), photo(9)])  # one photo twice, and a new one
    assert len(passes) == 5
    other = NetVladLite("netvlad-lite0", config, runtime)
    other.load_state(descriptor.state())
    assert np.array_equal(first, other.describe([photo(0), photo(0), photo(9)]))


def test_only_the_sampled_photos_are_loaded(runtime):
    config = RetrievalConfig(vocabulary_images=5, num_clusters=4)
    photos = Lazy(1000)
    descriptor = NetVladLite("netvlad-lite0", config, runtime)
    descriptor.fit(photos)
    assert len(photos.loaded) == len(set(photos.loaded)) == 5
    assert photos.loaded == sorted(photos.loaded)
    other = Lazy(1000)
    NetVladLite("netvlad-lite0", config.model_copy(update={"seed": 1}), runtime).fit(other)
    assert other.loaded != photos.loaded


def test_another_fit_replaces_the_whitening(runtime):
    config = RetrievalConfig(num_clusters=4, whiten_min_images=4)
    descriptor = NetVladLite("netvlad-lite0", config, runtime)
    descriptor.fit([photo(n) for n in range(4)])
    assert "projection" in descriptor.state()
    descriptor.fit([photo(n) for n in range(3)])
    assert "projection" not in descriptor.state()
