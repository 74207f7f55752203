"""Map-free relocalization: ``{val,test}/sNNNNN/{intrinsics.txt, poses.txt, seq0, seq1}``.

Each scene is a data set whose map is one image, ``seq0/frame_00000.jpg``. Queries are every fifth
frame of ``seq1``, counted in the lists as the single-frame track counts them. Poses are world to
camera, and the world is the frame of the reference image. Those of test scenes are hidden: zeros,
or no file.

The map gets its landmarks from a depth image beside the reference. The authors distribute estimates
by DPT, ``seq0/frame_00000.dptkitti.png`` and ``.dptnyu.png``: 16 bits, millimetres. One that was
measured, ``seq0/frame_00000.depth.png``, comes first; then one of another network, named alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset, RelativeQuery
from hloc_lite.datasets.layouts.image_files import copy_photo
from hloc_lite.datasets.layouts.photo_writing import (
    PosedPhoto,
    as_pinhole,
    dealt_queries,
    map_photos,
    write_depth,
    write_photo,
)
from hloc_lite.datasets.layouts.scene_parts import make_part
from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.formats.map_depth import DepthFile, DepthFiles
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    image_name,
    number_text,
    pose_from_quat,
    pose_numbers,
)
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import write_text_atomic
from hloc_lite.types import Camera, Rigid3

SPLITS = ("val", "test")
REFERENCE = "seq0/frame_00000.jpg"
STEP = 5
"""Every fifth frame is a query of the single-frame track."""
_SCENES = {"val": "s00460", "test": "s00525"}
"""Scene of each split that is written."""
_QUERY = re.compile(r"seq1/frame_(\d{5})\.jpg")
DEPTHS = tuple(f"seq0/frame_00000.{kind}.png" for kind in ("depth", "dptkitti", "dptnyu"))
"""Depth images of the reference, the first that is there is read: measured, or estimated by DPT as
trained on KITTI (outdoors) or NYU (indoors)."""
_NO_DEPTH = f"no depth image of {REFERENCE}: expected {DEPTHS[1]}, or one of the same kind named "
_NO_DEPTH += f"{DEPTHS[0]} (16 bits, millimetres, the whole photo)"


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read all validation and test scenes that are there, named ``s00460``.

    Raises:
        FormatError: no scene, or a missing or damaged file.
    """
    scenes = [
        (split, path)
        for split in SPLITS
        for path in sorted((root / split).glob("s?????"))
        if path.is_dir()
    ]
    if not scenes:
        raise FormatError(
            f"{root} has no scene: expected val/s00460/intrinsics.txt or "
            f"test/s00525/intrinsics.txt. Unpack val.zip and test.zip there"
        )
    return tuple(_read_scene(folder, split, card) for split, folder in scenes)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a validation scene of the first condition, and a test scene of the others.

    The reference of a scene is the map image nearest to its queries; other map images have no
    place. Photos are resampled where they have distortion. The reference gets its depth image if
    the data set has depths.

    Raises:
        FormatError: no metric poses, or no query with a pose.
    """
    mapped = map_photos(dataset)
    dealt = dealt_queries(dataset, SPLITS, with_truth=["val"])
    names: dict[str, str] = {}
    for split, photos in dealt.items():
        if not photos:
            continue
        reference = _nearest(mapped, photos)
        folder = root / split / _SCENES[split]
        # between two queries, photos and poses are those of the query before
        repeated = [photo for photo in photos for _ in range(STEP)]
        frames = {f"seq1/frame_{row:05d}.jpg": each for row, each in enumerate(repeated)}
        intrinsics, poses = [], []
        placed: dict[str, Path] = {}
        for name, photo in {REFERENCE: reference, **frames}.items():
            camera = as_pinhole(photo.camera)
            if photo.name in placed:
                copy_photo(placed[photo.name], folder / name)
            else:
                write_photo(dataset, photo, camera, folder / name)
                placed[photo.name] = folder / name
            names.setdefault(photo.name, name)
            intrinsics.append(
                f"{name} {number_text(camera.params)} {camera.width} {camera.height}\n"
            )
            shown = split == "val" or photo is reference
            poses.append(f"{name} {_pose_text(photo, reference) if shown else '0 0 0 0 0 0 0'}\n")
        write_depth(dataset, reference, as_pinhole(reference.camera), folder / DEPTHS[0])
        write_text_atomic(folder / "intrinsics.txt", "".join(intrinsics))
        write_text_atomic(folder / "poses.txt", "".join(poses))
    return names


def _read_scene(folder: Path, split: str, card: Card) -> Dataset:
    cameras = _read_intrinsics(folder / "intrinsics.txt")
    if REFERENCE not in cameras:
        raise FormatError(f"{folder / 'intrinsics.txt'} has no intrinsics of {REFERENCE}")
    path = folder / "poses.txt"
    listed = _read_poses(path) if path.is_file() else dict.fromkeys(cameras)
    frames = sorted(name for name in listed if _QUERY.fullmatch(name))
    queries = frames[::STEP]
    missing = [name for name in queries if name not in cameras]
    if missing:
        raise FormatError(f"{folder / 'intrinsics.txt'} has no intrinsics of {missing[0]!r}")
    # without a pose the reference's frame is the world by definition
    pose = listed.get(REFERENCE) or Rigid3.identity()
    truth = {name: known for name in queries if (known := listed[name]) is not None}
    submission = {name: f"{folder.name}/{name}" for name in queries}
    depth = _find_depth(folder, cameras[REFERENCE])
    return make_part(
        card,
        folder.name,
        folder,
        posed_model({REFERENCE: cameras[REFERENCE]}, {REFERENCE: pose}),
        {split: {name: cameras[name] for name in queries}},
        {split: truth},
        submission_names=submission,
        relative_queries=tuple(
            RelativeQuery(name=name, query=query, reference=REFERENCE)
            for query, name in submission.items()
        ),
        depth=depth,
        notes=(_NO_DEPTH,) if depth is None else _depth_notes(depth),
    )


def _find_depth(folder: Path, camera: Camera) -> DepthFiles | None:
    """Depth image of the reference; None if there is none.

    Raises:
        FormatError: several of other networks, of which none is to be preferred.
    """
    others = sorted(each.name for each in folder.glob("seq0/frame_00000.*.png"))
    known = [name for name in DEPTHS if (folder / name).is_file()]
    if len(others) > 1 and not known:
        raise FormatError(
            f"{folder / 'seq0'} has several depth images of the reference, and only one can be "
            f"used: {', '.join(others)}. Move the others away"
        )
    path = next((folder / name for name in [*known, *(f"seq0/{each}" for each in others)]), None)
    return None if path is None else DepthFiles({REFERENCE: DepthFile(path)}, {REFERENCE: camera})


def _depth_notes(depth: DepthFiles) -> tuple[str, ...]:
    """Note on depth that a network has estimated."""
    path = depth.files[REFERENCE].path
    if path.name == Path(DEPTHS[0]).name:
        return ()
    return (f"{path.name} is an estimate: the scale of the poses is that of a network",)


def _read_intrinsics(path: Path) -> dict[str, Camera]:
    """Read lines ``frame fx fy cx cy W H``."""
    cameras: dict[str, Camera] = {}
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.split()
        if len(words) != 7:
            raise FormatError(f"{where}: expected 'frame fx fy cx cy W H', got {line[:80]!r}")
        name, values = image_name(words[0], where), finite_numbers(words[1:], where)
        if name in cameras:
            raise FormatError(f"{where}: {name!r} is listed twice")
        if not (values[4].is_integer() and values[5].is_integer()):
            raise FormatError(f"{where}: width and height are whole pixels, got {words[5:]}")
        try:
            camera = Camera("PINHOLE", int(values[4]), int(values[5]), np.array(values[:4]))
            cameras[name] = check_given_camera(camera)
        except (FormatError, ShapeError) as error:
            raise FormatError(f"{where}: {error}") from None
    return cameras


def _read_poses(path: Path) -> dict[str, Rigid3 | None]:
    """Read lines ``frame qw qx qy qz tx ty tz``, cam_from_world; None if all numbers are zero."""
    poses: dict[str, Rigid3 | None] = {}
    for number, line in content_lines(path):
        where, words = f"{path}, line {number}", line.split()
        if len(words) != 8:
            raise FormatError(f"{where}: expected 'frame qw qx qy qz tx ty tz', got {line[:80]!r}")
        name, values = image_name(words[0], where), finite_numbers(words[1:], where)
        if name in poses:
            raise FormatError(f"{where}: {name!r} is listed twice")
        poses[name] = pose_from_quat(values[:4], values[4:], where) if any(values) else None
    return poses


def _nearest(mapped: Sequence[PosedPhoto], queries: Sequence[PosedPhoto]) -> PosedPhoto:
    """Map image with the smallest mean distance to the queries, of those that look alike."""
    poses = [photo.cam_from_world for photo in queries if photo.cam_from_world is not None]
    centers = np.array([pose.center for pose in poses]).reshape(-1, 3)
    axes = np.array([pose.rotation[2] for pose in poses]).reshape(-1, 3)

    def cost(photo: PosedPhoto) -> float:
        pose = photo.cam_from_world
        if pose is None or not len(centers):
            return 0.0
        distances = np.linalg.norm(centers - pose.center, axis=1)
        return float(np.median(distances * (2 - axes @ pose.rotation[2])))

    return min(mapped, key=cost)


def _pose_text(photo: PosedPhoto, reference: PosedPhoto) -> str:
    """Pose in the world of the reference image."""
    if photo.cam_from_world is None or reference.cam_from_world is None:
        return "0 0 0 0 0 0 0"
    return pose_numbers(photo.cam_from_world.compose(reference.cam_from_world.inverse()))
