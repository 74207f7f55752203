"""Extended CMU Seasons: slices with two distorted cameras and COLMAP models; one part per slice.

Images are named ``img_NNNNN_cK_TIMESTAMPus.jpg``: the third field tells the camera. Lists of poses
hold camera CENTRES. The lists of test images are the truth on queries; a slice without one has the
images with public poses as queries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.map_reading import find_path
from hloc_lite.datasets.layouts.map_writing import (
    Placed,
    placed_model,
    quat_wxyz_center,
    shared_cameras,
    slot_of,
    write_photos,
)
from hloc_lite.datasets.layouts.photo_writing import PosedPhoto, map_photos, query_photos
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.formats.hloc_lists import read_image_list, read_poses, read_queries
from hloc_lite.formats.pose_text import number_text
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.geometry.cameras import focal_lengths, principal_point
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.image_names import natural_key
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Rigid3

_SLICE = re.compile(r"slice([0-9]+)")
_NAME = re.compile(r"img_[0-9]+_([^_/]+)_[0-9]+us\.jpg")
WRITTEN_SLICE = 2
MAX_CENTER_DIFFERENCE = 0.5
"""Metres; median distance of the list's positions from those of the COLMAP model."""
_DISTORTION = {"SIMPLE_RADIAL": (3,), "RADIAL": (3, 4), "OPENCV": (4, 5, 6, 7)}
"""Camera model -> its parameters that are k1, k2, p1, p2 of OPENCV."""
_FIRST_TIME_US = 1_300_000_000_000_000


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the slices that are there; the only condition of a slice is its name.

    Raises:
        FormatError: no slice, or a file is missing or damaged, or names what another one lacks.
    """
    cameras = read_queries(find_path(root, ["intrinsics.txt"], "intrinsics", card))
    folders = sorted(
        (path for path in root.iterdir() if path.is_dir() and _SLICE.fullmatch(path.name)),
        key=lambda path: natural_key(path.name),
    )
    if not folders:
        raise FormatError(f"{root} has no folder slice2 to slice25: unpack the archives there")
    return tuple(_read_slice(folder, cameras, card) for folder in folders)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set as slice 2, with all its queries, and their poses as public ones.

    Its two most frequent cameras become c0 and c1; other photos are resampled.

    Raises:
        FormatError: no metric poses of the map images, or no queries.
    """
    mapped = map_photos(dataset)
    asked = [photo for photos in query_photos(dataset).values() for photo in photos]
    if not asked:
        raise FormatError(f"{dataset.name} has no queries")
    cameras = shared_cameras([*mapped, *asked], 2, _as_opencv)
    placed = _placed(mapped, cameras, "database", 0)
    queries = _placed(asked, cameras, "query", len(placed))
    lines = [
        f"c{row} OPENCV {camera.width} {camera.height} {number_text(camera.params)}\n"
        for row, camera in enumerate([*cameras, cameras[0]][:2])
    ]
    write_text_atomic(root / "intrinsics.txt", "".join(["# camera model w h params\n", *lines]))
    name = f"slice{WRITTEN_SLICE}"
    folder = root / name
    poses = folder / f"ground-truth-database-images-{name}.txt"
    write_text_atomic(poses, _pose_lines(placed))
    names = [f"{_basename(each.name)}\n" for each in queries]
    write_text_atomic(folder / f"test-images-{name}.txt", "".join(names))
    posed = [each for each in queries if each.photo.cam_from_world is not None]
    if posed:
        write_text_atomic(folder / "camera-poses" / "camera-poses.txt", _pose_lines(posed))
    in_folder = [replace(each, name=_basename(each.name)) for each in placed]
    write_model(folder / "sparse", placed_model(dataset, in_folder))
    return write_photos(dataset, [*placed, *queries], folder)


def _read_slice(folder: Path, cameras: Mapping[str, Camera], card: Card) -> Dataset:
    name = folder.name
    notes: list[str] = []
    listed = read_centers(
        find_path(folder, [f"ground-truth-database-images-{name}.txt"], "map poses", card)
    )
    posed = {f"database/{key}": pose for key, pose in listed.items()}
    known = {key: _camera_of(key, cameras) for key in posed}
    reference = posed_model(known, posed)
    if (folder / "sparse").is_dir():
        reference, model_notes = _with_model(folder / "sparse", reference)
        notes += model_notes
    public: dict[str, Rigid3] = {}
    for path in sorted((folder / "camera-poses").glob("*.txt")):
        public |= {f"query/{key}": pose for key, pose in read_centers(path).items()}
    queries, query_notes = _queries(folder, public)
    truth = {key: public[key] for key in queries if key in public}
    known = {key: _camera_of(key, cameras) for key in queries}
    return make_part(
        card, name, folder, reference, {name: known}, {name: truth},
        notes=(*notes, *query_notes),
    )  # fmt: skip


