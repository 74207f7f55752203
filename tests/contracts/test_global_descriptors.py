"""Every global descriptor of the registry keeps the contract, and what its config promises."""

import numpy as np
import pytest
import skimage.data

from hloc_lite.config import RetrievalConfig
from hloc_lite.contracts import check_descriptor
from hloc_lite.contracts.synthetic import textured_photo
from hloc_lite.registry import GLOBAL_DESCRIPTORS, POOLINGS, Runtime, create
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.retrieval.netvlad_vgg16 import NetVladVgg16
from hloc_lite.types import Photo

CONFIG = RetrievalConfig(max_side_px=128, num_clusters=4)
COMPOSED = (
    *(f"pooled:{name}+lite0" for name in POOLINGS.builtin),
    "local:bow+rootsift",
    "local:fisher+rootsift",
    "local:vlad+rootsift",
)
"""Each pooling, and some of local features."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name == "netvlad-pitts30k" else [pytest.mark.weights])
        for name in GLOBAL_DESCRIPTORS.builtin
        if not name.endswith(":")  # of these, ``COMPOSED`` has examples
    ],
)
def make(request):
    def build(**settings):
        config = CONFIG.model_copy(update=settings)
        return create(GLOBAL_DESCRIPTORS, request.param, config, runtime)

    if request.param == "netvlad-pitts30k":  # the real file has 529 MB: one of the same layout
        runtime = Runtime(request.getfixturevalue("pitts30k_weights"))
    else:
        runtime = request.getfixturevalue("runtime")
    return build


@pytest.mark.parametrize("settings", [{}, {"whiten_min_images": 6, "output_dim": 8}])
def test_contract(make, settings):
    check_descriptor(make(**settings))


@pytest.mark.weights
@pytest.mark.parametrize("name", COMPOSED)
def test_contract_of_composed_names(runtime, name):
    check_descriptor(create(GLOBAL_DESCRIPTORS, name, CONFIG, runtime))


@pytest.mark.weights
@pytest.mark.parametrize("name", ["pooled:crow+lite0", "local:vlad+rootsift"])
def test_composed_names_whiten(runtime, name):
    photos = [textured_photo(seed, 128, 96) for seed in range(6)]
    config = CONFIG.model_copy(update={"whiten_min_images": 6, "output_dim": 3})
    descriptor, again = (create(GLOBAL_DESCRIPTORS, name, config, runtime) for _ in range(2))
    descriptor.fit(photos)
    again.load_state(descriptor.state())
    rows = descriptor.describe(photos)
    assert rows.shape == (6, 3)
    np.testing.assert_array_equal(rows, again.describe(photos))


def test_a_backbone_of_the_matlab_file(pitts30k_weights):
    runtime = Runtime(pitts30k_weights)
    check_descriptor(create(GLOBAL_DESCRIPTORS, "pooled:gem+vgg16-pitts30k", CONFIG, runtime))


def test_whitening_needs_enough_images(make):
    photos = [textured_photo(seed, 128, 96) for seed in range(6)]
    plain, whitened = make(), make(whiten_min_images=6, output_dim=8)
    plain.fit(photos)
    whitened.fit(photos)
    learns = bool(plain.state())
    assert ("projection" in whitened.state()) == learns
    assert "projection" not in plain.state()
    if learns:
        assert whitened.describe(photos).shape == (6, 5)  # six images span five directions


def test_a_brighter_crop_finds_its_photo(make):
    names = ["astronaut", "chelsea", "coffee", "rocket"]  # pictures that scikit-image ships
    photos = [Photo(name, getattr(skimage.data, name)()) for name in names]
    descriptor = make()
    if isinstance(descriptor, NetVladVgg16):
        pytest.skip("the weights of the file are random: it knows no pictures")
    crops = [np.clip(1.05 * p.pixels[5:, 5:], 0, 255).astype(np.uint8) for p in photos]
    descriptor.fit(photos)
    index = RetrievalIndex(names, descriptor.describe(photos))
    hits = index.search(descriptor.describe([Photo("crop", crop) for crop in crops]), 1)
    assert [hit.names[0] for hit in hits] == names
