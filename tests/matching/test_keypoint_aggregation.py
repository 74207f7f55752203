"""Keypoints of several pairs become one set, whose matches triangulate a scene of known shape."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from hloc_lite.config import MappingConfig
from hloc_lite.contracts import check_pair_matcher
from hloc_lite.errors import ShapeError
from hloc_lite.formats.colmap.mappers import triangulate
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.matching.keypoint_aggregation import aggregate_keypoints
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, LocalFeatures, PairMatches, Photo, Rigid3

SIZE = (100, 80)


def matches(keypoints0, keypoints1, scores=None):
    scores = np.ones(len(keypoints0)) if scores is None else scores
    return PairMatches(
        np.reshape(keypoints0, (-1, 2)), np.reshape(keypoints1, (-1, 2)), scores, SIZE, SIZE
    )


def test_points_of_one_cell_become_their_mean_with_the_best_score():
    found = {
        ("a", "b"): matches([[10.2, 10.4], [50, 50]], [[20, 20], [60, 60]], [0.5, 0.9]),
        ("a", "c"): matches([[11.2, 11.0]], [[30, 30]], [0.7]),
    }
    features, joined = aggregate_keypoints(found, cell_px=2)
    assert features["a"].keypoints.tolist() == [[50, 50], pytest.approx([10.7, 10.7])]
    assert features["a"].scores.tolist() == pytest.approx([0.9, 0.7])
    assert features["a"].descriptors.shape == (2, 0) and features["a"].image_size == SIZE
    assert joined["a", "b"].indices.tolist() == [[0, 0], [1, 1]]
    assert joined["a", "b"].scores.tolist() == pytest.approx([0.9, 0.5])
    assert joined["a", "c"].indices.tolist() == [[1, 0]]


def test_each_keypoint_is_matched_once_by_its_best_match():
    first = [[10.1, 10], [10.2, 10], [30, 30], [50, 50]]
    second = [[20, 20], [40, 40], [40.1, 40], [60, 60]]
    found = {("a", "b"): matches(first, second, [0.3, 0.8, 0.9, 0.1])}
    features, joined = aggregate_keypoints(found)
    pairs = [
        (features["a"].keypoints[i].tolist(), features["b"].keypoints[j].tolist())
        for i, j in joined["a", "b"].indices
    ]
    assert joined["a", "b"].scores.tolist() == pytest.approx([0.9, 0.1])
    assert pairs == [([30, 30], pytest.approx([40.05, 40])), ([50, 50], [60, 60])]


def test_the_order_of_the_pairs_has_no_effect():
    rng = np.random.default_rng(0)
    names = ["a", "b", "c", "d"]
    found = {
        pair: matches(*rng.uniform(0, 80, (2, 60, 2)), rng.uniform(0, 1, 60))
        for pair in itertools.combinations(names, 2)
    }
    features, joined = aggregate_keypoints(found, cell_px=5)
    again, rejoined = aggregate_keypoints(dict(reversed(found.items())), cell_px=5)
    for name in names:
        np.testing.assert_array_equal(features[name].keypoints, again[name].keypoints)
        assert (np.diff(features[name].scores) <= 0).all()
    for pair in found:
        np.testing.assert_array_equal(joined[pair].indices, rejoined[pair].indices)
        for side, name in enumerate(pair):
            idxs = joined[pair].indices[:, side]
            assert len(set(idxs.tolist())) == len(idxs) and idxs.max() < len(features[name])


def test_fixed_keypoints_stay_and_far_points_are_dropped():
    map_image = LocalFeatures([[20, 20], [40, 40]], np.ones((2, 4)), [1, 0.5], SIZE)
    found = {("query", "map"): matches([[1, 1], [5, 5], [9, 9]], [[40.5, 41], [20, 26], [19, 20]])}
    features, joined = aggregate_keypoints(found, cell_px=3, fixed={"map": map_image})
    assert features["map"] is map_image
    rows = joined["query", "map"].indices
    assert features["query"].keypoints[rows[:, 0]].tolist() == [[1, 1], [9, 9]]
    assert rows[:, 1].tolist() == [1, 0]


def test_pairs_without_matches():
    features, joined = aggregate_keypoints({("a", "b"): matches([], [])})
    assert len(features["a"]) == len(features["b"]) == len(joined["a", "b"]) == 0
    nothing = LocalFeatures(np.zeros((0, 2)), np.zeros((0, 4)), np.zeros(0), SIZE)
    _, joined = aggregate_keypoints({("a", "b"): matches([[1, 1]], [[2, 2]])}, fixed={"b": nothing})
    assert len(joined["a", "b"]) == 0
    assert aggregate_keypoints({}) == ({}, {})


def test_sizes_of_an_image_must_agree():
    other = PairMatches(np.zeros((1, 2)), np.zeros((1, 2)), [1], (50, 40), SIZE)
    with pytest.raises(ShapeError, match=r"'a' has different sizes .*\(50, 40\), \(100, 80\)"):
        aggregate_keypoints({("a", "b"): matches([[1, 1]], [[1, 1]]), ("a", "c"): other})


class FlowMatcher:
    """Tracks a grid of points from one photo to the other (Lucas-Kanade, both ways)."""

    def match_photos(self, pairs):
        return [self._match(*pair) for pair in pairs]

    def _match(self, first: Photo, second: Photo) -> PairMatches:
        sizes = (first.width, first.height), (second.width, second.height)
        x, y = np.meshgrid(np.arange(6.0, sizes[0][0], 6), np.arange(6.0, sizes[0][1], 6))
        points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
        if min(*sizes[0], *sizes[1]) < 32:
            points = points[:0]
        width, height = np.max(sizes, axis=0)  # OpenCV wants one size
        a, b = (
            cv2.copyMakeBorder(
                cv2.cvtColor(p.pixels, cv2.COLOR_RGB2GRAY),
                0, int(height) - p.height, 0, int(width) - p.width, cv2.BORDER_REPLICATE,
            )
            for p in (first, second)
        )  # fmt: skip
        if len(points) == 0:
            return PairMatches(points, points, np.zeros(0), *sizes)
        options = {"winSize": (21, 21), "maxLevel": 3, "minEigThreshold": 1e-4}
        moved, found, _ = cv2.calcOpticalFlowPyrLK(a, b, points, None, **options)
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(b, a, moved, None, **options)
        error = np.linalg.norm(back - points, axis=1)
        keep = (found[:, 0] & found_back[:, 0] > 0) & (error < 0.1)
        keep &= ((moved >= 0) & (moved < np.array(sizes[1]) - 1)).all(axis=1)
        # OpenCV's (0, 0) is the centre of the first pixel
        return PairMatches(points[keep] + 0.5, moved[keep] + 0.5, np.exp(-error[keep]), *sizes)


def test_the_flow_matcher_keeps_the_contract():
    check_pair_matcher(FlowMatcher())


CAMERA = Camera("SIMPLE_PINHOLE", 320, 240, np.array([300.0, 160.0, 120.0]))
NORMAL, DISTANCE = np.array([0.3, 0.1, 1.0]) / np.sqrt(1.1), 5.0
"""The scene is the slanted plane n . x = d."""


def poses():
    for x in (-0.15, -0.05, 0.05, 0.15):
        angle = -0.1 * x
        rotation = np.array(
            [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        )
        yield Rigid3(rotation, -rotation @ np.array([x, 0.3 * x, 0]))


def photo_of_plane(name: str, pose: Rigid3) -> Photo:
    """The exact view of a textured plane: a homography of the view from the origin."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (600, 800)).astype(np.float32), (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    focal, cx, cy = CAMERA.params
    # (0, 0) is the centre of a pixel here, as OpenCV has it
    view = np.array([[focal, 0, cx - 0.5], [0, focal, cy - 0.5], [0, 0, 1]])
    wide = np.array([[focal, 0, 399.5], [0, focal, 299.5], [0, 0, 1]])
    induced = pose.rotation + np.outer(pose.translation, NORMAL) / DISTANCE
    homography = view @ induced @ np.linalg.inv(wide)
    gray = cv2.warpPerspective(texture, homography, (320, 240), flags=cv2.INTER_CUBIC)
    return Photo(name, np.repeat(gray[:, :, None], 3, axis=2))


