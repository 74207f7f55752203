"""InLoc from end to end: maps from the 3D points of cutouts, floors with frames of their own.

Two floors have walls at the same coordinates, and other paint on them. Even photos show the first
floor, odd ones the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.benchmark.options import BenchmarkOptions
from hloc_lite.benchmark.run import BenchmarkOutcome, open_benchmark, run_benchmark
from hloc_lite.datasets.benchmarks import write_benchmark
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.inloc_files import parse_cutout
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.formats.submissions.inloc_mat import read_img_list
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.scene import visible_points
from tests.inloc_scene import DISTANCE, NUM_QUERIES, two_floors
from tests.robustness import stand_ins

SETTINGS = (
    "features.name=rootsift", "features.max_keypoints=600", "retrieval.name=thumbnail",
    "pairs.spec=none",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset, dict[str, str]]:
    """Folder with the data and results of a run, its source, and names in the layout."""
    folder = tmp_path_factory.mktemp("inloc")
    source = two_floors(folder)
    names = write_benchmark("inloc", source, folder / "data")
    _run(folder)
    return folder, source, names


def test_every_query_is_right_and_on_its_floor(
    run: tuple[Path, Dataset, dict[str, str]],
) -> None:
    folder, source, names = run
    poses = read_poses(folder / "results/poses.txt")
    lines = (folder / "results/frames.txt").read_text().splitlines()
    floors = dict(line.split() for line in lines)
    for row, (name, true) in enumerate(source.ground_truth["all"].items()):
        distance, angle = pose_errors(poses[names[name]], true)
        assert distance < 0.03 and angle < 0.5
        assert floors[names[name]] == ("DUC1", "DUC2")[row % 2]


def test_both_submissions_have_the_poses_of_the_floors(
    run: tuple[Path, Dataset, dict[str, str]],
) -> None:
    folder, source, names = run
    listed = read_img_list(folder / "results/submission.mat")
    poses = {f"query/iphone7/{each.query}": each.ranked[0] for each in listed}
    assert len(poses) == NUM_QUERIES
    text = (folder / "results/submission.txt").read_text().splitlines()
    assert [line.split()[0] for line in text] == [each.query for each in listed]
    for row, (name, true) in enumerate(source.ground_truth["all"].items()):
        found = poses[names[name]]
        assert found.cam_from_floor is not None and found.score >= 6
        assert pose_errors(found.cam_from_floor, true)[0] < 0.03
        cutout = parse_cutout(found.cutout)
        assert cutout is not None and cutout.floor == ("DUC1", "DUC2")[row % 2]


def test_landmarks_are_those_of_the_laser_and_no_pose_mixes_floors(
    run: tuple[Path, Dataset, dict[str, str]],
) -> None:
    folder, _, _ = run
    outcome = _run(folder)  # all is done: maps and answers are read again
    (part,) = outcome.parts
    model = part.sfm_map.model
    assert part.sfm_map.landmark_sigmas is not None and model.num_points > 500
    for image in model.images:
        frame = part.dataset.frame_of(image.cam_from_world)
        cutout = parse_cutout(image.name)
        assert frame is not None and cutout is not None and frame.name == cutout.floor
        points = frame.frame_from_world.apply(model.xyz[visible_points(image)])
        np.testing.assert_allclose(points[:, 2], DISTANCE, atol=0.01)
    assert all(result.counts["clusters"] >= 2 for result in part.results)


def test_poses_are_checked_by_views_of_the_scans(
    run: tuple[Path, Dataset, dict[str, str]],
) -> None:
    folder, _, _ = run
    (part,) = _run(folder).parts
    assert part.sfm_map.surface is not None
    assert all(result.grounds["view"] > 0 for result in part.results)
    assert part.sfm_map.config.localize.matching == "images"  # of the card


@pytest.mark.parametrize("name", ["published-hloc", "published-inloc"])
def test_named_settings_work(
    name: str, run: tuple[Path, Dataset, dict[str, str]], tmp_path: Path
) -> None:
    folder, _, _ = run
    options = BenchmarkOptions(
        config_name=name, settings=(*SETTINGS, "matching.name=mutual-nn"), offline=True
    )
    outcome = run_benchmark(open_benchmark("inloc", folder / "data", options), tmp_path)
    assert outcome.parts[0].num_found == NUM_QUERIES


def _run(folder: Path) -> BenchmarkOutcome:
    options = BenchmarkOptions(settings=SETTINGS, offline=True)
    return run_benchmark(open_benchmark("inloc", folder / "data", options), folder / "results")


@pytest.fixture(scope="module", autouse=True)
def thumbnail_retrieval() -> Iterator[None]:
    with stand_ins.register():
        yield
