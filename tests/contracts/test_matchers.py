"""What every matcher of the registry keeps to."""

import dataclasses

import numpy as np
import pytest

from hloc_lite.config import MatchingConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.registry import MATCHERS, Runtime, create
from hloc_lite.types import LocalFeatures

DESCRIPTOR_DIM = {"mutual-nn": 128, "lighterglue-xfeat": 64}
SIZE = (640, 480)


class NoWeights:
    def path(self, name):
        raise AssertionError("mutual-nn needs no weights")


def features(rng, count, dim, size=SIZE):
    keypoints = rng.uniform(0, 1, (count, 2)) * size
    descriptors = rng.normal(size=(count, dim))
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    return LocalFeatures(keypoints, descriptors, np.linspace(1, 0, count), size)


def moved(rng, source, shift_px, noise, order):
    """The same scene from nearby: shuffled, shifted, descriptors a little changed."""
    descriptors = source.descriptors + noise * rng.normal(size=source.descriptors.shape)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    keypoints = np.clip(source.keypoints + shift_px, 0, source.image_size)
    return LocalFeatures(keypoints[order], descriptors[order], source.scores, source.image_size)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name == "mutual-nn" else [pytest.mark.weights])
        for name in MATCHERS
    ],
)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def make(name, request):
    runtime = Runtime(NoWeights()) if name == "mutual-nn" else request.getfixturevalue("runtime")
    return lambda **settings: create(MATCHERS, name, MatchingConfig(**settings), runtime)


@pytest.fixture(scope="module")
def matcher(make):
    return make()


@pytest.fixture
def dim(name):
    return DESCRIPTOR_DIM.get(name, 128)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def assert_valid(matches, features0, features1):
    assert matches.indices.dtype == np.int32
    assert matches.scores.dtype == np.float32
    assert matches.indices.shape == (len(matches), 2)
    assert matches.scores.shape == (len(matches),)
    for side, count in enumerate((len(features0), len(features1))):
        idxs = matches.indices[:, side]
        assert ((idxs >= 0) & (idxs < count)).all()
        assert len(set(idxs.tolist())) == len(idxs)
    assert ((matches.scores >= 0) & (matches.scores <= 1)).all()


def test_finds_the_same_scene_again(matcher, rng, dim):
    source = features(rng, 200, dim)
    order = rng.permutation(200)
    pair = source, moved(rng, source, (4, -3), 0.01, order)
    (matches,) = matcher.match([pair])
    assert_valid(matches, *pair)
    right = order[matches.indices[:, 1]] == matches.indices[:, 0]
    assert right.sum() >= 150
    assert right.mean() > 0.99


@pytest.mark.parametrize("counts", [(0, 0), (0, 5), (5, 0), (1, 1), (1, 2), (2, 1), (2, 300)])
def test_few_or_no_keypoints(matcher, rng, dim, counts):
    pair = features(rng, counts[0], dim), features(rng, counts[1], dim)
    (matches,) = matcher.match([pair])
    assert_valid(matches, *pair)
    assert len(matches) <= min(counts)


def test_no_pairs(matcher):
    assert matcher.match([]) == []


def test_answers_come_in_the_order_of_the_pairs(make, rng, dim):
    """Pairs of different counts, so that batches are not made of neighbours."""
    sources = [features(rng, count, dim) for count in (60, 80, 60, 0, 80, 60)]
    pairs = [(f, moved(rng, f, (2, 2), 0.01, rng.permutation(len(f)))) for f in sources]
    # a batch runs until its last pair is settled: a few matches may differ
    for batch_size, share in ((1, 1.0), (4, 0.9)):
        matcher = make(batch_size=batch_size)
        one_by_one = [matcher.match([pair])[0] for pair in pairs]
        together = matcher.match(pairs)
        assert len(together) == len(pairs)
        for pair, single, batched in zip(pairs, one_by_one, together, strict=True):
            assert_valid(batched, *pair)
            a, b = (set(map(tuple, matches.indices.tolist())) for matches in (single, batched))
            assert len(a & b) >= share * max(len(a), len(b))


def test_deterministic_and_leaves_its_input_alone(make, rng, dim):
    source = features(rng, 150, dim)
    pair = source, moved(rng, source, (9, 1), 0.05, rng.permutation(150))
    before = [field.copy() for f in pair for field in (f.keypoints, f.descriptors, f.scores)]
    first, again = make().match([pair])[0], make().match([pair])[0]
    assert np.array_equal(first.indices, again.indices)
    assert np.array_equal(first.scores, again.scores)
    after = [field for f in pair for field in (f.keypoints, f.descriptors, f.scores)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_swapping_the_images_swaps_the_columns(name, matcher, rng, dim):
    source = features(rng, 150, dim)
    target = moved(rng, source, (5, 5), 0.05, rng.permutation(150))
    (there,), (back,) = matcher.match([(source, target)]), matcher.match([(target, source)])
    a = set(map(tuple, there.indices.tolist()))
    b = set(map(tuple, back.indices[:, ::-1].tolist()))
    if name == "mutual-nn":
        assert a == b
    else:  # up to rounding at the thresholds of a network that treats both sides alike
        assert len(a & b) >= 0.97 * max(len(a), len(b))


def test_half_a_pixel_more_everywhere_changes_nothing(matcher, rng, dim):
    """The origin of the pixel frame (corner or centre of the first pixel) must not matter."""
    inside = features(rng, 150, dim)
    source = dataclasses.replace(inside, keypoints=inside.keypoints * 0.9 + 10)
    target = moved(rng, source, (5, 5), 0.05, rng.permutation(150))
    shifted = [dataclasses.replace(f, keypoints=f.keypoints + 0.5) for f in (source, target)]
    (here,), (there,) = matcher.match([(source, target)]), matcher.match([tuple(shifted)])
    assert np.array_equal(here.indices, there.indices)
    np.testing.assert_allclose(here.scores, there.scores, atol=2e-3)


def test_descriptors_of_other_features_are_refused(matcher, rng, dim):
    with pytest.raises(HlocLiteError):
        matcher.match([(features(rng, 10, dim), features(rng, 10, dim // 2))])