def test_matches_of_pairs_triangulate_the_scene():
    cams_from_world = {f"{i}.png": pose for i, pose in enumerate(poses())}
    photos = {name: photo_of_plane(name, pose) for name, pose in cams_from_world.items()}
    pairs = list(itertools.combinations(photos, 2))
    found = FlowMatcher().match_photos([(photos[a], photos[b]) for a, b in pairs])
    features, joined = aggregate_keypoints(dict(zip(pairs, found, strict=True)))
    images = tuple(
        SfmImage(i, name, 1, pose, np.zeros((0, 2)), np.zeros(0, np.int64))
        for i, (name, pose) in enumerate(cams_from_world.items(), start=1)
    )
    none = np.zeros((0, 3))
    reference = SfmModel({1: CAMERA}, images, np.zeros(0), none, none.astype(np.uint8), np.zeros(0))
    keypoints = {name: each.keypoints.astype(np.float64) for name, each in features.items()}
    views = [(pair, TwoView(joined[pair].indices, "CALIBRATED")) for pair in pairs]
    model = triangulate(reference, keypoints, views, MappingConfig())
    assert model.num_points > 2000
    # each pair alone would give tracks of two images
    images_of = np.zeros(model.num_points, int)
    for image in model.images:
        images_of[np.unique(image.point3D_idxs[image.point3D_idxs >= 0])] += 1
    assert images_of.mean() > 2.8
    off_plane = np.abs(model.xyz @ NORMAL - DISTANCE) / DISTANCE
    assert np.median(off_plane) < 0.005
    assert np.quantile(off_plane, 0.9) < 0.01
