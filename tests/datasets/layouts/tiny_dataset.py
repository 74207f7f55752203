"""Tiny data set with exact poses, points and depths, and checks of what a layout made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from hloc_lite.datasets.card_parts import Counts
from hloc_lite.datasets.cards import Card, read_card
from hloc_lite.datasets.check import check_tree
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import FormatError
from hloc_lite.formats.submissions.check import check_submission
from hloc_lite.formats.submissions.findings import Severity
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.writer import write_submission
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

SIZE = (64, 48)
RADIAL = Camera("SIMPLE_RADIAL", *SIZE, np.array([60.0, 31.5, 24.5, -0.04]))
PINHOLE = Camera("PINHOLE", *SIZE, np.array([50.0, 51.0, 33.0, 23.0]))
SQUARE = Camera("PINHOLE", *SIZE, np.array([55.0, 55.0, 32.0, 24.0]))
NUM_MAP, NUM_POINTS = 5, 40
QUERIES = {"day": 3, "night": 2}


def tiny_dataset(
    folder: Path,
    cameras: Sequence[Camera] = (RADIAL, PINHOLE),
    conditions: Mapping[str, int] | None = None,
    *,
    has_depth: bool = False,
) -> Dataset:
    """Five map images and the queries of some conditions, which see 40 points.

    Args:
        folder: where photos and depths are put.
        cameras: given to the images in turn.
        conditions: condition -> number of queries.
        has_depth: with depths of a plane of 5 m along the axis.
    """
    rng = np.random.default_rng(3)
    xyz = rng.uniform((-2, -1.5, 4), (2, 1.5, 8), (NUM_POINTS, 3))
    names = [f"map/{number:04d}.jpg" for number in range(NUM_MAP)]
    images = []
    for row, name in enumerate(names):
        _write_photo(folder, name, row)
        camera = cameras[row % len(cameras)]
        pose = _pose(rng)
        pixels = img_from_cam(camera, pose.apply(xyz))
        seen = np.flatnonzero(((pixels > 0) & (pixels < SIZE)).all(axis=1))
        images.append(SfmImage(row + 1, name, row % len(cameras) + 1, pose, pixels[seen], seen))
        if has_depth:
            _write_depth(folder, name)
    model = SfmModel(
        {row: camera for row, camera in enumerate(cameras, start=1)},
        tuple(images),
        np.arange(1, NUM_POINTS + 1),
        xyz,
        rng.integers(0, 256, (NUM_POINTS, 3)).astype(np.uint8),
        np.zeros(NUM_POINTS),
    )
    queries: dict[str, dict[str, Camera]] = {}
    truth: dict[str, dict[str, Rigid3]] = {}
    for condition, count in (conditions or QUERIES).items():
        for row in range(count):
            name = f"query/{condition}/{row:04d}.jpg"
            _write_photo(folder, name, 50 + row)
            queries.setdefault(condition, {})[name] = cameras[row % len(cameras)]
            truth.setdefault(condition, {})[name] = _pose(rng)
    return Dataset(
        name="tiny",
        image_folder=folder / "images",
        map_image_names=tuple(names),
        reference=model,
        queries=queries,
        ground_truth=truth,
        is_metric=True,
        depth_folder=folder / "depth" if has_depth else None,
    )


def loose_card(name: str) -> Card:
    """Card without the numbers of files and images of the real data set."""
    card = read_card(name)
    tree = tuple(entry.model_copy(update={"count": None, "at_least": 1}) for entry in card.tree)
    return card.model_copy(update={"tree": tree, "counts": Counts()})


def check_complete(root: Path, card: Card) -> None:
    """The folder has all that the card expects."""
    report = check_tree(root, card)
    assert report.is_complete, list(report.lines())


def check_map(
    found: Dataset, source: Dataset, names: Mapping[str, str], *, has_points: bool = True
) -> None:
    """Poses and names of the map are those of the source; points project to their keypoints."""
    assert set(found.map_image_names) == {names[name] for name in source.map_image_names}
    assert found.reference is not None and source.reference is not None
    assert found.is_metric
    for image in source.reference.images:
        other = found.reference.image_named(names[image.name])
        assert other is not None
        check_pose(other.cam_from_world, image.cam_from_world)
        assert (found.image_folder / other.name).is_file()
        if not has_points:
            continue
        assert other.keypoints is not None and len(other.keypoints)
        rows = other.point3D_idxs[other.point3D_idxs >= 0]
        pixels = img_from_cam(
            found.reference.cameras[other.camera_id],
            other.cam_from_world.apply(found.reference.xyz[rows]),
        )
        np.testing.assert_allclose(pixels, other.keypoints[other.point3D_idxs >= 0], atol=1e-6)


def check_cameras(
    found: Dataset, source: Dataset, names: Mapping[str, str], *, has_map: bool = True
) -> None:
    """All intrinsics project as those of the source."""
    known = {name: camera for listed in found.queries.values() for name, camera in listed.items()}
    if has_map and found.reference is not None:
        for image in found.reference.images:
            known[image.name] = found.reference.cameras[image.camera_id]
    for name, camera in _cameras(source).items():
        if names.get(name) in known:
            check_alike(known[names[name]], camera)


def check_alike(found: Camera, wanted: Camera, tolerance_px: float = 1e-6) -> None:
    """Two cameras have one size and project alike."""
    assert (found.width, found.height) == (wanted.width, wanted.height)
    rays = np.array([[0, 0, 1], [0.3, 0.1, 1], [-0.2, 0.25, 1], [0.4, -0.3, 1]])
    np.testing.assert_allclose(
        img_from_cam(found, rays), img_from_cam(wanted, rays), rtol=1e-9, atol=tolerance_px
    )


def check_pose(found: Rigid3, wanted: Rigid3) -> None:
    """Two poses are equal."""
    np.testing.assert_allclose(found.rotation, wanted.rotation, atol=1e-9)
    np.testing.assert_allclose(found.center, wanted.center, atol=1e-6)


def check_truth(found: Dataset, source: Dataset, names: Mapping[str, str]) -> None:
    """Public true poses are those of the source."""
    truth = {name: pose for poses in found.ground_truth.values() for name, pose in poses.items()}
    wanted = true_poses(source)
    assert truth
    back = {new: old for old, new in names.items()}
    for name, pose in truth.items():
        check_pose(pose, wanted[back[name]])


def check_true_submission(
    found: Dataset, source: Dataset, names: Mapping[str, str], form_name: str, folder: Path
) -> None:
    """The true poses are a submission without mistakes."""
    form = submission_form(form_name)
    back = {new: old for old, new in names.items()}
    wanted = true_poses(source)
    poses = {
        found.submission_names.get(name, name): wanted[back[name]] for name in found.query_names
    }
    path = folder / "submission.txt"
    write_submission(poses, form, path)
    findings = check_submission(path, form, expected_names=list(poses), truth=poses)
    assert [each for each in findings if each.severity is Severity.ERROR] == []
    assert path.read_text().count("\n") == len(found.query_names)


def check_changes(path: Path, read: Callable[[], object], count: int = 40) -> None:
    """Only FormatError is raised while random bytes of a file are changed, added or cut off."""
    data = path.read_bytes()
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(count):
        at = int(rng.integers(len(data)))
        middle = rng.choice(
            [b"9" * 400, b"e999", b" nan ", b"-", b"\0", b"\n", b"", b"../", b"\xff"]
        )
        rest = data[at + int(rng.integers(0, 40)) :] if rng.random() < 0.8 else b""
        path.write_bytes(data[:at] + bytes(middle) + rest)
        try:
            read()
        except FormatError as error:
            assert str(error)
            refused += 1
    path.write_bytes(data)
    read()
    assert refused > count // 4


def true_poses(source: Dataset) -> dict[str, Rigid3]:
    """True pose of each query."""
    return {name: pose for poses in source.ground_truth.values() for name, pose in poses.items()}


def without_points(dataset: Dataset) -> Dataset:
    """The data set with cameras and poses of its map only."""
    model = dataset.reference
    assert model is not None
    none = np.zeros((0, 2)), np.zeros(0, np.int64)
    images = tuple(replace(i, keypoints=none[0], point3D_idxs=none[1]) for i in model.images)
    empty = np.zeros((0, 3))
    bare = SfmModel(
        model.cameras, images, np.zeros(0, np.int64), empty, empty.astype(np.uint8), np.zeros(0)
    )
    return replace(dataset, reference=bare)


def _cameras(source: Dataset) -> dict[str, Camera]:
    found = {name: camera for listed in source.queries.values() for name, camera in listed.items()}
    assert source.reference is not None
    for image in source.reference.images:
        found[image.name] = source.reference.cameras[image.camera_id]
    return found


def _pose(rng: np.random.Generator) -> Rigid3:
    return Rigid3(exp_so3(rng.uniform(-0.15, 0.15, 3)), rng.uniform(-0.5, 0.5, 3))


def _write_photo(folder: Path, name: str, seed: int) -> None:
    path = folder / "images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(SIZE, Image.Resampling.BICUBIC).save(path, quality=95)


def _write_depth(folder: Path, name: str) -> None:
    path = folder / "depth" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    depths = np.full((SIZE[1], SIZE[0]), 5000, np.uint16)
    depths[0, 0] = 0
    Image.fromarray(depths).save(path)
