"""LoFTR on kornia's network: answers of a stored small network, frames, masks, bad files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hloc_lite.config import MatchingConfig
from hloc_lite.contracts.synthetic import textured_photo, uniform_photo
from hloc_lite.errors import WeightsError
from hloc_lite.matching.loftr import LoftrMatcher, load_loftr
from hloc_lite.registry import Runtime
from hloc_lite.types import Photo
from tests.matching.tiny_loftr import ANSWERS, CHECKPOINT, architecture, photos
from tests.weights_stores import OneFile


def make(file: Path = CHECKPOINT, name: str = "loftr-outdoor", **settings: float) -> LoftrMatcher:
    """Matcher with the small network; random weights are never sure."""
    config = MatchingConfig(**{"dense_min_certainty": 0.0, **settings})
    return LoftrMatcher(name, config, Runtime(OneFile(file)), architecture())


def test_answers_are_those_of_the_stored_network() -> None:
    (found,) = make().match_photos([photos()])
    known = np.load(ANSWERS)
    order = np.argsort(-known["confidence"], kind="stable")
    assert len(found) == len(order) > 10
    np.testing.assert_allclose(found.scores, known["confidence"][order], rtol=1e-3, atol=1e-7)
    rows = [np.lexsort(points.T) for points in (found.keypoints0, known["keypoints0"])]
    np.testing.assert_allclose(found.keypoints0[rows[0]], known["keypoints0"][rows[1]], atol=1e-3)
    np.testing.assert_allclose(found.keypoints1[rows[0]], known["keypoints1"][rows[1]], atol=0.05)


def test_random_weights_match_a_photo_with_itself() -> None:
    photo = textured_photo(3, 320, 240)
    (found,) = make().match_photos([(photo, photo)])
    shift = np.linalg.norm(found.keypoints1 - found.keypoints0, axis=1)
    assert len(found) > 150
    assert np.median(shift) < 4.01 * np.sqrt(2), "the same cell, and half a window at most"


def test_keypoints_are_in_pixels_of_the_original_photos() -> None:
    small = textured_photo(3, 320, 240)
    large = Photo("large", small.pixels.repeat(2, axis=0).repeat(2, axis=1))
    matcher = make(dense_side_px=320)
    found, other = matcher.match_photos([(small, small), (large, small)])
    assert other.image_size0 == (640, 480)
    np.testing.assert_allclose(other.keypoints0, 2 * found.keypoints0, atol=1e-3)
    np.testing.assert_allclose(other.keypoints1, found.keypoints1, atol=1e-3)


def test_masked_pixels_are_not_matched() -> None:
    photo = textured_photo(3, 320, 240)
    mask = np.ones((240, 320), bool)
    mask[:, :160] = False
    (found,) = make().match_photos([(replace(photo, mask=mask), photo)])
    assert len(found) > 50
    assert found.keypoints0[:, 0].min() >= 160


def test_unsure_and_superfluous_matches_are_left_out() -> None:
    photo = textured_photo(3, 320, 240)
    (every,) = make().match_photos([(photo, photo)])
    (best,) = make(dense_max_matches=16).match_photos([(photo, photo)])
    assert np.array_equal(best.scores, every.scores[:16])
    threshold = float(np.median(every.scores))
    (sure,) = make(dense_min_certainty=threshold).match_photos([(photo, photo)])
    assert len(sure) == (every.scores > threshold).sum()


@pytest.mark.parametrize("size", [(1, 1), (20, 15), (96, 64)])
def test_tiny_and_uniform_photos_give_matches_inside_or_none(size: tuple[int, int]) -> None:
    other = uniform_photo(255, *size)
    for pair in ((textured_photo(0), other), (other, textured_photo(0))):
        (found,) = make().match_photos([pair])
        assert (found.keypoints0 <= (pair[0].width, pair[0].height)).all()
        assert (found.keypoints1 <= (pair[1].width, pair[1].height)).all()


def test_the_indoor_network_has_the_corrected_encoding() -> None:
    encodings = [
        load_loftr(
            CHECKPOINT, name, min_score=0.2, device="cpu", architecture=architecture()
        ).pos_encoding.pe
        for name in ("loftr-outdoor", "loftr-indoor")
    ]
    assert not torch.equal(*encodings)


def test_another_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.ckpt"
    torch.save({"state_dict": {"backbone.conv1.weight": torch.zeros(3)}}, file)
    with pytest.raises(WeightsError, match="not a usable checkpoint of LoFTR"):
        make(file)
    file.write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match="weights fetch loftr-outdoor"):
        make(file)
