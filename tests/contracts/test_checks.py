"""Each check refuses models that break one of its rules, and names the rule."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hloc_lite.config import FeaturesConfig, MatchingConfig
from hloc_lite.contracts import (
    check_descriptor,
    check_extractor,
    check_matcher,
    check_pair_matcher,
)
from hloc_lite.errors import ContractError
from hloc_lite.features.rootsift import RootSiftExtractor
from hloc_lite.matching.nearest import NearestMatcher
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures, Matches, PairMatches, Photo
from tests.exact_scene import NoWeights

RUNTIME = Runtime(NoWeights())


class ChangedExtractor:
    """RootSIFT whose results are changed."""

    descriptor_dim = 128

    def __init__(self, change):
        self.rootsift = RootSiftExtractor("rootsift", FeaturesConfig(max_keypoints=100), RUNTIME)
        self.change = change
        self.count = 0

    def extract(self, photos):
        self.count += 1
        return self.change(self, photos, self.rootsift.extract(photos))


def each(change):
    """Change the features of each photo that has any."""
    return lambda self, photos, found: [change(f) if len(f) else f for f in found]


def without_mask(self, photos, found):
    return self.rootsift.extract([Photo(p.name, p.pixels) for p in photos])


def on_a_grid(features):
    return replace(features, keypoints=np.floor(features.keypoints / 8) * 8 + 4)


def fail_on_small(self, photos, found):
    if min((photo.height for photo in photos), default=99) < 16:
        raise RuntimeError("kernel size can't be greater than the input size")
    return found


def overwrite(self, photos, found):
    for photo in photos:
        photo.pixels.setflags(write=True)
        photo.pixels[0, 0] = 0
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda self, photos, found: found[:-1], "a list of 3 LocalFeatures"),
        (lambda self, photos, found: tuple(found), "got tuple"),
        (lambda self, photos, found: [f.keypoints for f in found], "ndarray"),
        (each(lambda f: replace(f, descriptors=2 * f.descriptors)), "descriptors of length 1"),
        (each(lambda f: replace(f, descriptors=f.descriptors[:, :64])), "descriptor_dim = 128"),
        (each(lambda f: replace(f, scores=f.scores[::-1])), "best score first"),
        (each(lambda f: replace(f, scores=f.scores * np.nan)), "finite scores"),
        (each(lambda f: replace(f, image_size=f.image_size[::-1])), "image size"),
        (each(lambda f: replace(f, keypoints=2 * f.keypoints)), "inside a photo"),
        (each(lambda f: replace(f, keypoints=f.keypoints + np.nan)), "finite keypoints"),
        (each(on_a_grid), "move with the image"),
        (lambda self, photos, found: [ff(f, 4) for f in found], "8 keypoints or more"),
        (lambda self, photos, found: [ff(f, 100 - self.count) for f in found], "equal results"),
        (lambda self, photos, found: [ff(f, 90 // len(photos)) for f in found], "as alone"),
        (without_mask, "mask is False"),
        (fail_on_small, r"result for \d+ x \d+ px, got RuntimeError: kernel"),
        (overwrite, "inputs left as they are"),
    ],
)
def test_broken_extractors_are_refused(change, message):
    with pytest.raises(ContractError, match=f"ChangedExtractor: expected .*{message}"):
        check_extractor(ChangedExtractor(change))


def ff(features: LocalFeatures, count: int) -> LocalFeatures:
    """The first features."""
    arrays = (features.keypoints, features.descriptors, features.scores)
    return LocalFeatures(*(array[:count] for array in arrays), features.image_size)


def test_extractors_that_keep_the_contract_pass():
    check_extractor(ChangedExtractor(lambda self, photos, found: found))


class ChangedMatcher:
    """Mutual nearest neighbours whose results are changed."""

    def __init__(self, change):
        self.nearest = NearestMatcher("mutual-nn", MatchingConfig(), RUNTIME)
        self.change = change
        self.count = 0

    def match(self, pairs):
        self.count += 1
        return self.change(self, pairs, self.nearest.match(pairs))


def each_match(change):
    return lambda self, pairs, found: [
        Matches(*change(m.indices, m.scores)) if len(m) else m for m in found
    ]


def first_index_only(self, pairs, found):
    """Depends on the order of the images."""
    return [
        Matches(m.indices[keep], m.scores[keep])
        for m in found
        for keep in [m.indices[:, 0] % 10 > 0]
    ]


def in_absolute_pixels(self, pairs, found):
    """Depends on the origin of the pixel frame."""
    return [
        Matches(m.indices[keep], m.scores[keep])
        for (first, _), m in zip(pairs, found, strict=True)
        for keep in [first.keypoints[m.indices[:, 0], 0] % 1 < 0.8]
    ]


class AnyDimensions(ChangedMatcher):
    def match(self, pairs):
        dim = min((f.descriptors.shape[1] for pair in pairs for f in pair), default=0)
        cut = [
            tuple(replace(f, descriptors=f.descriptors[:, :dim]) for f in pair) for pair in pairs
        ]
        return self.nearest.match(cut)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda self, pairs, found: found * 2, "a list of 1 Matches"),
        (each_match(lambda idxs, scores: (idxs + 1000, scores)), "out of range"),
        (each_match(lambda idxs, scores: (idxs * 0, scores)), "repeated indices"),
        (each_match(lambda idxs, scores: (idxs, scores + 1)), r"scores in \[0, 1\]"),
        (each_match(lambda idxs, scores: (idxs[:9], scores[:9])), "75% of 200 features"),
        (each_match(lambda idxs, s: (np.stack([idxs[:, 0], idxs[::-1, 1]], 1), s)), "right of"),
        (lambda self, pairs, found: [mm(m, 250 - self.count) for m in found], "equal results"),
        (lambda self, pairs, found: found[::-1], "at most once for several pairs"),
        (first_index_only, "images are swapped"),
        (in_absolute_pixels, "half a pixel"),
    ],
)
def test_broken_matchers_are_refused(change, message):
    with pytest.raises(ContractError, match=f"ChangedMatcher: expected .*{message}"):
        check_matcher(ChangedMatcher(change))


def mm(matches: Matches, count: int) -> Matches:
    """The first matches, fewer with each call; at most 50 are cut away."""
    count = min(len(matches), max(count - 60, 150))
    return Matches(matches.indices[:count], matches.scores[:count])


def test_matchers_must_compare_dimensions():
    with pytest.raises(ContractError, match="two dimensions, got matches"):
        check_matcher(AnyDimensions(None))


class Thumbnails:
    """Photos of 8 x 8 pixels, relative to the mean of the photos that it was fitted to."""

    mean = np.zeros(192, np.float32)

    def fit(self, photos):
        self.mean = np.mean(self.thumbnails(photos), axis=0, dtype=np.float32)

    def state(self):
        return {"mean": self.mean}

    def load_state(self, state):
        self.mean = state["mean"]

    def describe(self, photos):
        rows = self.thumbnails(photos) - 0.5 * self.mean + np.float32(1e-3)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def thumbnails(self, photos):
        small = [cv2.resize(p.pixels, (8, 8), interpolation=cv2.INTER_AREA) for p in photos]
        return np.array(small, np.float32).reshape(len(small), 192) / 255


class Forgetful(Thumbnails):
    def state(self):
        return {}

    def load_state(self, state):
        pass


class InDoublePrecision(Thumbnails):
    def describe(self, photos):
        return super().describe(photos).astype(np.float64)


class LongRows(Thumbnails):
    def describe(self, photos):
        return 2 * super().describe(photos)


class BatchNormalized(Thumbnails):
    def describe(self, photos):
        rows = super().describe(photos)
        rows = rows - 0.5 * rows.mean(axis=0) if len(rows) else rows
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Accumulating(Thumbnails):
    def fit(self, photos):
        self.mean = self.mean + np.mean(self.thumbnails(photos), axis=0, dtype=np.float32)


class FlatWithoutPhotos(Thumbnails):
    def describe(self, photos):
        return super().describe(photos) if photos else np.zeros((0, 1), np.float32)


class NanWithoutTexture(Thumbnails):
    def describe(self, photos):
        rows = super().describe(photos)
        is_black = np.array([p.pixels.max() == 0 for p in photos], bool)
        return np.where(is_black[:, None], np.float32("nan"), rows)


class JsonState(Thumbnails):
    def state(self):
        return {"mean": self.mean.tolist()}


@pytest.mark.parametrize(
    ("descriptor", "message"),
    [
        (Forgetful, r"state\(\) and load_state\(\)"),
        (InDoublePrecision, "float32"),
        (LongRows, "length 1"),
        (BatchNormalized, "alone as in a batch"),
        (Accumulating, "another fit"),
        (FlatWithoutPhotos, r"shape \(0, 192\)"),
        (NanWithoutTexture, "finite rows for a black photo"),
        (JsonState, r"state\(\)\['mean'\], got list"),
    ],
)
def test_broken_descriptors_are_refused(descriptor, message):
    with pytest.raises(ContractError, match=f"{descriptor.__name__}: expected .*{message}"):
        check_descriptor(descriptor())


def test_descriptors_that_keep_the_contract_pass():
    check_descriptor(Thumbnails())


class PhaseMatcher:
    """Matches a grid of points by the one translation between two photos."""

    def __init__(self, change=lambda matches: matches):
        self.change = change

    def match_photos(self, pairs):
        return [self.change(self.match(first, second)) for first, second in pairs]

    def match(self, first: Photo, second: Photo) -> PairMatches:
        width, height = min(first.width, second.width), min(first.height, second.height)
        a, b = (
            cv2.cvtColor(p.pixels[:height, :width], cv2.COLOR_RGB2GRAY).astype(np.float32)
            for p in (first, second)
        )
        shift, score = (0.0, 0.0), 0.0
        if min(width, height) > 32 and a.std() > 0 and b.std() > 0:
            shift, score = cv2.phaseCorrelate(a, b)
        x, y = np.meshgrid(np.arange(8, width, 16), np.arange(8, height, 16))
        points = np.stack([x.ravel(), y.ravel()], axis=1) + 0.5
        moved = points + np.array(shift)
        inside = ((moved >= 0) & (moved <= (second.width, second.height))).all(axis=1)
        inside &= score > 0.1
        return PairMatches(
            points[inside], moved[inside], np.full(inside.sum(), min(score, 1.0)),
            (first.width, first.height), (second.width, second.height),
        )  # fmt: skip


def test_pair_matchers_that_keep_the_contract_pass():
    check_pair_matcher(PhaseMatcher())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: None, "NoneType"),
        (lambda m: replace(m, scores=m.scores - 1), r"scores in \[0, 1\]"),
        (lambda m: replace(m, keypoints1=m.keypoints1 + 1000), "inside a photo"),
        (lambda m: replace(m, image_size1=(8, 8)), "image size"),
        (lambda m: replace(m, keypoints1=m.keypoints1 * 0.5), "within 2.0 px"),
        (
            lambda m: PairMatches(*np.zeros((2, 0, 2)), [], m.image_size0, m.image_size1),
            "8 matches",
        ),
    ],
)
def test_broken_pair_matchers_are_refused(change, message):
    with pytest.raises(ContractError, match=f"PhaseMatcher: expected .*{message}"):
        check_pair_matcher(PhaseMatcher(change))
