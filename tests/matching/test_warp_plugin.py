"""Stand-ins with the public signatures of RoMa and LoMa are taken unchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from hloc_lite.config import MatchingConfig
from hloc_lite.contracts import check_pair_matcher
from hloc_lite.contracts.synthetic import cropped, textured_photo, uniform_photo
from hloc_lite.matching.warp_plugin import KeypointMatcher, WarpMatcher

H, W = 42, 56
"""Resolution of the stand-in's warp, whatever the photos have."""


def offset(first: np.ndarray, second: np.ndarray) -> tuple[int, int] | None:
    """Columns and rows by which the second photo is a crop of the first, or the other way."""
    if min(*first.shape[:2], *second.shape[:2]) < 32 or first.std() == 0 or second.std() == 0:
        return None
    (height0, width0), (height1, width1) = first.shape[:2], second.shape[:2]
    x, y = width0 - width1, height0 - height1
    a, b = first[max(y, 0) :, max(x, 0) :], second[max(-y, 0) :, max(-x, 0) :]
    return (x, y) if a.shape == b.shape and np.array_equal(a, b) else None


class Roma:
    """RoMa's signature: ``match(PIL, PIL)``, ``sample``, ``to_pixel_coordinates``."""

    def match(self, im_A, im_B, *args, batched=False, device=None):
        assert isinstance(im_A, Image.Image) and isinstance(im_B, Image.Image)
        y, x = torch.meshgrid(
            torch.linspace(-1 + 1 / H, 1 - 1 / H, H),
            torch.linspace(-1 + 1 / W, 1 - 1 / W, W),
            indexing="ij",
        )
        grid = torch.stack([x, y], dim=-1)
        shift = offset(np.asarray(im_A), np.asarray(im_B))
        if shift is None:
            return torch.cat([grid, grid], dim=-1), torch.zeros(H, W)
        sizes = torch.tensor(im_A.size), torch.tensor(im_B.size)
        pixels = (grid + 1) / 2 * sizes[0] - torch.tensor(shift)
        target = pixels / sizes[1] * 2 - 1
        certainty = (target.abs() < 1).all(dim=-1).float() * 0.9
        return torch.cat([grid, target.clamp(-1, 1)], dim=-1), certainty

    def sample(self, matches, certainty, num=10000):
        matches, certainty = matches.reshape(-1, 4), certainty.reshape(-1)
        rows = torch.multinomial(certainty, num_samples=min(num, len(certainty)))
        return matches[rows], certainty[rows]

    def to_pixel_coordinates(self, matches, H_A, W_A, H_B, W_B):
        sizes = torch.tensor([W_A, H_A]), torch.tensor([W_B, H_B])
        return (matches[:, :2] + 1) / 2 * sizes[0], (matches[:, 2:] + 1) / 2 * sizes[1]


class Loma:
    """LoMa's signature: ``match`` of two (1, 3, H, W) tensors gives matched pixels."""

    def match(self, image_A, image_B, filter_threshold=None, num_keypoints=None):
        assert image_A.shape[:2] == (1, 3) and image_A.max() <= 1
        arrays = [(each[0].permute(1, 2, 0) * 255).round().numpy() for each in (image_A, image_B)]
        shift = offset(*arrays)
        if shift is None:
            return np.zeros((0, 2)), np.zeros((0, 2))
        height, width = arrays[0].shape[:2]
        y, x = np.mgrid[4:height:8, 4:width:8]
        points = np.stack([x.ravel(), y.ravel()], axis=1) + 0.5
        return points, points - shift  # some lie outside the second photo


@pytest.mark.parametrize(
    "matcher",
    [WarpMatcher(Roma(), MatchingConfig()), KeypointMatcher(Loma(), MatchingConfig())],
    ids=["roma", "loma"],
)
def test_stand_ins_keep_the_contract(matcher) -> None:
    check_pair_matcher(matcher)


def test_settings_bound_number_and_certainty() -> None:
    pair = (textured_photo(0), cropped(textured_photo(0), 8, 8))
    (few,) = WarpMatcher(Roma(), MatchingConfig(dense_max_matches=50)).match_photos([pair])
    assert len(few) == 50
    (none,) = WarpMatcher(Roma(), MatchingConfig(dense_min_certainty=0.95)).match_photos([pair])
    assert len(none) == 0


def test_the_sample_is_the_same_again_and_leaves_the_random_state_alone() -> None:
    pair = (textured_photo(0), cropped(textured_photo(0), 8, 8))
    matcher = WarpMatcher(Roma(), MatchingConfig(dense_max_matches=50))
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    (first,) = matcher.match_photos([pair])
    assert torch.equal(torch.rand(1), expected)
    (again,) = matcher.match_photos([pair])
    assert np.array_equal(first.keypoints0, again.keypoints0)


def test_masked_and_outer_positions_are_left_out() -> None:
    photo = textured_photo(0)
    mask = np.zeros((photo.height, photo.width), bool)
    mask[100:] = True
    pair = (replace(photo, mask=mask), cropped(photo, 13, 7))
    for matcher in (
        WarpMatcher(Roma(), MatchingConfig()), KeypointMatcher(Loma(), MatchingConfig())
    ):  # fmt: skip
        (found,) = matcher.match_photos([pair])
        assert len(found) > 100
        assert found.keypoints0[:, 1].min() >= 100 and found.keypoints1.min() >= 0
        (nothing,) = matcher.match_photos([(photo, uniform_photo(0))])
        assert len(nothing) == 0
