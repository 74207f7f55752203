"""Every matcher of the registry keeps the contract; stricter rules for those that are exact."""

import numpy as np
import pytest

from hloc_lite.config import MatchingConfig
from hloc_lite.contracts import check_matcher
from hloc_lite.contracts.synthetic import nearby_features, random_features, shifted_features
from hloc_lite.registry import MATCHERS, Runtime, create
from tests.weights_stores import NoWeights

DESCRIPTOR_DIM = {"lighterglue-xfeat": 64}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.weights] if entry.weights else [])
        for name, entry in MATCHERS.builtin.items()
        if not entry.takes_photos
    ],
)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def make(name, request):
    has_weights = bool(MATCHERS[name].weights)
    runtime = request.getfixturevalue("runtime") if has_weights else Runtime(NoWeights())
    return lambda **settings: create(MATCHERS, name, MatchingConfig(**settings), runtime)


@pytest.fixture
def dim(name):
    return DESCRIPTOR_DIM.get(name, 128)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_contract(make, dim, batch_size):
    check_matcher(make(batch_size=batch_size), descriptor_dim=dim)


def test_batches_of_one_do_not_depend_on_other_pairs(make, rng, dim):
    sources = [random_features(rng, count, dim) for count in (60, 80, 60, 0, 80, 60)]
    pairs = [(f, nearby_features(rng, f, (2, 2), 0.01, rng.permutation(len(f)))) for f in sources]
    matcher = make(batch_size=1)
    for pair, batched in zip(pairs, matcher.match(pairs), strict=True):
        (alone,) = matcher.match([pair])
        assert set(map(tuple, alone.indices.tolist())) == set(map(tuple, batched.indices.tolist()))


def test_mutual_neighbours_do_not_depend_on_the_order_of_the_images(name, make, rng, dim):
    if name != "mutual-nn":
        pytest.skip("networks are symmetric up to rounding only")
    source = random_features(rng, 150, dim)
    target = nearby_features(rng, source, (5, 5), 0.05, rng.permutation(150))
    matcher = make()
    (there,), (back,) = matcher.match([(source, target)]), matcher.match([(target, source)])
    assert set(map(tuple, there.indices.tolist())) == set(
        map(tuple, back.indices[:, ::-1].tolist())
    )


def test_the_origin_of_the_pixel_frame_has_no_effect(make, rng, dim):
    source = random_features(rng, 150, dim, (560, 420))
    target = nearby_features(rng, source, (0, 0), 0.05, rng.permutation(150))
    # away from the border: keypoints outside their image are refused
    pair = [shifted_features(f, 10) for f in (source, target)]
    pair = [type(f)(f.keypoints, f.descriptors, f.scores, (640, 480)) for f in pair]
    shifted = [shifted_features(f, 0.5) for f in pair]
    (here,), (there,) = make().match([tuple(pair)]), make().match([tuple(shifted)])
    assert np.array_equal(here.indices, there.indices)
    np.testing.assert_allclose(here.scores, there.scores, atol=2e-3)