def read_centers(path: Path) -> dict[str, Rigid3]:
    """cam_from_world by name, of lines ``NAME qw qx qy qz CX CY CZ``.

    Raises:
        FormatError: as ``read_poses``.
    """
    read = read_poses(path)
    return {
        name: Rigid3(pose.rotation, -pose.rotation @ pose.translation)
        for name, pose in read.items()
    }


def _queries(folder: Path, public: Mapping[str, Rigid3]) -> tuple[list[str], list[str]]:
    """Names of the queries, and notes."""
    number = folder.name.removeprefix("slice")
    options = [folder / f"test-images-{each}.txt" for each in (folder.name, number)]
    path = next((each for each in options if each.is_file()), None)
    if path is None and not public:
        raise FormatError(
            f"{folder} has neither {options[0].name} nor poses in camera-poses/: unpack the "
            f"archive of the slice again"
        )
    if path is None:
        return list(public), [
            f"{folder.name} has no list of test images: the images with public poses are queries"
        ]
    names = [f"query/{name.removeprefix('query/')}" for name in read_image_list(path)]
    others = set(public).difference(names)
    if not others:
        return names, []
    return names, [
        f"{folder.name}: {counted(len(others), 'image')} with public poses left out, such as "
        f"{min(others)!r}: {path.name} does not name them"
    ]


def _with_model(folder: Path, listed: SfmModel) -> tuple[SfmModel, list[str]]:
    """The COLMAP model with points, checked against the poses of the list.

    Images that only the list has are left out with a note.

    Raises:
        FormatError: a damaged model, or positions of the list that are no camera centres.
    """
    read = read_model(folder)
    images = [replace(each, name=f"database/{_basename(each.name)}") for each in read.images]
    model = replace(read, images=tuple(images))
    shared = [(each, model.image_named(each.name)) for each in listed.images]
    pairs = [(a.cam_from_world, b.cam_from_world) for a, b in shared if b is not None]
    notes = []
    if pairs:
        as_center = np.median([np.linalg.norm(a.center - b.center) for a, b in pairs])
        as_written = np.median([np.linalg.norm(a.center - b.translation) for a, b in pairs])
        if as_written < as_center and as_center > MAX_CENTER_DIFFERENCE:
            raise FormatError(
                f"{folder.parent}: the list of map poses holds translations, not camera centres "
                f"as it should: its positions are the translations of the model in sparse/"
            )
        if as_center > MAX_CENTER_DIFFERENCE:
            notes.append(
                f"{folder.parent.name}: the positions of the list differ from those of sparse/ by "
                f"{as_center:.3g} m (median); those of sparse/ are used"
            )
    lost = len(listed.images) - len(pairs)
    if lost:
        notes.append(
            f"{folder.parent.name}: {counted(lost, 'map image')} of the list left out, which the "
            f"model in sparse/ does not have"
        )
    return model, notes


def _camera_of(name: str, cameras: Mapping[str, Camera]) -> Camera:
    found = _NAME.fullmatch(_basename(name))
    if found is None:
        raise FormatError(f"{name[:200]!r}: expected a name such as img_00122_c0_1303398475us.jpg")
    if found[1] not in cameras:
        raise FormatError(
            f"{name[:200]!r} is of the camera {found[1]!r}; intrinsics.txt has {', '.join(cameras)}"
        )
    return cameras[found[1]]


def _placed(
    photos: Iterable[PosedPhoto], cameras: list[Camera], folder: str, start: int
) -> list[Placed]:
    placed = []
    for number, photo in enumerate(photos, start=start):
        row = slot_of(photo.camera, cameras)
        name = f"{folder}/img_{number:05d}_c{row}_{_FIRST_TIME_US + number}us.jpg"
        placed.append(Placed(photo, name, cameras[row]))
    return placed


def _pose_lines(placed: Iterable[Placed]) -> str:
    lines = (
        f"{_basename(each.name)} {number_text(quat_wxyz_center(each.photo))}\n" for each in placed
    )
    return "".join(lines)


def _as_opencv(camera: Camera) -> Camera:
    """The OPENCV camera that is nearest: distortion of fisheyes is left out."""
    distortion = [float(camera.params[row]) for row in _DISTORTION.get(camera.model, ())]
    distortion += [0.0] * (4 - len(distortion))
    params = [*focal_lengths(camera), *principal_point(camera), *distortion]
    return Camera("OPENCV", camera.width, camera.height, np.array(params))


def _basename(name: str) -> str:
    return name.rpartition("/")[2]
