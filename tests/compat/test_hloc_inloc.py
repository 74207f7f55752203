"""hloc's ``localize_inloc`` on two exact floors, from hloc's own files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from hloc_lite.compat.hloc import localize_inloc
from hloc_lite.datasets.benchmarks import write_benchmark
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.types import Rigid3
from tests.inloc_scene import CAMERA, DISTANCE, SIZE, two_floors

HALF_PIXEL = 0.5
Case = tuple[Path, Dataset, dict[str, str]]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """InLoc's folder with hloc's files of exact keypoints and matches beside it."""
    folder = tmp_path_factory.mktemp("hloc")
    source = two_floors(folder)
    names = write_benchmark("inloc", source, folder / "data")
    assert source.reference is not None
    poses = {names[i.name]: i.cam_from_world for i in source.reference.images}
    asked = {names[name]: pose for name, pose in source.ground_truth["all"].items()}
    grid = np.stack(np.meshgrid(np.linspace(-3, 3, 15), np.linspace(-2, 2, 11)), -1).reshape(-1, 2)
    wall = np.column_stack([grid, np.full(len(grid), DISTANCE)])
    rows: dict[str, np.ndarray] = {}
    with h5py.File(folder / "features.h5", "w") as file:
        for name, pose in {**poses, **asked}.items():
            rows[name], keypoints = _keypoints(wall, pose)
            group = file.create_group(name)
            group["keypoints"] = (keypoints - HALF_PIXEL).astype(np.float32)
            group["image_size"] = np.array(SIZE)
    pairs = [
        (query, cutout)
        for row, query in enumerate(asked)
        for cutout in poses
        if f"/DUC{row % 2 + 1}/" in cutout
    ]
    with h5py.File(folder / "matches.h5", "w") as file:
        for query, cutout in pairs:
            row_of = {point: row for row, point in enumerate(rows[cutout].tolist())}
            found = [row_of.get(point, -1) for point in rows[query].tolist()]
            group = file.create_group(f"{query.replace('/', '-')}/{cutout.replace('/', '-')}")
            group["matches0"] = np.array(found, np.int16)
            group["matching_scores0"] = np.ones(len(found), np.float16)
    lines = "".join(f"{query} {cutout}\n" for query, cutout in pairs)
    (folder / "retrieval.txt").write_text(lines)
    return folder, source, names


def test_poses_are_those_of_the_floors(case: Case) -> None:
    folder, source, names = case
    _localize(folder)
    poses = read_poses(folder / "results.txt")
    assert len(poses) == len(source.ground_truth["all"])
    for name, true in source.ground_truth["all"].items():
        distance, angle = pose_errors(poses[names[name].rpartition("/")[2]], true)
        assert distance < 2e-3 and angle < 0.05
    assert (folder / "results.txt_logs.pkl").is_file()


def test_cutouts_with_few_matches_are_skipped(case: Case) -> None:
    folder, _, _ = case
    _localize(folder, skip_matches=10_000)
    assert read_poses(folder / "results.txt") == {}


def test_other_folders_are_refused(case: Case, tmp_path: Path) -> None:
    none = tmp_path / "none"
    with pytest.raises(FormatError, match="cutouts of InLoc"):
        localize_inloc.main(tmp_path, none, none, none, none)


def _localize(folder: Path, skip_matches: int | None = None) -> None:
    localize_inloc.main(
        folder / "data", folder / "retrieval.txt", folder / "features.h5", folder / "matches.h5",
        folder / "results.txt", skip_matches,
    )  # fmt: skip


def _keypoints(wall: np.ndarray, pose: Rigid3) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the points of the wall that an image sees, and their pixels."""
    pixels = img_from_cam(CAMERA, pose.apply(wall))
    rows = np.flatnonzero(((pixels > 2) & (pixels < np.array(SIZE) - 2)).all(axis=1))
    return rows, pixels[rows]
