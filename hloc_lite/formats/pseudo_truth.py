"""Pseudo ground truth of 7-Scenes and 12-Scenes (Brachmann et al., ICCV 2021), and its estimates.

Truth files have lines ``seq-03/frame-000844.color.png qw qx qy qz tx ty tz f``: cam_from_world in
metres, and the focal length in pixels of this image. The principal point is the image centre, the
image size is not in the file. Files of estimates leave out f; those of DSAC* add two columns, the
error of rotation in degrees and of position in metres. Source: tsattler/
visloc_pseudo_gt_limitations.

There are two truths of each scene, ``dslam`` and ``sfm``, which rank methods differently: state
which one a score refers to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.formats.hloc_lists import check_names, read_poses, write_poses
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    image_name,
    number_text,
    pose_from_quat,
)
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.geometry.rotations import check_unit_quaternion, quat_wxyz_from_rotation
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.image_names import SUFFIXES
from hloc_lite.types import Camera, Rigid3

SEVEN_SCENES_SIZE = (640, 480)
"""(width, height) of the images of 7-Scenes, pixels."""
TWELVE_SCENES_SIZE = (1296, 968)
"""(width, height) of the images of 12-Scenes, pixels."""
MAX_FURTHER_COLUMNS = 2
"""Most columns after a pose: the focal length of a truth file, or two errors of an estimate."""


def read_pseudo_truth(path: Path, image_size: tuple[int, int]) -> PosedImages:
    """Read poses and focal lengths of images, as SIMPLE_PINHOLE cameras.

    Args:
        path: truth file.
        image_size: (width, height) of all images, pixels: ``SEVEN_SCENES_SIZE``, or
            ``TWELVE_SCENES_SIZE``.

    Raises:
        FormatError: a bad line (with its number), a name listed twice, or a focal length that does
            not fit the image size.
    """
    cameras: dict[str, Camera] = {}
    poses: dict[str, Rigid3] = {}
    for number, line in content_lines(path):
        where = f"{path}, line {number}"
        words = line.rsplit(maxsplit=8)
        if len(words) != 9:
            raise FormatError(f"{where}: expected 'name qw qx qy qz tx ty tz f', got {line[:80]!r}")
        name, values = image_name(words[0], where), finite_numbers(words[1:], where)
        if name in poses:
            raise FormatError(f"{where}: {name!r} is listed twice")
        poses[name] = pose_from_quat(values[:4], values[4:7], where)
        cameras[name] = _camera(values[7], image_size, where)
    return PosedImages(model=posed_model(cameras, poses), cameras=cameras, is_metric=True)


def write_pseudo_truth(path: Path, posed: PosedImages) -> None:
    """Write posed images in the format of ``read_pseudo_truth``, in the order of the model.

    Raises:
        FormatError: a name that such a file cannot store, or a camera that is no SIMPLE_PINHOLE
            with its principal point at the image centre.
    """
    images = posed.model.images
    check_names(image.name for image in images)
    lines = []
    for image in images:
        camera = posed.model.cameras[image.camera_id]
        center = camera.width / 2, camera.height / 2
        if camera.model != "SIMPLE_PINHOLE" or tuple(camera.params[1:]) != center:
            raise FormatError(
                f"{image.name!r}: the file holds only a focal length: expected SIMPLE_PINHOLE with "
                f"the principal point {center}, got {camera}"
            )
        pose = image.cam_from_world
        values = [*quat_wxyz_from_rotation(pose.rotation), *pose.translation, camera.params[0]]
        lines.append(f"{image.name} {number_text(values)}\n")
    write_text_atomic(path, "".join(lines))


def read_pseudo_truth_estimates(path: Path) -> dict[str, Rigid3]:
    """Read poses of a file of estimates, of a truth file, or of hloc.

    Columns after the pose are ignored: the focal length of a truth file, the errors of DSAC*.

    Returns:
        Image name -> cam_from_world, in the order of the file. Images that are not listed were not
        localized.

    Raises:
        FormatError: a bad line (with its number), or a name listed twice.
    """
    lines = list(content_lines(path))
    further = _count_further(path, lines)
    if not further:
        return read_poses(path)
    poses: dict[str, Rigid3] = {}
    for number, line in lines:
        where = f"{path}, line {number}"
        words = line.rsplit(maxsplit=7 + further)
        if len(words) != 8 + further:
            raise FormatError(f"{where}: expected 'name qw qx qy qz tx ty tz', got {line[:80]!r}")
        name, values = image_name(words[0], where), finite_numbers(words[1:], where)
        if name in poses:
            raise FormatError(f"{where}: {name!r} is listed twice")
        poses[name] = pose_from_quat(values[:4], values[4:7], where)
    return poses


def write_pseudo_truth_estimates(path: Path, cam_from_world: Mapping[str, Rigid3]) -> None:
    """Write estimated poses without errors, in the format of ``read_pseudo_truth_estimates``.

    Raises:
        FormatError: a name that such a file cannot store.
    """
    write_poses(path, cam_from_world)


def _count_further(path: Path, lines: Sequence[tuple[int, str]]) -> int:
    """Number of columns after the pose in a file, by where all lines have a unit quaternion.

    Where several numbers of columns would do, names that end in the suffix of a photo decide, then
    names without spaces. In a damaged file the first line decides.

    Raises:
        FormatError: several numbers of columns would do, and the names do not tell.
    """
    texts = [line for _, line in lines]
    fitting = _fitting(texts) or _fitting(texts[:1])
    for is_likely in (_has_photo_suffix, _has_no_space):
        if len(fitting) < 2:
            break
        fitting = [
            further for further in fitting if all(is_likely(_name(t, further)) for t in texts)
        ] or fitting
    if len(fitting) > 1:
        raise FormatError(
            f"{path}: the columns can be read in several ways: expected 'name qw qx qy qz tx ty "
            f"tz', where names end in a suffix such as .jpg"
        )
    return fitting[0] if fitting else 0


def _fitting(texts: Sequence[str]) -> list[int]:
    """Numbers of columns after the pose under which each line has a unit quaternion."""
    counts = range(MAX_FURTHER_COLUMNS + 1)
    return [n for n in counts if texts and all(_is_pose(text, n) for text in texts)]


def _name(text: str, further: int) -> str:
    return text.rsplit(maxsplit=7 + further)[0]


def _has_no_space(name: str) -> bool:
    return len(name.split()) == 1


def _is_pose(line: str, further: int) -> bool:
    """True if a line has a unit quaternion before so many columns and a position."""
    words = line.rsplit(maxsplit=7 + further)
    if len(words) != 8 + further:
        return False
    try:
        check_unit_quaternion([float(word) for word in words[1:5]])
    except (FormatError, ValueError):
        return False
    return True


def _has_photo_suffix(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _camera(focal_px: float, image_size: tuple[int, int], where: str) -> Camera:
    width, height = image_size
    params = np.array([focal_px, width / 2, height / 2])
    try:
        return check_given_camera(Camera("SIMPLE_PINHOLE", width, height, params))
    except (FormatError, ShapeError) as error:
        raise FormatError(f"{where}: {error}") from None
