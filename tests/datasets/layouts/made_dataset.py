"""A small data set with exact poses, and comparisons of what is read back after it was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hloc_lite.datasets.card_parts import Counts
from hloc_lite.datasets.cards import Card, read_card
from hloc_lite.datasets.check import check_tree
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.formats.submissions.check import check_submission
from hloc_lite.formats.submissions.findings import Severity
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.writer import write_submission
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

PINHOLE = Camera("PINHOLE", 64, 48, np.array([60.0, 61.0, 31.5, 24.5]))
RADIAL = Camera("SIMPLE_RADIAL", 64, 48, np.array([58.0, 32.0, 24.0, -0.05]))
MAP_NAMES = tuple(f"map/{row:04d}.jpg" for row in range(5))
NUM_QUERIES = {"day": 12, "night": 3, "changed": 2}


def made_dataset(folder: Path, cameras: Sequence[Camera] = (PINHOLE,), **more: object) -> Dataset:
    """Data set of 5 map images and 17 queries; ``cameras`` are used in turn."""
    rng = np.random.default_rng(0)
    names = [
        *MAP_NAMES,
        *(f"query/{key}/{row:04d}.jpg" for key, n in NUM_QUERIES.items() for row in range(n)),
    ]
    poses, of_image = {}, {}
    for row, name in enumerate(names):
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        x, y = np.meshgrid(np.arange(64), np.arange(48))
        pixels = np.stack([4 * x, 5 * y, np.full_like(x, 10 * row)], axis=-1)
        Image.fromarray(pixels.astype(np.uint8)).save(path, quality=95)
        pose = Rigid3(exp_so3(rng.normal(0, 0.4, 3)), rng.normal(0, 3, 3))
        poses[name], of_image[name] = pose, cameras[row % len(cameras)]
    ids = {id(camera): number for number, camera in enumerate(cameras, start=1)}
    empty = np.zeros((0, 3))
    images = tuple(
        SfmImage(
            row, name, ids[id(of_image[name])], poses[name], np.zeros((0, 2)), np.zeros(0, int)
        )
        for row, name in enumerate(MAP_NAMES, start=1)
    )
    by_condition = {key: [n for n in names if f"/{key}/" in n] for key in NUM_QUERIES}
    fields: dict[str, object] = dict(
        name="made",
        image_folder=folder / "images",
        map_image_names=MAP_NAMES,
        reference=SfmModel(
            {ids[id(camera)]: camera for camera in cameras},
            images, np.zeros(0, int), empty, empty.astype(np.uint8), np.zeros(0),
        ),
        queries={key: {n: of_image[n] for n in listed} for key, listed in by_condition.items()},
        ground_truth={key: {n: poses[n] for n in listed} for key, listed in by_condition.items()},
        is_metric=True,
    )  # fmt: skip
    return Dataset(**(fields | more))  # type: ignore[arg-type]


def true_poses(dataset: Dataset) -> dict[str, Rigid3]:
    """cam_from_world of all images, by name."""
    assert dataset.reference is not None
    poses = {image.name: image.cam_from_world for image in dataset.reference.images}
    for known in dataset.ground_truth.values():
        poses |= known
    return poses


def loose_card(name: str, without: Iterable[str] = ()) -> Card:
    """Card that expects the same files in any number, but none whose glob has a text."""
    card = read_card(name)
    tree = tuple(
        entry.model_copy(update={"count": None, "at_least": 1})
        for entry in card.tree
        if not any(text in entry.path for text in without)
    )
    return card.model_copy(update={"counts": Counts(), "tree": tree})


def assert_complete(root: Path, card: Card) -> None:
    report = check_tree(root, card)
    assert report.is_complete, "\n".join(report.lines())


def assert_same_pose(pose: Rigid3, expected: Rigid3, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(pose.rotation, expected.rotation, rtol=0, atol=tolerance)
    np.testing.assert_allclose(pose.center, expected.center, rtol=0, atol=tolerance)


def assert_same_camera(camera: Camera, expected: Camera) -> None:
    assert (camera.model, camera.width, camera.height) == (
        expected.model, expected.width, expected.height,
    )  # fmt: skip
    np.testing.assert_allclose(camera.params, expected.params, rtol=0, atol=1e-6)


def assert_read_back(
    original: Dataset, part: Dataset, names: Mapping[str, str], *, same_cameras: bool = True
) -> None:
    """All images of a part have the poses, and the cameras, that they had originally."""
    back = {new: old for old, new in names.items()}
    truth, found = true_poses(original), true_poses(part)
    assert found
    for name, pose in found.items():
        assert_same_pose(pose, truth[back[name]])
    assert part.reference is not None and part.is_metric
    assert set(part.map_image_names) == {image.name for image in part.reference.images}
    for name in [*part.map_image_names, *part.query_names]:
        assert (part.image_folder / name).is_file()
    if not same_cameras:
        return
    assert original.reference is not None
    cameras = {
        image.name: original.reference.cameras[image.camera_id]
        for image in original.reference.images
    }
    for listed in original.queries.values():
        cameras |= listed
    for image in part.reference.images:
        assert_same_camera(part.reference.cameras[image.camera_id], cameras[back[image.name]])
    for listed in part.queries.values():
        for name, camera in listed.items():
            assert_same_camera(camera, cameras[back[name]])


def submission_poses(
    part: Dataset, truth: Mapping[str, Rigid3], conditions: Iterable[str] | None = None
) -> dict[str, Rigid3]:
    """True poses as a submission of a part names them.

    Args:
        part: data set of the benchmark.
        truth: true poses by the names of the part.
        conditions: those that are submitted; None for all.
    """
    wanted = set(part.queries if conditions is None else conditions)
    asked = [name for key in part.queries if key in wanted for name in part.queries[key]]
    if part.relative_queries:
        return {
            each.name: truth[each.query].compose(truth[each.reference].inverse())
            for each in part.relative_queries
            if each.query in asked
        }
    poses: dict[str, Rigid3] = {}
    on_rigs = set()
    for rig, members in part.rigs.items():
        on_rigs |= set(members)
        for name, cam_from_rig in members.items():
            if name in asked:
                poses[part.submission_names[rig]] = cam_from_rig.inverse().compose(truth[name])
    for name in asked:
        if name not in on_rigs:
            poses[part.submission_names.get(name, name)] = truth[name]
    return poses


def assert_accepted(path: Path, benchmark: str, poses: Mapping[str, Rigid3]) -> None:
    """A submission of these poses has no error."""
    form = submission_form(benchmark)
    confidences = dict.fromkeys(poses, 1.0) if form.has_confidence else None
    write_submission(poses, form, path, confidences=confidences, description="a test")
    findings = check_submission(path, form, truth=poses)
    assert [each for each in findings if each.severity is Severity.ERROR] == []


def pixel_mean(path: Path) -> np.ndarray:
    """Mean colour of a photo's middle half."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.float64)
    height, width = pixels.shape[:2]
    middle = pixels[height // 4 : -height // 4, width // 4 : -width // 4]
    return np.asarray(middle.mean(axis=(0, 1)))
