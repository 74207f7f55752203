"""Writers of ``transforms.json`` for nerfstudio and instant-ngp; ``nerfstudio`` reads both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.nerfstudio import world_from_cam_matrix
from hloc_lite.formats.nerfstudio_cameras import instant_ngp_keys, nerfstudio_keys
from hloc_lite.io.files import write_json_atomic
from hloc_lite.io.image_names import is_unicode, leads_out
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera

_NGP_DISTANCE = 4.0 * 0.33
"""Mean distance of cameras from their centre in instant-ngp's own space, as its converter and its
default scale give."""


def write_nerfstudio(path: Path, model: SfmModel, *, prefix: str = "") -> None:
    """Write the images of a model for nerfstudio, in the model's own world.

    Fisheyes are written as OPENCV_FISHEYE; points are left out.

    Args:
        path: JSON file.
        model: SfM model.
        prefix: put in front of image names, such as ``images/``.

    Raises:
        FormatError: a lens that nerfstudio does not have, or a name that leads out of the folder.
    """
    write_json_atomic(path, _fields(model, nerfstudio_keys, prefix))


def write_instant_ngp(path: Path, model: SfmModel, *, prefix: str = "") -> None:
    """Write the images of a model for instant-ngp, in the model's own world.

    ``scale`` and ``offset`` place the cameras where instant-ngp's own converter would. Points are
    left out.

    Args:
        path: JSON file.
        model: SfM model.
        prefix: put in front of image names, such as ``images/``.

    Raises:
        FormatError: a lens that instant-ngp does not have, or a name that leads out of the folder.
    """
    fields = _fields(model, instant_ngp_keys, prefix)
    centers = np.array([image.cam_from_world.center for image in model.images]).reshape(-1, 3)
    center = centers.mean(axis=0) if len(centers) else np.zeros(3)
    distance = np.linalg.norm(centers - center, axis=1).mean() if len(centers) else 0.0
    scale = _NGP_DISTANCE / distance if distance > 0 else 1.0
    placed = {
        "aabb_scale": 32,
        "scale": float(scale),
        "offset": (0.5 - scale * center).tolist(),
    }
    write_json_atomic(path, {**placed, **fields})


def _fields(
    model: SfmModel, keys_of: Callable[[Camera], Mapping[str, Any]], prefix: str
) -> dict[str, Any]:
    """Frames, with intrinsics at the top if they are equal for all."""
    used = sorted({image.camera_id for image in model.images})
    keys = {camera_id: keys_of(model.cameras[camera_id]) for camera_id in used}
    shared = keys[used[0]] if len(used) == 1 else {}
    frames = []
    for image in model.images:
        name = prefix + image.name
        if leads_out(name) or "\\" in name:
            raise FormatError(f"image name {name[:200]!r} leaves the folder; names are relative")
        if not is_unicode(name):
            raise FormatError(f"image name {name[:200]!r} is not UTF-8: rename the image")
        own = {} if shared else keys[image.camera_id]
        matrix = world_from_cam_matrix(image.cam_from_world)
        frames.append({"file_path": name, **own, "transform_matrix": matrix.tolist()})
    return {**shared, "frames": frames}
