"""InLoc from end to end: maps from the 3D points of cutouts, floors with frames of their own.

Two floors have walls at the same coordinates, and other paint on them. Even photos show the first
floor, odd ones the second.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hloc_lite.benchmark.options import BenchmarkOptions
from hloc_lite.benchmark.run import BenchmarkOutcome, open_benchmark, run_benchmark
from hloc_lite.datasets.benchmarks import write_benchmark
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.inloc_files import parse_cutout
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.formats.submissions.inloc_mat import read_img_list
from hloc_lite.geometry.rotations import exp_so3, pose_errors
from hloc_lite.types import Camera, Rigid3
from tests.robustness import stand_ins

SIZE, DISTANCE, SIDE = (320, 240), 4.0, 9.0
FOCAL = 320 * 28 / 36
CAMERA = Camera("SIMPLE_PINHOLE", *SIZE, np.array([FOCAL, 160.0, 120.0]))
NUM_MAP, NUM_QUERIES = 8, 4
SETTINGS = (
    "features.name=rootsift", "features.max_keypoints=600", "retrieval.name=thumbnail",
    "pairs.spec=none",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset, dict[str, str]]:
    """Folder with the data and results of a run, its source, and names in the layout."""
    folder = tmp_path_factory.mktemp("inloc")
    source = _two_floors(folder)
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
        points = frame.frame_from_world.apply(
            model.xyz[image.point3D_idxs[image.point3D_idxs >= 0]]
        )
        np.testing.assert_allclose(points[:, 2], DISTANCE, atol=0.01)
    assert all(result.counts["clusters"] >= 2 for result in part.results)


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
def thumbnail_retrieval():
    with stand_ins.register():
        yield


def _two_floors(folder: Path) -> Dataset:
    rng = np.random.default_rng(1)
    walls = [_paint(seed) for seed in (7, 8)]
    shifts = np.linspace(-1.2, 1.2, NUM_MAP // 2)
    poses: dict[str, Rigid3] = {}
    for row in range(NUM_MAP):
        poses[f"map/{row:04d}.jpg"] = _pose(rng, shifts[row // 2])
    for row in range(NUM_QUERIES):
        poses[f"query/{row:04d}.jpg"] = _pose(rng, rng.uniform(-0.8, 0.8))
    for name, pose in poses.items():
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        wall = walls[int(name[-8:-4]) % 2]
        Image.fromarray(_photo(wall, pose)).save(path, quality=95)
        depth = folder / "depth" / f"{name}.png"
        depth.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.round(1000 * _depth(pose)).astype(np.uint16)).save(depth)
    mapped = {name: pose for name, pose in poses.items() if name.startswith("map")}
    asked = {name: pose for name, pose in poses.items() if name.startswith("query")}
    return Dataset(
        name="floors", image_folder=folder / "images", map_image_names=tuple(mapped),
        reference=posed_model(dict.fromkeys(mapped, CAMERA), mapped), is_metric=True,
        queries={"all": dict.fromkeys(asked, CAMERA)}, ground_truth={"all": asked},
        depth_folder=folder / "depth",
    )  # fmt: skip


def _pose(rng: np.random.Generator, x: float) -> Rigid3:
    rotation = exp_so3(rng.uniform(-0.08, 0.08, 3))
    return Rigid3(rotation, -rotation @ np.array([x, *rng.uniform(-0.3, 0.3, 2)]))


def _paint(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse, fine = (
        cv2.resize(
            rng.integers(0, 256, (n, n, 3), np.uint8), (900, 900), interpolation=cv2.INTER_CUBIC
        )
        for n in (40, 150)
    )
    return cv2.addWeighted(coarse, 0.6, fine, 0.4, 0)


def _photo(wall: np.ndarray, pose: Rigid3) -> np.ndarray:
    """Exact photo of a wall at z = DISTANCE, by its homography."""
    scale = SIDE / len(wall)
    world_from_texel = np.array(
        [[scale, 0, -SIDE / 2], [0, scale, -SIDE / 2], [0, 0, DISTANCE]], np.float64
    )
    intrinsics = np.array([[FOCAL, 0, 160.0], [0, FOCAL, 120.0], [0, 0, 1.0]])
    # texel (u, v) -> R X + t with the last column of X = 1
    plane = pose.rotation @ world_from_texel + np.outer(pose.translation, [0, 0, 1])
    corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # OpenCV's pixels are centred on 0
    homography = np.linalg.inv(corner) @ intrinsics @ plane @ corner
    return cv2.warpPerspective(wall, homography, SIZE, flags=cv2.INTER_AREA)


def _depth(pose: Rigid3) -> np.ndarray:
    """Depth of the wall along the optical axis at the centres of pixels."""
    columns, rows = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    rays = np.stack([(columns - 160) / FOCAL, (rows - 120) / FOCAL, np.ones_like(rows)], axis=-1)
    return (DISTANCE - pose.center[2]) / (rays @ pose.rotation)[..., 2]
