"""``transforms.json`` of nerfstudio and instant-ngp, and of NeRF's synthetic scenes.

Public sources: nerfstudio's data conventions and its COLMAP converter; instant-ngp's
``colmap2nerf.py`` and loader. ``transform_matrix`` is world_from_cam with OpenGL's camera axes (x
right, y up, z backward).

World: nerfstudio's ``applied_transform`` and ``applied_scale`` are undone, so that poses are in the
world from before. instant-ngp's converter turns, centres and scales the world without a record;
``scale`` and ``offset`` are how it shows the world, not part of the poses.

Half pixels: see ``nerfstudio_cameras``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.nerfstudio_cameras import number, parse_camera
from hloc_lite.formats.nerfstudio_files import find_files
from hloc_lite.formats.pose_rows import poses_from_matrices
from hloc_lite.formats.pose_text import pose_from_matrix
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.geometry.frames import camera_axes
from hloc_lite.io.files import read_json
from hloc_lite.types import Camera, Float64, Rigid3

_NOT_OF_CAMERA = (
    "file_path", "transform_matrix", "mask_path", "depth_file_path", "colmap_im_id", "sharpness",
    "time",
)  # fmt: skip
"""Keys of a frame that do not describe its camera."""
MAX_ANGLE_DIFFERENCE = 0.02
"""Relative difference of the focal length of ``camera_angle_x`` from ``fl_x`` that is told."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TransformsScene:
    """Content of a ``transforms.json``."""

    posed: PosedImages
    masks: Mapping[str, Path]
    """Image name -> mask, black where the image is ignored."""
    depths: Mapping[str, Path]
    """Image name -> depth image; nerfstudio's are 16-bit PNG in mm unless configured otherwise."""


def read_transforms(
    path: Path,
    *,
    image_folder: Path | None = None,
    check_images: bool = True,
    pixel_shift: float = 0.0,
) -> TransformsScene:
    """Read a ``transforms.json``.

    Frames without image file are left out, with a note that counts them. Images of another size
    than w and h get scaled intrinsics, if their shape is the same.

    Args:
        path: JSON file.
        image_folder: folder of the images; None for that of the file. Images are looked for by
            their path, and by its last parts.
        check_images: False to take names and sizes as they are written, without looking at files.
        pixel_shift: added to cx and cy, in pixels; 0.5 for files that count from the centre of the
            first pixel.

    Raises:
        FormatError: another layout, no image found, a name listed twice or that leads out of the
            folder, a matrix that is no pose, implausible intrinsics, or an image of another shape.
    """
    fields = read_json(path)
    frames = fields.get("frames") if isinstance(fields, dict) else None
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise FormatError(f"{path}: expected an object with a list 'frames' of objects")
    files = find_files(frames, path, image_folder, check_images=check_images)
    undone = _undone_transform(fields, str(path))
    cameras: dict[str, Camera] = {}
    matrices: list[Float64] = []
    known: dict[str, _FrameCamera] = {}
    scaled: list[str] = []
    for index, name in files.names.items():
        where, size = f"{path}, frame {index + 1}", files.sizes.get(name)
        own = {key: each for key, each in frames[index].items() if key not in _NOT_OF_CAMERA}
        same = repr((own, size))  # frames mostly share the intrinsics of the file
        if same not in known:
            known[same] = _frame_camera({**fields, **own}, size, where, pixel_shift)
        cameras[name] = known[same].camera
        if known[same].is_scaled:
            scaled.append(name)
        matrices.append(_matrix(frames[index].get("transform_matrix"), "transform_matrix", where))
    given = poses_from_matrices(
        np.array(matrices).reshape(-1, 3, 4),
        lambda row: f"{path}, frame {list(files.names)[row] + 1}",
    )
    poses = dict(zip(files.names.values(), (_pose(each, undone) for each in given), strict=True))
    notes = [*files.notes, *_world_notes(fields)]
    if scaled:
        first = cameras[scaled[0]]
        notes.append(
            f"{counted(len(scaled), 'image')} of another size than stated, such as {scaled[0]!r} "
            f"with {first.width} x {first.height}: the intrinsics were scaled"
        )
    if any(each.contradicts_angle for each in known.values()):
        notes.append("camera_angle_x contradicts fl_x: fl_x was used")
    return TransformsScene(
        posed=PosedImages(
            model=posed_model(cameras, poses),
            cameras=cameras,
            image_folder=files.folder,
            notes=tuple(notes),
        ),
        masks=files.masks,
        depths=files.depths,
    )


