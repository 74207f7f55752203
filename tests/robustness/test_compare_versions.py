"""Comparison of two versions: it must find every difference, and only differences."""

import json
from pathlib import Path

import numpy as np

from pipelines.benchmarks.accuracy.compare_versions import Row, compare
from pipelines.benchmarks.accuracy.differences import differences
from pipelines.benchmarks.accuracy.version_scenarios.records import read_records, write_records

POSE = np.array([0.1, 0.2, np.nan])


def rows(tmp_path: Path, *values: object) -> list[Row]:
    """Rows of one scenario with one query in three runs."""
    folders = [tmp_path / name for name in ("old_1", "old_2", "new")]
    for folder, value in zip(folders, values, strict=True):
        write_records(folder / "results" / "a/b", [{"name": "q", "pose": value}])
    return compare(*folders)


def test_equal_values_are_identical(tmp_path: Path) -> None:
    assert [row.outcome for row in rows(tmp_path, POSE, POSE, POSE.copy())] == ["identical"]


def test_the_last_bit_counts(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, POSE, POSE, np.nextafter(POSE, 1))
    assert row.outcome == "DIFFERENT"
    assert 0 < row.differences[0].size < 1e-15


def test_the_sign_of_zero_and_the_dtype_count(tmp_path: Path) -> None:
    zero = np.zeros(2)
    assert rows(tmp_path / "sign", zero, zero, -zero)[0].outcome == "DIFFERENT"
    (row,) = rows(tmp_path / "dtype", zero, zero, np.zeros(2, np.float32))
    assert row.outcome == "DIFFERENT"


def test_unrepeated_values_are_compared_by_tolerance(tmp_path: Path) -> None:
    (row,) = rows(tmp_path / "near", POSE, POSE + 1e-9, POSE - 2e-9)
    assert row.outcome.startswith("within 2e-09")
    (row,) = rows(tmp_path / "far", POSE, POSE + 1e-9, POSE + 1e-8)
    assert row.outcome == "DIFFERENT"


def test_a_missing_value_and_a_missing_scenario_are_differences(tmp_path: Path) -> None:
    assert rows(tmp_path, POSE, POSE, None)[0].outcome == "DIFFERENT"
    (tmp_path / "new" / "results" / "a/b.json").unlink()
    folders = [tmp_path / name for name in ("old_1", "old_2", "new")]
    assert [row.outcome for row in compare(*folders)] == ["DIFFERENT"]


def test_another_type_is_a_difference() -> None:
    assert list(differences({"count": 1}, {"count": 1.0}))
    assert list(differences({"found": True}, {"found": 1}))


def test_renamed_keys_and_their_digests_are_listed_but_do_not_count() -> None:
    old = {"config": {"cascade": {"enough": 0.95}, "weighting": {"off": ["places"]}}}
    new = {"config": {"cascade": {"accept_above": 0.95}, "weighting": {"off": ["view_semantics"]}}}
    found = list(differences({**old, "fingerprint": "a"}, {**new, "fingerprint": "b"}))
    assert len(found) == 3
    assert not any(each.counts for each in found)
    new["config"]["cascade"]["accept_above"] = 0.9
    assert [each.path for each in differences(old, new) if each.counts] == [
        "/config/cascade/enough"
    ]


def test_new_keys_are_differences_and_texts_are_not() -> None:
    assert list(differences({}, {"count": 1}))
    assert not list(differences({"reason": "far too dark"}, {"reason": "blank"}))


def test_files_are_compared_by_content_where_their_bytes_differ(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("old_1", "old_2", "new")]
    for folder, text in zip(folders, ("[1, 2]", "[1,2]", "[1, 3]"), strict=True):
        target = folder / "maps/town"
        target.mkdir(parents=True)
        (target / "map.json").write_text(text)
        (target / "README.md").write_text(text)
    (row,) = compare(*folders)
    assert (row.scenario, row.item, row.outcome) == ("maps/town", "map.json", "DIFFERENT")
    assert row.unrepeated == []


def test_records_survive_the_disk(tmp_path: Path) -> None:
    record = {"name": "q", "counts": {"inliers": np.int64(3)}, "mask": [np.array([True]), None]}
    write_records(tmp_path / "records", [record])
    found = read_records(tmp_path / "records.json")
    assert found["counts"] == {"0 q": {"inliers": 3}}
    assert found["mask"]["0 q"][0].dtype == np.bool_
    assert json.loads((tmp_path / "records.json").read_text())
