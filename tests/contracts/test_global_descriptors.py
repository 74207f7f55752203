"""What every global descriptor of the registry keeps to."""

import numpy as np
import pytest
import skimage.data

from hloc_lite.config import RetrievalConfig
from hloc_lite.registry import GLOBAL_DESCRIPTORS, Runtime, create
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.retrieval.netvlad_vgg16 import NetVladVgg16
from hloc_lite.types import Photo

CONFIG = RetrievalConfig(max_side_px=128, num_clusters=4)


class OneFile:
    def __init__(self, file):
        self.file = file

    def path(self, name):
        assert name == "netvlad-pitts30k"
        return self.file


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name == "netvlad-pitts30k" else [pytest.mark.weights])
        for name in GLOBAL_DESCRIPTORS
    ],
)
def make(request):
    def build(**settings):
        config = CONFIG.model_copy(update=settings)
        return create(GLOBAL_DESCRIPTORS, request.param, config, runtime)

    if request.param == "netvlad-pitts30k":  # the real file has 529 MB: one of the same layout
        runtime = Runtime(OneFile(request.getfixturevalue("pitts30k_file")))
    else:
        runtime = request.getfixturevalue("runtime")
    return build


def scene(seed, shape=(96, 128)):
    """A picture of blocks and stripes, another one for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = np.kron(coarse, np.ones((-(-shape[0] // 8), -(-shape[1] // 8), 1), np.uint8))
    pixels = pixels[: shape[0], : shape[1]].astype(np.int16)
    pixels[:: rng.integers(3, 9)] += 40
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photos():
    return [Photo(f"{seed}.jpg", scene(seed)) for seed in range(6)]


@pytest.fixture(scope="module")
def fitted(make, photos):
    describer = make()
    describer.fit(photos)
    return describer


def test_unit_float32_rows(fitted, photos):
    descriptors = fitted.describe(photos)
    assert descriptors.dtype == np.float32
    assert len(descriptors) == len(photos)
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-5)


def test_no_photos_give_no_rows(fitted, photos):
    assert fitted.describe([]).shape == (0, fitted.describe(photos[:1]).shape[1])


def test_one_by_one_as_together(fitted, photos):
    together = fitted.describe(photos)
    alone = np.concatenate([fitted.describe([photo]) for photo in photos])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (37, 51), (500, 300)])
def test_any_size_of_photo(fitted, shape):
    (descriptor,) = fitted.describe([Photo("a.jpg", scene(0, shape))])
    assert np.isfinite(descriptor).all()
    assert np.linalg.norm(descriptor) <= 1 + 1e-5


def test_a_blank_photo_is_no_trouble(fitted, make):
    blank = Photo("blank.jpg", np.zeros((40, 60, 3), np.uint8))
    assert np.isfinite(fitted.describe([blank])).all()
    describer = make()
    describer.fit([blank])
    assert np.isfinite(describer.describe([blank])).all()


def test_the_state_is_all_that_was_learned(fitted, make, photos):
    state = fitted.state()
    assert all(isinstance(array, np.ndarray) for array in state.values())
    assert all(array.dtype == np.float32 for array in state.values())
    other = make()
    other.load_state(state)
    assert np.array_equal(other.describe(photos), fitted.describe(photos))


def test_fitting_again_gives_the_same_bytes(fitted, make, photos):
    again = make()
    again.fit(photos)
    assert np.array_equal(again.describe(photos), fitted.describe(photos))


def test_whitened_only_from_enough_images(make, photos):
    plain, whitened = make(), make(whiten_min_images=6, output_dim=8)
    plain.fit(photos)
    whitened.fit(photos)
    learns = bool(plain.state())
    assert ("projection" in whitened.state()) == learns
    assert "projection" not in plain.state()
    descriptors = whitened.describe(photos)
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-5)
    if learns:
        assert descriptors.shape == (6, 5)  # six images span five directions
        other = make()
        other.load_state(whitened.state())
        assert np.array_equal(other.describe(photos), descriptors)


def test_a_brighter_crop_finds_its_photo(make):
    names = ["astronaut", "chelsea", "coffee", "rocket"]  # pictures that scikit-image ships
    photos = [Photo(name, getattr(skimage.data, name)()) for name in names]
    describer = make()
    if isinstance(describer, NetVladVgg16):
        pytest.skip("the weights of the file are random: it knows no pictures")
    crops = [np.clip(1.05 * p.pixels[5:, 5:], 0, 255).astype(np.uint8) for p in photos]
    describer.fit(photos)
    index = RetrievalIndex(names, describer.describe(photos))
    hits = index.search(describer.describe([Photo("crop", crop) for crop in crops]), 1)
    assert [hit.names[0] for hit in hits] == names