def world_from_cam_matrix(pose: Rigid3) -> Float64:
    """(4, 4) ``transform_matrix`` of a cam_from_world."""
    inverse = pose.inverse()
    axes = camera_axes("opengl").T
    return Rigid3(inverse.rotation @ axes, inverse.translation).matrix + 0.0


class _FrameCamera(NamedTuple):
    """Intrinsics of a frame."""

    camera: Camera
    """In the size of the image on disk."""
    is_scaled: bool
    contradicts_angle: bool


def _frame_camera(
    keys: Mapping[str, Any], size: tuple[int, int] | None, where: str, pixel_shift: float
) -> _FrameCamera:
    stated = parse_camera(keys, size, where, pixel_shift)
    camera = _in_size_on_disk(stated, size, where)
    return _FrameCamera(camera, camera is not stated, _contradicts_angle(keys, stated, where))


def _pose(given: Rigid3, undone: tuple[Float64, Float64]) -> Rigid3:
    """cam_from_world of a ``transform_matrix``, in the world before the applied transform."""
    linear, shift = undone
    rotation = camera_axes("opengl").T @ given.rotation.T
    center = linear @ (given.translation - shift)
    scale = np.cbrt(np.linalg.det(linear))
    rotation = rotation @ (linear / scale).T
    return Rigid3(rotation, -rotation @ center)


def _undone_transform(fields: Mapping[str, Any], where: str) -> tuple[Float64, Float64]:
    """(3, 3) linear part and (3,) origin: x_before = linear @ (x - origin)."""
    factor = number(fields, "applied_scale", where)
    factor = 1.0 if factor is None else factor
    if not 1e-12 < factor < 1e12:
        raise FormatError(f"{where}: 'applied_scale' must be above 0 and finite, got {factor:g}")
    value = fields.get("applied_transform")
    if value is None:
        return np.eye(3) / factor, np.zeros(3)
    matrix = _matrix(value, "applied_transform", where)
    det = float(np.linalg.det(matrix[:, :3]))
    scale = np.cbrt(det)
    if not 1e-12 < det < 1e12:
        raise FormatError(f"{where}: 'applied_transform' is no rotation with scale and translation")
    rigid = pose_from_matrix(
        np.column_stack([matrix[:, :3] / scale, matrix[:, 3]]), f"{where}: 'applied_transform'"
    )
    # forward: x = factor (scale R x_before + t)
    return rigid.rotation.T / (scale * factor), factor * rigid.translation


def _matrix(value: object, key: str, where: str) -> Float64:
    """(3, 4) upper part of a matrix of 3 or 4 rows."""
    rows = value if isinstance(value, list) else []
    cells = [cell for row in rows if isinstance(row, list) and len(row) == 4 for cell in row]
    numbers = [
        cell if type(cell) is float and abs(cell) <= 1e15 else number({key: cell}, key, where)
        for cell in cells
    ]
    if len(rows) not in (3, 4) or len(cells) != 4 * len(rows) or None in numbers:
        raise FormatError(f"{where}: {key!r} must have 3 or 4 rows of 4 numbers")
    matrix = np.array(numbers, np.float64).reshape(-1, 4)
    if len(matrix) == 4 and not (np.abs(matrix[3] - [0, 0, 0, 1]) <= 1e-6).all():
        raise FormatError(f"{where}: {key!r} must have the last row 0 0 0 1, got {matrix[3]}")
    return matrix[:3]


def _in_size_on_disk(camera: Camera, size: tuple[int, int] | None, where: str) -> Camera:
    if size is None or size == (camera.width, camera.height):
        return camera
    try:
        return rescaled(camera, *size)
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None


def _contradicts_angle(keys: Mapping[str, Any], camera: Camera, where: str) -> bool:
    """True if ``camera_angle_x`` and ``fl_x`` are both given, and differ."""
    angle, focal = number(keys, "camera_angle_x", where), number(keys, "fl_x", where)
    if angle is None or focal is None:
        return False
    from_angle = camera.width / (2 * np.tan(angle / 2)) if 1e-6 < angle < np.pi else np.inf
    return bool(abs(from_angle / focal - 1) > MAX_ANGLE_DIFFERENCE)


def _world_notes(fields: Mapping[str, Any]) -> list[str]:
    notes = []
    if fields.get("applied_transform") is not None or fields.get("applied_scale") is not None:
        notes.append("applied_transform and applied_scale were undone")
    shown = [key for key in ("scale", "offset") if fields.get(key) is not None]
    if shown:
        notes.append(
            f"{' and '.join(shown)} of instant-ngp only show the world: poses are as written"
        )
    if fields.get("rolling_shutter") is not None:
        notes.append("rolling_shutter is ignored: poses are those of the frame's matrix")
    return notes
