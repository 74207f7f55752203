"""4Seasons, map-based localization challenge: a reference recording and recordings of queries.

    reference/{undistorted_images/cam0, Calibration, poses.txt, RelocalizationFiles{Train,Val,Test}}
    {training,validation,test0,test1}/{undistorted_images/cam0, Calibration}

Relocalization files name pairs of a reference frame and a query frame, and give the relative pose
for training and validation. They are the lists of the queries: files that they do not name are no
queries. Of several references of a query, the last one in the order hard, moderate, easy gives its
absolute pose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset, RelativeQuery
from hloc_lite.datasets.layouts.photo_writing import (
    PosedPhoto,
    common_pinhole,
    dealt_queries,
    map_photos,
    write_photo,
)
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.four_seasons import (
    IMAGE_FOLDER,
    Relocalization,
    read_four_seasons,
    read_four_seasons_calib,
    read_relocalizations,
)
from hloc_lite.formats.pose_text import number_text
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.regular_files import is_file
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Float64, Rigid3

REFERENCE = "reference"
RECORDINGS: Mapping[str, tuple[str, str]] = {
    "training": ("Train", "recording_2020-03-24_17-36-22"),
    "validation": ("Val", "recording_2020-03-03_12-03-23"),
    "test0": ("Test", "recording_2020-03-24_17-45-31"),
    "test1": ("Test", "recording_2020-04-23_19-37-00"),
}
"""Folder of a query recording -> end of its folder of relocalization files, and its own name."""
_WITH_TRUTH = ("training", "validation")
_DIFFICULTY = re.compile(r"_(hard|moderate|easy)\.txt$")
_ORDER = ("hard", "moderate", "easy", "")
_START_NS, _STEP_NS = 1_586_254_832_000_000_000, 33_333_333
_BASELINE_M = 0.3


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the challenge as one data set; conditions are the recordings that are there.

    Raises:
        FormatError: no reference, no relocalization file, or a missing or damaged file.
    """
    reference_folder = root / REFERENCE
    if not (reference_folder / "poses.txt").is_file():
        raise FormatError(
            f"{reference_folder / 'poses.txt'} does not exist: unpack the reference recording "
            f"into {REFERENCE}/, and the others into {', '.join(RECORDINGS)}"
        )
    reference, notes = _reference(root)
    queries: dict[str, dict[str, Camera]] = {}
    truth: dict[str, dict[str, Rigid3]] = {}
    pairs: list[RelativeQuery] = []
    for folder in RECORDINGS:
        if not (root / folder).is_dir():
            notes.append(f"there is no folder {folder}/: its queries are left out")
            continue
        listed = _listed_pairs(reference_folder, folder)
        camera = _camera(root / folder)
        queries[folder] = {_name(folder, each.query): camera for each in listed}
        poses = _absolute_poses(listed, reference)
        truth[folder] = {_name(folder, stamp): pose for stamp, pose in poses.items()}
        pairs += [
            RelativeQuery(
                name=f"{each.reference}/{each.query}",
                query=_name(folder, each.query),
                reference=_name(REFERENCE, each.reference),
            )
            for each in listed
        ]
    _check_references(pairs, reference)
    notes.append("poses are asked for relative to a frame of the reference; only positions count")
    part = make_part(
        card, card.name, root, reference, queries, truth,
        relative_queries=tuple(pairs), notes=tuple(notes),
    )  # fmt: skip
    return (part,)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set as the challenge, a recording for each condition; see ``dealt_queries``.

    Photos are resampled to one camera for each recording. There are no images of a right camera;
    its calibration stands for a camera 30 cm beside the left one.

    Raises:
        FormatError: no metric poses.
    """
    mapped = map_photos(dataset)
    dealt = dealt_queries(dataset, tuple(RECORDINGS), with_truth=_WITH_TRUTH)
    names: dict[str, str] = {}
    stamps: dict[str, str] = {}
    for number, (folder, photos) in enumerate({REFERENCE: mapped, **dealt}.items()):
        if not photos:
            continue
        camera = common_pinhole(photos)
        for frame, photo in enumerate(photos):
            stamps[photo.name] = str(_START_NS + (number * 1_000_000 + frame) * _STEP_NS)
            names[photo.name] = f"{folder}/undistorted_images/cam0/{stamps[photo.name]}.png"
            write_photo(dataset, photo, camera, root / names[photo.name])
        _write_calibration(root / folder / "Calibration", camera)
    write_text_atomic(
        root / REFERENCE / "poses.txt",
        "".join(f"{stamps[photo.name]}, {_world_text(photo)}\n" for photo in mapped),
    )
    for folder, photos in dealt.items():
        if photos:
            lines = [_relocalization_line(photo, mapped, stamps, folder) for photo in photos]
            write_text_atomic(_relocalization_path(root / REFERENCE, folder), "".join(lines))
    return names


def _reference(root: Path) -> tuple[SfmModel, list[str]]:
    """Posed images of the reference recording that are there, of both cameras, and notes."""
    folder = root / REFERENCE
    has_right = (folder / IMAGE_FOLDER / "cam1").is_dir()
    posed = read_four_seasons(folder, stereo=has_right)
    poses, cameras = {}, {}
    for image in posed.model.images:
        if is_file(folder / IMAGE_FOLDER / image.name):
            name = f"{REFERENCE}/{IMAGE_FOLDER}/{image.name}"
            poses[name], cameras[name] = image.cam_from_world, posed.cameras[image.name]
    absent = len(posed.model.images) - len(poses)
    notes = [note for note in posed.notes if "not found" not in note]
    if absent:
        notes.append(f"{counted(absent, 'pose')} of poses.txt without an image: left out")
    return posed_model(cameras, poses), notes


def _listed_pairs(reference_folder: Path, folder: str) -> list[Relocalization]:
    """Pairs of a recording, each once, from hard to easy."""
    path = _relocalization_path(reference_folder, folder)
    found = sorted(path.parent.glob(f"{path.stem}*.txt"), key=_difficulty)
    if not found:
        raise FormatError(
            f"{path.parent} has no {path.stem}*.txt: these files list the queries of {folder}/. "
            f"Unpack the relocalization files of the challenge into {REFERENCE}/"
        )
    pairs: dict[tuple[str, str], Relocalization] = {}
    for file in found:
        for each in read_relocalizations(file):
            key = each.reference, each.query
            pairs.pop(key, None)  # the later one counts, and stands later
            pairs[key] = each
    return list(pairs.values())


def _difficulty(path: Path) -> tuple[int, str]:
    found = _DIFFICULTY.search(path.name)
    return _ORDER.index(found[1] if found else ""), path.name


def _absolute_poses(pairs: Sequence[Relocalization], reference: SfmModel) -> dict[str, Rigid3]:
    """Query timestamp -> cam_from_world, of pairs with a pose; the last one of a query counts."""
    poses = {}
    for each in pairs:
        image = reference.image_named(_name(REFERENCE, each.reference))
        if image is not None and each.query_from_reference is not None:
            poses[each.query] = each.query_from_reference.compose(image.cam_from_world)
    return poses


def _check_references(pairs: Sequence[RelativeQuery], reference: SfmModel) -> None:
    named = dict.fromkeys(pair.reference for pair in pairs)
    missing = [name for name in named if reference.image_named(name) is None]
    if missing:
        raise FormatError(
            f"{len(missing)} of {len(named)} reference frames of the relocalization files have no "
            f"pose in {REFERENCE}/poses.txt or no image, first {missing[0]!r}: unpack the whole "
            f"reference recording"
        )


def _camera(recording: Path) -> Camera:
    names = ("Calibration", "calib")
    paths = [recording / name / "undistorted_calib_0.txt" for name in names]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise FormatError(f"{paths[0]} does not exist: unpack the recording's calibration there")
    return read_four_seasons_calib(found[0])


def _name(folder: str, timestamp: str) -> str:
    return f"{folder}/{IMAGE_FOLDER}/cam0/{timestamp}.png"


def _relocalization_path(reference_folder: Path, folder: str) -> Path:
    split, recording = RECORDINGS[folder]
    name = f"relocalizationFile_{recording}.txt"
    return reference_folder / f"RelocalizationFiles{split}" / name


def _write_calibration(folder: Path, camera: Camera) -> None:
    fx, fy, cx, cy = camera.params
    # the principal point counts from the first pixel's centre there
    text = (
        f"Pinhole {number_text([fx, fy, cx - 0.5, cy - 0.5])} 0\n{camera.width} {camera.height}\n"
    )
    for index in (0, 1):
        write_text_atomic(folder / f"undistorted_calib_{index}.txt", text)
    right_from_left = np.eye(4)
    right_from_left[0, 3] = -_BASELINE_M
    rows = "".join(f"{number_text(row)}\n" for row in right_from_left)
    write_text_atomic(folder / "undistorted_calib_stereo.txt", rows)


def _world_text(photo: PosedPhoto) -> str:
    """``tx, ty, tz, qx, qy, qz, qw`` of world_from_cam."""
    assert photo.cam_from_world is not None
    return _pose_text(photo.cam_from_world.rotation.T, photo.cam_from_world.center, ", ")


def _relocalization_line(
    photo: PosedPhoto, mapped: Sequence[PosedPhoto], stamps: Mapping[str, str], folder: str
) -> str:
    """Line of a query with its nearest reference frame, and the pose where it is public."""
    pose = photo.cam_from_world
    nearest = mapped[0]
    if pose is not None:
        nearest = min(mapped, key=lambda each: _distance(each, pose))
    line = f"{stamps[nearest.name]} {stamps[photo.name]}"
    if folder not in _WITH_TRUTH or pose is None or nearest.cam_from_world is None:
        return f"{line}\n"
    reference = nearest.cam_from_world
    rotation = pose.rotation @ reference.rotation.T
    translation = pose.translation - rotation @ reference.translation
    return f"{line} {_pose_text(rotation, translation, ' ')}\n"


def _distance(photo: PosedPhoto, pose: Rigid3) -> float:
    assert photo.cam_from_world is not None
    return float(np.linalg.norm(photo.cam_from_world.center - pose.center))


def _pose_text(rotation: Float64, translation: Float64, separator: str) -> str:
    w, x, y, z = quat_wxyz_from_rotation(rotation)
    return number_text([*translation, x, y, z, w], separator)
