"""check_extractor refuses extractors that break one of its rules, and names the rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.config import FeaturesConfig
from hloc_lite.contracts import check_extractor
from hloc_lite.errors import ContractError
from hloc_lite.features.rootsift import RootSiftExtractor
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures, Photo
from tests.weights_stores import NoWeights


class ChangedExtractor:
    """RootSIFT whose results are changed."""

    descriptor_dim = 128

    def __init__(self, change):
        self.rootsift = RootSiftExtractor(
            "rootsift", FeaturesConfig(max_keypoints=100), Runtime(NoWeights())
        )
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
