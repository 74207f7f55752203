"""Names are matched as a whole, or shortened only where no doubt is left."""

from __future__ import annotations

import pytest

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.names import align_names


def test_whole_names_come_first_and_the_rest_is_reported() -> None:
    names = align_names(["a/1.jpg", "x/2.jpg"], ["a/1.jpg", "a/2.jpg"])
    assert names.true_names == {"a/1.jpg": "a/1.jpg"}
    assert names.unknown == ("x/2.jpg",)
    assert names.missing == ("a/2.jpg",)
    assert names.num_parts is None


def test_basenames_are_used_if_no_whole_name_matches() -> None:
    names = align_names(["1.jpg", "3.jpg"], ["day/1.jpg", "night/2.jpg"])
    assert names.true_names == {"1.jpg": "day/1.jpg"}
    assert (names.unknown, names.missing) == (("3.jpg",), ("night/2.jpg",))
    assert "matched by their basename" in names.explanation


def test_as_many_last_parts_as_match_are_used() -> None:
    true = ["run/rear/1.jpg", "run/left/1.jpg"]
    names = align_names(["rear/1.jpg", "left/1.jpg"], true)
    assert names.true_names == {"rear/1.jpg": true[0], "left/1.jpg": true[1]}
    assert names.explanation.endswith("their last 2 path parts")


def test_other_roots_are_seen_through() -> None:
    names = align_names(["images/query/day/1.jpg"], ["db/query/day/1.jpg"])
    assert names.true_names == {"images/query/day/1.jpg": "db/query/day/1.jpg"}
    assert names.num_parts == 3


def test_a_basename_of_two_true_names_is_refused() -> None:
    with pytest.raises(HlocLiteError, match=r"'1\.jpg' may be any of 'a/1\.jpg', 'b/1\.jpg'"):
        align_names(["1.jpg"], ["a/1.jpg", "b/1.jpg"])


def test_two_estimates_of_one_true_name_are_refused() -> None:
    with pytest.raises(HlocLiteError, match=r"both 'a/1\.jpg' and 'b/1\.jpg' may be '1\.jpg'"):
        align_names(["a/1.jpg", "b/1.jpg"], ["1.jpg"])


def test_nothing_in_common_names_examples_of_both() -> None:
    with pytest.raises(
        HlocLiteError, match=r"expected names like 'c\.jpg', got 'a\.jpg', 'b\.jpg'"
    ):
        align_names(["a.jpg", "b.jpg"], ["c.jpg"])


def test_no_estimates_are_all_missing_and_no_truth_is_refused() -> None:
    assert align_names([], ["a"]).missing == ("a",)
    with pytest.raises(HlocLiteError, match="nothing to score against"):
        align_names(["a"], [])
