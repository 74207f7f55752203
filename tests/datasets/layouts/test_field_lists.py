"""Lists that benchmarks publish, read through the layouts with empty files for the photos."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts import rio10, seven_scenes

FOLDER = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "not set"))
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="HLOC_LITE_FIELD_DATA is not set")


def test_validation_poses_of_rio10(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("GT_RIO10.txt", "intrinsics.txt"):
        (tmp_path / "data" / name).symlink_to(FOLDER / "rio10" / name)
    lines = (FOLDER / "rio10" / "GT_RIO10.txt").read_text().splitlines()
    frames = [line.split()[0] for line in lines if line.startswith("seq01_02")]
    for frame in [*frames, "seq01_02/frame-999999", "seq01_01/frame-000000"]:
        path = tmp_path / f"{frame}.color.jpg"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "seq01_01" / "frame-000000.pose.txt").write_text(
        "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"
    )
    (part,) = rio10.read(tmp_path, read_card("rio10"))
    assert len(part.queries["validation"]) == len(part.ground_truth["validation"]) == 2069
    assert any("1 frame of seq01_02 without a pose" in note for note in part.notes)


@pytest.mark.parametrize("kind", ["sfm", "dslam"])
def test_pseudo_truth_of_chess(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "pgt" / kind / "7scenes"
    folder.mkdir(parents=True)
    source = FOLDER / "pseudo_gt" / "pgt" / kind / "7scenes" / "chess_test.txt"
    for split in ("train", "test"):  # the poses of the map are not among the files
        (folder / f"chess_{split}.txt").symlink_to(source)
    for line in source.read_text().splitlines():
        path = tmp_path / "chess" / line.split()[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "chess" / "TestSplit.txt").write_text("sequence3\nsequence5\n")
    (part,) = seven_scenes.read(tmp_path, read_card("7scenes"))
    assert len(part.queries["chess"]) == 2000
