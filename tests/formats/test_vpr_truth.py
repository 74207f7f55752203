"""Truth files of place recognition."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.vpr_truth import (
    RecognitionTruth,
    read_recognition_names,
    read_recognition_truth,
    write_recognition_truth,
)

DATA = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "nowhere")) / "place_recognition"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="HLOC_LITE_FIELD_DATA is not given")


@given(seed=st.integers(0, 10**6), num=st.integers(1, 30))
@settings(max_examples=25)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, num: int) -> None:
    rng = np.random.default_rng(seed)
    truth = RecognitionTruth(rng.normal(0, 1e6, (num, 2)), rng.normal(0, 1e6, (2 * num, 2)), 25.0)
    path = tmp_path_factory.mktemp("truth") / "truth.npz"
    write_recognition_truth(path, truth)
    found = read_recognition_truth(path)
    np.testing.assert_array_equal(found.query_positions, truth.query_positions)
    np.testing.assert_array_equal(found.map_positions, truth.map_positions)
    assert found.max_distance == 25.0


def test_the_limit_counts_and_queries_may_have_no_positive() -> None:
    truth = RecognitionTruth(
        np.array([[0.0, 0], [100, 0]]), np.array([[25.0, 0], [0, 26], [1, 1]]), 25
    )
    assert [rows.tolist() for rows in truth.positives()] == [[0, 2], []]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"utmQ": np.zeros((2, 2)), "utmDb": np.zeros((2, 2))}, "posDistThr"),
        ({"utmQ": np.zeros(4), "utmDb": np.zeros((2, 2)), "posDistThr": 25}, r"utmQ.*\(4,\)"),
        ({"utmQ": np.full((2, 2), np.nan), "utmDb": np.zeros((2, 2)), "posDistThr": 25}, "finite"),
        ({"utmQ": np.zeros((2, 2)), "utmDb": np.zeros((2, 2)), "posDistThr": 0}, "above zero"),
        (
            {"utmQ": np.array([[{}]]), "utmDb": np.zeros((2, 2)), "posDistThr": 25},
            "expected an .npz",
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, arrays: dict, message: str) -> None:
    np.savez(tmp_path / "truth.npz", **arrays)
    with pytest.raises(FormatError, match=message):
        read_recognition_truth(tmp_path / "truth.npz")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "truth.npz"
    write_recognition_truth(path, RecognitionTruth(np.zeros((3, 2)), np.zeros((3, 2)), 25))
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        changed = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            changed[at] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(changed[: int(rng.integers(1, len(data) + 1))]))
        with suppress(FormatError):
            assert read_recognition_truth(path).query_positions.shape[1] == 2
    with pytest.raises(FormatError):
        read_recognition_truth(tmp_path / "nothing.npz")


def test_large_arrays_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hloc_lite.formats.vpr_truth.MAX_ARRAY_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("utmQ.npy", b"0" * 2000)
    with pytest.raises(FormatError, match="larger than"):
        read_recognition_truth(tmp_path / "bomb.npz")


@needs_data
def test_real_files() -> None:
    pitts = read_recognition_truth(DATA / "pitts30k_test.npz")
    assert (len(pitts.query_positions), len(pitts.map_positions)) == (6816, 10000)
    assert pitts.max_distance == 25
    names = read_recognition_names(DATA / "pitts30k_imageNames_index.txt", 10000)
    assert names[0] == "Pittsburgh250k/000/000829_pitch1_yaw1.jpg"
    assert len(read_recognition_names(DATA / "pitts30k_imageNames_query.txt", 6816)) == 6816
    nordland = read_recognition_truth(DATA / "nordland.npz")
    assert nordland.max_distance == 10 and len(nordland.map_positions) == 27592
    assert len(read_recognition_names(DATA / "nordland_imageNames_query.txt", 27592)) == 27592
    counts = [len(rows) for rows in nordland.positives()]
    assert min(counts) >= 1
    with pytest.raises(FormatError, match="10000 different names for 6816 positions"):
        read_recognition_names(DATA / "pitts30k_imageNames_index.txt", 6816)
