"""RIO10: ``seqSS_NN/frame-NNNNNN.{color.jpg,pose.txt,rendered.depth.png}``; a data set per scene.

``seqSS_01`` is the map, ``seqSS_02`` the validation, later recordings are hidden tests. Recordings
may lie in a folder ``seqSS`` each. ``intrinsics.txt`` of the authors' repository must be there;
``GT_RIO10.txt`` of it gives validation poses that have no pose file.
"""

from __future__ import annotations

import re
from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.photo_writing import (
    common_pinhole,
    dealt_queries,
    map_photos,
    write_depth,
    write_photo,
)
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.pose_text import number_text
from hloc_lite.formats.rio10 import IMAGE_SIZE, read_rio10_poses, read_rio10_sequences
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Camera, Rigid3

VALIDATION, TEST = "validation", "test"
_MAP = re.compile(r"seq(\d{2})_01")
_LISTS = (".", "data", "RIO10/data")


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the scenes that are there, named ``seq01``.

    Raises:
        FormatError: no scene, no intrinsics, or a missing or damaged file.
    """
    folders = sorted([*root.glob("seq??_01"), *root.glob("seq??/seq??_01")])
    folders = [path for path in folders if path.is_dir() and _MAP.fullmatch(path.name)]
    if not folders:
        raise FormatError(
            f"{root} has no map of RIO10: expected folders seq01_01, or seq01/seq01_01. Unpack the "
            f"archives there"
        )
    intrinsics = _find_list(root, "intrinsics.txt")
    if intrinsics is None:
        raise FormatError(
            f"{root} has no intrinsics.txt: put data/intrinsics.txt of github.com/WaldJohannaU/"
            f"RIO10 there"
        )
    truth_path = _find_list(root, "GT_RIO10.txt")
    truth = {} if truth_path is None else read_rio10_poses(truth_path)
    return tuple(_read_scene(folder, intrinsics, truth, card) for folder in folders)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set as scene 1: the first condition as validation, others as hidden tests.

    Photos are resampled to 540 x 960 pixels, one camera for each recording.

    Raises:
        FormatError: no metric poses, or no query with a pose.
    """
    dealt = dealt_queries(dataset, (VALIDATION, TEST), with_truth=[VALIDATION])
    recordings = [map_photos(dataset), dealt[VALIDATION], dealt[TEST]]
    names: dict[str, str] = {}
    lines = []
    for number, photos in enumerate(recordings, start=1):
        if not photos:
            continue
        sequence = f"seq01_{number:02d}"
        camera = common_pinhole(photos, IMAGE_SIZE)
        lines.append(f"{sequence} {number_text(camera.params)}\n")
        for frame, photo in enumerate(photos):
            stem = f"{sequence}/frame-{frame:06d}"
            names[photo.name] = f"{stem}.color.jpg"
            write_photo(dataset, photo, camera, root / names[photo.name])
            write_depth(dataset, photo, camera, root / f"{stem}.rendered.depth.png")
            if number < 3 and photo.cam_from_world is not None:
                text = _world_from_cam_text(photo.cam_from_world)
                write_text_atomic(root / f"{stem}.pose.txt", text)
    write_text_atomic(root / "intrinsics.txt", "".join(lines))
    return names


def _read_scene(
    folder: Path, intrinsics: Path, listed_truth: dict[str, Rigid3], card: Card
) -> Dataset:
    root, scene = folder.parent, folder.name[:5]
    mapped = read_rio10_sequences(root, (folder.name,), intrinsics)
    queries: dict[str, dict[str, Camera]] = {VALIDATION: {}, TEST: {}}
    truth: dict[str, Rigid3] = {}
    notes = [f"map: {note}" for note in mapped.notes]
    sequences = sorted(
        path.name for path in root.glob(f"{scene}_??") if path.is_dir() and path != folder
    )
    for sequence in sequences:
        posed = read_rio10_sequences(root, (sequence,), intrinsics)
        if sequence != f"{scene}_02":
            queries[TEST] |= posed.cameras
            continue
        poses = {image.name: image.cam_from_world for image in posed.model.images}
        poses = {name: pose for name, pose in listed_truth.items() if name in posed.cameras} | poses
        truth = {name: poses[name] for name in posed.cameras if name in poses}
        # without public poses (none of them there) the frames are queries all the same
        kept = truth or posed.cameras
        queries[VALIDATION] = {name: posed.cameras[name] for name in kept}
        left_out = len(posed.cameras) - len(kept)
        if left_out:
            notes.append(f"{counted(left_out, 'frame')} of {sequence} without a pose: left out")
        if not truth:
            notes.append(f"{sequence}: no pose files and no GT_RIO10.txt, so no validation truth")
    has_depth = next(folder.glob("frame-*.rendered.depth.png"), None) is not None
    if has_depth:
        notes.append("depth images are named frame-NNNNNN.rendered.depth.png, in millimetres")
    return make_part(
        card, scene, root, mapped.model, queries, {VALIDATION: truth},
        notes=tuple(notes), depth_folder=root if has_depth else None,
    )  # fmt: skip


def _find_list(root: Path, name: str) -> Path | None:
    paths = [root / folder / name for folder in _LISTS]
    return next((path for path in paths if path.is_file()), None)


def _world_from_cam_text(cam_from_world: Rigid3) -> str:
    rotation = cam_from_world.rotation.T
    center = -rotation @ cam_from_world.translation
    rows = [[*rotation[row], center[row]] for row in range(3)]
    return "".join(f"{number_text(row)}\n" for row in [*rows, [0, 0, 0, 1]])
