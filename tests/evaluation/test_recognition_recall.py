"""Recall of place recognition, from retrieved pairs and positions."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hloc_lite.cli.evaluate import command
from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.evaluation.recognition_recall import recognition_recalls
from hloc_lite.formats.vpr_truth import (
    RecognitionTruth,
    read_recognition_truth,
    write_recognition_truth,
)

DATA = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "nowhere")) / "place_recognition"


def evaluate(*arguments: object) -> str:
    found = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert found.exit_code == 0
    return found.output


def test_first_right_image_counts_and_queries_without_one_are_failures() -> None:
    retrieved = {"a": ["x", "y"], "b": ["y", "x", "y"], "c": ["z"], "not asked": ["x"]}
    positives = {"a": ["x"], "b": ["x"], "c": [], "d": ["x"]}
    assert recognition_recalls(retrieved, positives, (1, 2, 3)) == (0.25, 0.5, 0.5)
    # a repeated image takes one place only
    assert recognition_recalls({"a": ["y", "y", "x"]}, {"a": ["x"]}, (2,)) == (1.0,)
    with pytest.raises(HlocLiteError, match="nothing was retrieved"):
        recognition_recalls({"other": ["x"]}, positives)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Options of a street: 10 map images 20 m apart, a query beside each, one far away."""
    positions = np.stack([20.0 * np.arange(10), np.zeros(10)], axis=1)
    queries = np.vstack([positions + np.array([0, 5]), [[0, 1000]]])
    write_recognition_truth(tmp_path / "truth.npz", RecognitionTruth(queries, positions, 25))
    (tmp_path / "q.txt").write_text("".join(f"./city/q {i}.jpg\n" for i in range(11)))
    (tmp_path / "m.txt").write_text("".join(f"./city/{i}.jpg\n" for i in range(10)))
    return [
        "--recognition-truth", str(tmp_path / "truth.npz"),
        "--query-names", str(tmp_path / "q.txt"), "--map-names", str(tmp_path / "m.txt"),
    ]  # fmt: skip


def test_pairs_are_scored_in_their_order(files: list[str], tmp_path: Path) -> None:
    lines = []
    for i in range(10):
        far = [each for each in range(10) if abs(each - i) > 1]
        order = [i, *far] if i < 5 else [*far[:4], i, *far[4:]]
        lines += [f"city/q {i}.jpg city/{each}.jpg\n" for each in order[:5]]
    (tmp_path / "pairs.txt").write_text("".join(lines))
    out = evaluate(tmp_path / "pairs.txt", *files)
    assert "11 queries with a map image within 25" in out
    assert "1 have none in the map, and 1 are not in the pairs" in out
    header, row = (line.split() for line in out.splitlines()[1:])
    assert header == ["R@1", "R@5"] and row == ["recall", f"{500 / 11:.1f}", f"{1000 / 11:.1f}"]


def test_misuse_is_reported(files: list[str], tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("city/3.jpg city/q 3.jpg\n")
    with pytest.raises(HlocLiteError, match="a query and a map image, in this order"):
        evaluate(pairs, *files)
    pairs.write_text("city/q 3.jpg city/99.jpg\n")
    with pytest.raises(FormatError, match="line 1"):
        evaluate(pairs, *files)
    with pytest.raises(HlocLiteError, match="are given together"):
        evaluate(pairs, *files[:4])
    with pytest.raises(HlocLiteError, match="give no TRUTH files"):
        evaluate(pairs, "gt.txt", *files)


@pytest.mark.skipif(not DATA.is_dir(), reason="HLOC_LITE_FIELD_DATA is not given")
def test_true_neighbours_of_pitts30k_are_right(tmp_path: Path) -> None:
    from scipy.spatial import KDTree

    truth = read_recognition_truth(DATA / "pitts30k_test.npz")
    lists = [DATA / f"pitts30k_imageNames_{kind}.txt" for kind in ("query", "index")]
    queries, images = (path.read_text().split() for path in lists)
    _, rows = KDTree(truth.map_positions).query(truth.query_positions)
    lines = [f"{query} {images[row]}\n" for query, row in zip(queries, rows, strict=True)]
    (tmp_path / "pairs.txt").write_text("".join(lines))
    out = evaluate(
        tmp_path / "pairs.txt", "--recognition-truth", DATA / "pitts30k_test.npz",
        "--query-names", lists[0], "--map-names", lists[1],
    )  # fmt: skip
    assert "Percent of 6816 queries with a map image within 25" in out
    assert out.splitlines()[-1].split() == ["recall", "100.0"]
