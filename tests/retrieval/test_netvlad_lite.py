"""``netvlad-lite0``'s own life: fitted before use, images loaded one at a time."""

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
    """Photos that are made when they are asked for."""

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


def test_words_come_first(runtime):
    describer = NetVladLite("netvlad-lite0", RetrievalConfig(), runtime)
    assert describer.state() == {}
    with pytest.raises(HlocLiteError, match="fit"):
        describer.describe([photo(0)])
    with pytest.raises(HlocLiteError, match="none"):
        describer.fit([])
    with pytest.raises(HlocLiteError, match="build the map again"):
        describer.load_state({})


def test_vocabulary_images_go_through_the_network_once(runtime, monkeypatch):
    config = RetrievalConfig(vocabulary_images=3, num_clusters=4)
    describer = NetVladLite("netvlad-lite0", config, runtime)
    network, passes = describer._backbone.stride16, []
    monkeypatch.setattr(describer._backbone, "stride16", lambda x: passes.append(1) or network(x))
    photos = [photo(seed) for seed in range(3)]
    describer.fit(photos)
    first = describer.describe([photo(0), photo(0), photo(9)])  # one of them twice, a new one
    assert len(passes) == 5
    other = NetVladLite("netvlad-lite0", config, runtime)
    other.load_state(describer.state())
    assert np.array_equal(first, other.describe([photo(0), photo(0), photo(9)]))


def test_only_the_sampled_photos_are_loaded(runtime):
    config = RetrievalConfig(vocabulary_images=5, num_clusters=4)
    photos = Lazy(1000)
    describer = NetVladLite("netvlad-lite0", config, runtime)
    describer.fit(photos)
    assert len(photos.loaded) == len(set(photos.loaded)) == 5
    assert photos.loaded == sorted(photos.loaded)
    other = Lazy(1000)
    NetVladLite("netvlad-lite0", config.model_copy(update={"seed": 1}), runtime).fit(other)
    assert other.loaded != photos.loaded


def test_fitting_anew_forgets_the_whitening(runtime):
    config = RetrievalConfig(num_clusters=4, whiten_min_images=4)
    describer = NetVladLite("netvlad-lite0", config, runtime)
    describer.fit([photo(n) for n in range(4)])
    assert "projection" in describer.state()
    describer.fit([photo(n) for n in range(3)])
    assert "projection" not in describer.state()
