"""Each pooling against a slow reference in float64, and by hand where that is short."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.config import RetrievalConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.registry import POOLINGS, load_factory
from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.retrieval.pooling import FeatureMaps, MapKind
from hloc_lite.retrieval.poolings.bow import inverse_document_frequency
from hloc_lite.retrieval.poolings.cam import class_activation_maps, class_weighted
from hloc_lite.retrieval.poolings.crow import channel_weights, crow, spatial_weights
from hloc_lite.retrieval.poolings.fisher import fisher_vector
from hloc_lite.retrieval.poolings.mac import mac
from hloc_lite.retrieval.poolings.nested_invariance import nested_invariance
from hloc_lite.retrieval.poolings.netvlad import net_fisher
from hloc_lite.retrieval.poolings.rmac import regions, rmac
from hloc_lite.retrieval.poolings.selective import max_mask, sum_mask
from hloc_lite.retrieval.poolings.spoc import centre_prior, spoc
from hloc_lite.retrieval.poolings.vlad import vlad

CONFIG = RetrievalConfig(num_clusters=3)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))


def responses(seed: int, channels: int, height: int, width: int) -> np.ndarray:
    """A map as after ReLU: about half of it is 0."""
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(size=(channels, height, width)), 0).astype(np.float32)


def make(name: str):
    return load_factory(POOLINGS[name].factory)(CONFIG)


def unit(vector) -> list[float]:
    norm = math.sqrt(sum(float(x) ** 2 for x in vector))
    return [float(x) / norm if norm else 0.0 for x in vector]


@given(st.integers(0, 99), SHAPES)
def test_mac_is_the_maximum(seed, shape):
    feature_map = responses(seed, *shape)
    expected = [max(float(v) for row in channel for v in row) for channel in feature_map]
    np.testing.assert_allclose(mac(feature_map), expected)


@given(st.integers(0, 99), SHAPES)
def test_spoc_against_loops(seed, shape):
    feature_map = responses(seed, *shape)
    channels, height, width = shape
    sigma = min(height, width) / 2 / 3
    expected = [0.0] * channels
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                squared = (y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2
                expected[c] += math.exp(-squared / (2 * sigma**2)) * float(feature_map[c, y, x])
    np.testing.assert_allclose(spoc(feature_map), expected, rtol=1e-4, atol=1e-6)


def test_the_centre_prior_is_symmetric_and_highest_at_the_centre():
    prior = centre_prior(5, 8)
    np.testing.assert_array_equal(prior, prior[::-1, ::-1])
    assert prior.max() == prior[2, 3] == prior[2, 4]
    assert centre_prior(3, 3)[1, 1] == 1
    # sigma = 0.5: the neighbour has exp(-1 / 0.5)
    assert centre_prior(3, 3)[1, 2] == pytest.approx(math.exp(-2))


@given(st.integers(0, 99), SHAPES)
def test_crow_against_loops(seed, shape):
    feature_map = responses(seed, *shape)
    channels, height, width = shape
    places = [(y, x) for y in range(height) for x in range(width)]
    total = {p: sum(float(feature_map[(c, *p)]) for c in range(channels)) for p in places}
    norm = math.sqrt(sum(v**2 for v in total.values()))
    shares = [sum(feature_map[(c, *p)] > 0 for p in places) / len(places) for c in range(channels)]
    expected = []
    for c in range(channels):
        weighted = sum(
            math.sqrt(total[p] / norm) * float(feature_map[(c, *p)]) for p in places if norm
        )
        expected.append(math.log(sum(shares) / shares[c]) * weighted if shares[c] else 0.0)
    np.testing.assert_allclose(crow(feature_map), expected, rtol=1e-4, atol=1e-5)


def test_crow_weights_by_hand():
    feature_map = np.array([[[3.0, 0]], [[4, 4]]], np.float32)  # sums 7 and 4
    np.testing.assert_allclose(
        spatial_weights(feature_map), np.sqrt([[7, 4]] / np.sqrt(65)), rtol=1e-6
    )
    # shares 1/2 and 1: ln(1.5 / 0.5) and ln(1.5)
    np.testing.assert_allclose(channel_weights(feature_map), np.log([3, 1.5]), rtol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40))
def test_regions_lie_inside_and_cover_the_corners(height, width):
    found = list(regions(height, width))
    assert all(0 <= top <= height - side and 0 <= left <= width - side for top, left, side in found)
    first = [region for region in found if region[2] == min(height, width)]
    covered = np.zeros((height, width), bool)
    for top, left, side in first:
        covered[top : top + side, left : left + side] = True
    assert covered[0, 0] and covered[-1, -1]


def test_regions_of_a_square_and_of_a_long_map():
    assert [side for *_, side in regions(12, 12)] == [12] + 4 * [8] + 9 * [6]
    # 10 x 16: one more along the width; a side of 10, starts 0 and 6 overlap by 0.4
    assert list(regions(10, 16, levels=1)) == [(0, 0, 10), (0, 6, 10)]
    # the published count for 4:3 photos: 2 + 6 + 12
    assert len(list(regions(24, 32))) == 20


@given(st.integers(0, 99), SHAPES)
def test_rmac_against_loops(seed, shape):
    feature_map = responses(seed, *shape)
    expected = np.zeros(shape[0])
    for top, left, side in regions(*shape[1:]):
        vector = [
            max(
                float(channel[y, x])
                for y in range(top, top + side)
                for x in range(left, left + side)
            )
            for channel in feature_map
        ]
        expected += unit(vector)
    np.testing.assert_allclose(rmac(feature_map), expected, rtol=1e-4, atol=1e-6)


@given(st.integers(0, 99), SHAPES)
def test_cam_against_loops(seed, shape):
    feature_map, rng = responses(seed, *shape), np.random.default_rng(seed)
    weights = rng.normal(size=(5, shape[0])).astype(np.float32)
    logits = [
        sum(w * float(x.mean()) for w, x in zip(row, feature_map, strict=True)) for row in weights
    ]
    best = sorted(range(5), key=lambda k: -logits[k])[:2]
    shares = channel_weights(feature_map)
    expected = np.zeros(shape[0])
    for k in best:
        activation = sum(
            float(w) * x.astype(float) for w, x in zip(weights[k], feature_map, strict=True)
        )
        span = activation.max() - activation.min()
        scaled = (activation - activation.min()) / span if span > 0 else 0 * activation
        expected += unit([s * (x * scaled).sum() for s, x in zip(shares, feature_map, strict=True)])
    found = class_weighted(feature_map, weights, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_class_activation_maps_are_scaled():
    maps = class_activation_maps(responses(1, 4, 5, 6), np.eye(4, dtype=np.float32))
    assert maps.shape == (4, 5, 6) and maps.min() == 0 and maps.max() == 1


def test_cam_needs_a_classifier():
    with pytest.raises(HlocLiteError, match="no classifier"):
        make("cam").pool(FeatureMaps((responses(0, 2, 3, 3),)))


def test_turning_the_photo_does_not_change_nested_invariance():
    maps = tuple(responses(seed, 3, 6, 6) for seed in range(4))
    turned = (*maps[1:], maps[0])
    np.testing.assert_array_equal(nested_invariance(maps), nested_invariance(turned))


def test_nested_invariance_by_hand():
    one = np.zeros((1, 3, 3), np.float32)
    one[0, 1, 1] = 9  # means 1, 9/4 (2 x 2 at the top left of the centre), 9
    expected = math.sqrt((1 + (9 / 4) ** 2 + 81) / 3)
    assert nested_invariance((one, 0 * one))[0] == pytest.approx(expected)


def test_masks_by_hand():
    feature_map = np.array([[[1.0, 0], [0, 5]], [[2, 0], [0, 1]]], np.float32)
    assert max_mask(feature_map).tolist() == [[True, False], [False, True]]
    assert sum_mask(feature_map).tolist() == [[True, False], [False, True]]


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4))
def test_net_fisher_against_loops(seed, count, dim, num_words):
    rng = np.random.default_rng(seed)
    local = l2_normalized(rng.normal(size=(count, dim)))
    assignment = rng.dirichlet(np.ones(num_words), count).astype(np.float32)
    centers = rng.normal(size=(num_words, dim)).astype(np.float32)
    deviations = rng.uniform(0.5, 2, (num_words, dim)).astype(np.float32)
    first = np.zeros((num_words, dim))
    second = np.zeros((num_words, dim))
    for k in range(num_words):
        for i in range(count):
            for d in range(dim):
                z = (float(local[i, d]) - float(centers[k, d])) / float(deviations[k, d])
                first[k, d] += float(assignment[i, k]) * z
                second[k, d] += float(assignment[i, k]) * (z * z - 1)
    expected = unit(np.concatenate([unit(row) for row in first])) + unit(second.ravel())
    found = net_fisher(local, assignment, centers, deviations)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_idf_by_hand():
    counts = np.array([[3.0, 0, 1], [1, 0, 0]], np.float32)
    np.testing.assert_allclose(inverse_document_frequency(counts), [0, 0, math.log(2)])


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4))
def test_vlad_against_loops(seed, count, dim, num_words):
    rng = np.random.default_rng(seed)
    local = rng.normal(size=(count, dim)).astype(np.float32)
    centers = rng.normal(size=(num_words, dim)).astype(np.float32)
    nearest = rng.integers(0, num_words, count)
    expected = []
    for k in range(num_words):
        total = [
            sum(float(local[i, d]) - float(centers[k, d]) for i in range(count) if nearest[i] == k)
            for d in range(dim)
        ]
        expected.append(unit([math.copysign(math.sqrt(abs(t)), t) for t in total]))
    np.testing.assert_allclose(vlad(local, nearest, centers), expected, rtol=1e-3, atol=1e-4)


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4))
def test_fisher_is_the_gradient_of_the_log_likelihood(seed, count, dim, num_words):
    """Against central differences of the mean log-likelihood, scaled by the Fisher information."""
    rng = np.random.default_rng(seed)
    local = rng.normal(size=(count, dim))
    weights = rng.dirichlet(5 * np.ones(num_words))
    means = rng.normal(size=(num_words, dim))
    deviations = rng.uniform(0.7, 2, (num_words, dim))

    def likelihood(means, deviations):
        total = 0.0
        for x in local:
            density = 0.0
            for weight, mean, deviation in zip(weights, means, deviations, strict=True):
                exponent = sum(
                    ((a - m) / s) ** 2 for a, m, s in zip(x, mean, deviation, strict=True)
                )
                density += weight * math.exp(-exponent / 2) / math.prod(deviation)
            total += math.log(density)
        return total / count

    step, expected = 1e-5, []
    for array, information in ((means, 1.0), (deviations, 2.0)):
        for k in range(num_words):
            for d in range(dim):
                kept, array[k, d] = array[k, d], array[k, d] + step
                above = likelihood(means, deviations)
                array[k, d] = kept - step
                below = likelihood(means, deviations)
                array[k, d] = kept
                gradient = (above - below) / (2 * step)
                expected.append(gradient * deviations[k, d] / math.sqrt(information * weights[k]))
    found = fisher_vector(local, weights, means, deviations)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def sample_maps(name: str, count: int = 6) -> list[FeatureMaps]:
    pooling = make(name)
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(5, 4)).astype(np.float32) if pooling.needs_classes else None
    samples = []
    for seed in range(count):
        views = tuple(responses(4 * seed + t, 4, 5, 6) for t in range(pooling.quarter_turns))
        if pooling.map_kind is MapKind.LOCAL:
            views = tuple(view - 0.5 for view in views)
        samples.append(FeatureMaps(views, weights))
    return samples


@pytest.mark.parametrize("name", POOLINGS.builtin)
def test_every_pooling_is_finite_and_restored_from_its_state(name):
    samples = sample_maps(name)
    pooling, again = make(name), make(name)
    pooling.fit(samples)
    again.load_state(pooling.state())
    for sample in samples:
        vector = pooling.pool(sample)
        assert vector.ndim == 1 and np.isfinite(vector).all() and np.any(vector)
        np.testing.assert_array_equal(vector, again.pool(sample))


@pytest.mark.parametrize("name", [n for n in POOLINGS.builtin if make(n).map_kind is MapKind.LOCAL])
def test_poolings_with_words_say_what_is_missing(name):
    with pytest.raises(HlocLiteError, match="no words yet"):
        make(name).pool(sample_maps(name)[0])
    with pytest.raises(HlocLiteError, match="build the map again"):
        make(name).load_state({})


@pytest.mark.parametrize("name", ["average", "mac", "gem", "netvlad", "netrvlad", "soft-dbow"])
def test_the_order_of_positions_does_not_matter(name):
    samples, rng = sample_maps(name), np.random.default_rng(0)
    pooling = make(name)
    pooling.fit(samples)
    view = samples[0].first
    shuffled = view.reshape(4, -1)[:, rng.permutation(30)].reshape(view.shape)
    np.testing.assert_allclose(
        pooling.pool_map(view), pooling.pool_map(shuffled), rtol=1e-4, atol=1e-5
    )
