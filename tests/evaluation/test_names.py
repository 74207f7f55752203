"""Matching of image names, whole or by trailing path parts."""

from __future__ import annotations

import pytest

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.names import align_names


def test_whole_names_match_first() -> None:
    names = align_names(["a/1.jpg", "x/2.jpg"], ["a/1.jpg", "a/2.jpg"])
    assert names.true_names == {"a/1.jpg": "a/1.jpg"}
    assert names.unknown == ("x/2.jpg",)
    assert names.missing == ("a/2.jpg",)
    assert names.num_parts is None


def test_basenames_match_if_no_whole_name_does() -> None:
    names = align_names(["1.jpg", "3.jpg"], ["day/1.jpg", "night/2.jpg"])
    assert names.true_names == {"1.jpg": "day/1.jpg"}
    assert (names.unknown, names.missing) == (("3.jpg",), ("night/2.jpg",))
    assert "matched by their basename" in names.explanation


def test_longest_matching_trailing_parts_are_used() -> None:
    true = ["run/rear/1.jpg", "run/left/1.jpg"]
    names = align_names(["rear/1.jpg", "left/1.jpg"], true)
    assert names.true_names == {"rear/1.jpg": true[0], "left/1.jpg": true[1]}
    assert names.explanation.endswith("their last 2 path parts")


def test_names_relative_to_another_root_match() -> None:
    names = align_names(["images/query/day/1.jpg"], ["db/query/day/1.jpg"])
    assert names.true_names == {"images/query/day/1.jpg": "db/query/day/1.jpg"}
    assert names.num_parts == 3


def test_basename_of_two_true_names_is_refused() -> None:
    with pytest.raises(HlocLiteError, match=r"'1\.jpg' may be any of 'a/1\.jpg', 'b/1\.jpg'"):
        align_names(["1.jpg"], ["a/1.jpg", "b/1.jpg"])


def test_two_estimates_of_one_true_name_are_refused() -> None:
    with pytest.raises(HlocLiteError, match=r"both 'a/1\.jpg' and 'b/1\.jpg' may be '1\.jpg'"):
        align_names(["a/1.jpg", "b/1.jpg"], ["1.jpg"])


def test_error_without_a_match_shows_examples() -> None:
    with pytest.raises(
        HlocLiteError, match=r"expected names like 'c\.jpg', got 'a\.jpg', 'b\.jpg'"
    ):
        align_names(["a.jpg", "b.jpg"], ["c.jpg"])


def test_no_estimates_or_no_ground_truth() -> None:
    assert align_names([], ["a"]).missing == ("a",)
    with pytest.raises(HlocLiteError, match="nothing to compare with"):
        align_names(["a"], [])
