"""``rig_config.json``, the input of ``colmap rig_configurator``: cameras on rigs by image names.

Images whose names differ only in the prefix of their camera are of one frame.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.rigs import ColmapRigs, rigid_from_numbers
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.files import read_json, write_json_atomic
from hloc_lite.io.image_names import normalize_name
from hloc_lite.types import Camera, Float64, Rigid3

MAX_CAMERAS = 1000
"""Larger numbers of cameras are refused: each image name is compared with all their prefixes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ConfigCamera:
    """Camera of a rig, known by the beginning of its images' names."""

    image_prefix: str
    is_reference: bool = False
    """True if its frame is that of the rig."""
    cam_from_rig: Rigid3 | None
    """The identity for the reference; None if it is unknown."""
    model: str | None = None
    """COLMAP's camera model; None if the intrinsics are not given."""
    params: Float64 | None = None
    """Intrinsics in the order of the model; None if they are not given."""
    size: tuple[int, int] | None = None
    """(width, height) that the intrinsics are for; files do not say it: that of the images."""


ConfigRig = tuple[ConfigCamera, ...]


def is_rig_config(value: Any) -> bool:
    """Return True for the content of a rig_config.json: a list of objects with cameras."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and isinstance(each.get("cameras"), list) for each in value)
    )


def read_rig_config(path: Path) -> tuple[ConfigRig, ...]:
    """Read the rigs of a rig_config.json.

    Raises:
        FormatError: another layout, a rig without or with several reference cameras, a prefix
            twice, a pose that is none, or intrinsics that do not fit their model.
    """
    value = read_json(path)
    if not is_rig_config(value):
        raise FormatError(f'{path}: expected a list of rigs, [{{"cameras": [...]}}, ...]')
    rigs = tuple(_parse_rig(each, f"{path}: rig {n}") for n, each in enumerate(value, start=1))
    counts = Counter(camera.image_prefix for rig in rigs for camera in rig)
    if counts.total() > MAX_CAMERAS:
        raise FormatError(f"{path}: {counts.total()} cameras, at most {MAX_CAMERAS} are read")
    twice = next((prefix for prefix, count in counts.items() if count > 1), None)
    if twice is not None:
        raise FormatError(f"{path}: the prefix {twice!r} is given to two cameras")
    return rigs


def write_rig_config(path: Path, rigs: Iterable[ConfigRig]) -> None:
    """Write rigs in the format of ``read_rig_config``, atomically."""
    write_json_atomic(path, [{"cameras": [_to_json(each) for each in rig]} for rig in rigs])


def config_of_rigs(
    rigs: ColmapRigs, names: Mapping[int, str], cameras: Mapping[int, Camera]
) -> tuple[ConfigRig, ...]:
    """Rigs of several cameras whose prefixes are the folders of their images.

    Rigs whose cameras cannot be told apart so are left out: an image is in no folder, or images of
    two cameras are in one.

    Args:
        names: image id -> name.
        cameras: camera id -> intrinsics.
    """
    folders: dict[int, set[str]] = {}
    for frame in rigs.frames.values():
        for camera_id, image_id in frame.image_ids.items():
            if image_id in names:
                folder = names[image_id].rpartition("/")[0]
                folders.setdefault(camera_id, set()).add(f"{folder}/" if folder else "")
    prefixes = {each: _common_folder(found) for each, found in folders.items()}
    configs = []
    for on_rig in rigs.rigs.values():
        known = {each: prefixes[each] for each in on_rig if prefixes.get(each)}
        if len(known) > 1 and _are_apart(known.values()):
            configs.append(
                tuple(
                    _config_camera(prefix, on_rig[each], each == next(iter(on_rig)), cameras[each])
                    for each, prefix in known.items()
                )
            )
    return tuple(configs)


def frames_of_names(
    rigs: Sequence[ConfigRig], names: Collection[str]
) -> list[dict[str, ConfigCamera]]:
    """Frames of images: image name -> its camera, for names with the same end after the prefix.

    Args:
        names: image names; those of no camera are left out.

    Raises:
        FormatError: a name begins with the prefixes of two cameras.
    """
    frames: dict[tuple[int, str], dict[str, ConfigCamera]] = {}
    cameras = [(row, camera) for row, rig in enumerate(rigs) for camera in rig]
    for name in names:
        found = [each for each in cameras if name.startswith(each[1].image_prefix)]
        if len(found) > 1:
            first, second = (camera.image_prefix for _, camera in found[:2])
            raise FormatError(
                f"{name!r} begins with the prefixes {first!r} and {second!r} of two cameras: end "
                f"prefixes with a slash"
            )
        for row, camera in found:
            end = name.removeprefix(camera.image_prefix)
            frames.setdefault((row, end), {})[name] = camera
    return list(frames.values())


def _are_apart(prefixes: Collection[str]) -> bool:
    """True if no folder is in another one."""
    ordered = sorted(prefixes)
    return not any(b.startswith(a) for a, b in pairwise(ordered))


def _common_folder(folders: set[str]) -> str:
    """Innermost folder that contains all, with a slash at its end; empty for the top."""
    common = posixpath.commonpath([folder.rstrip("/") for folder in folders])
    return f"{common}/" if common else ""


def _config_camera(
    prefix: str, cam_from_rig: Rigid3 | None, is_reference: bool, camera: Camera
) -> ConfigCamera:
    return ConfigCamera(
        image_prefix=prefix, is_reference=is_reference, cam_from_rig=cam_from_rig,
        model=camera.model, params=camera.params, size=(camera.width, camera.height),
    )  # fmt: skip


def _parse_rig(value: Mapping[str, Any], where: str) -> ConfigRig:
    if "ref_camera_id" in value:
        raise FormatError(
            f"{where} has a ref_camera_id, as before COLMAP 3.12: give the reference camera "
            f'"ref_sensor": true instead, and no pose'
        )
    cameras = tuple(
        _parse_camera(each, f"{where}, camera {number}")
        for number, each in enumerate(value["cameras"], start=1)
    )
    count = sum(camera.is_reference for camera in cameras)
    if count != 1:
        raise FormatError(f'{where}: expected one camera with "ref_sensor": true, got {count}')
    return cameras


def _parse_camera(value: Any, where: str) -> ConfigCamera:
    prefix = value.get("image_prefix") if isinstance(value, dict) else None
    if not isinstance(prefix, str) or not prefix:
        raise FormatError(f'{where}: expected an "image_prefix", the beginning of image names')
    is_reference = value.get("ref_sensor", False)
    if not isinstance(is_reference, bool):
        raise FormatError(f'{where}: expected true or false as "ref_sensor", got {is_reference!r}')
    rotation = _numbers(value, "cam_from_rig_rotation", 4, where)
    translation = _numbers(value, "cam_from_rig_translation", 3, where)
    if (rotation is None) != (translation is None):
        raise FormatError(
            f"{where}: cam_from_rig_rotation and cam_from_rig_translation need each other"
        )
    if is_reference and rotation is not None:
        raise FormatError(f"{where}: the reference camera is the rig's frame: give it no pose")
    pose = Rigid3.identity() if is_reference else None
    if rotation is not None and translation is not None:
        pose = rigid_from_numbers(np.concatenate([rotation, translation]), where)
    model, params = _parse_intrinsics(value, where)
    return ConfigCamera(
        image_prefix=_normal_prefix(prefix), is_reference=is_reference, cam_from_rig=pose,
        model=model, params=params,
    )  # fmt: skip


def _normal_prefix(prefix: str) -> str:
    """Prefix as image names are written: ``a/`` for ``./a/``."""
    return normalize_name(f"{prefix}x")[:-1]


def _parse_intrinsics(value: Mapping[str, Any], where: str) -> tuple[str | None, Float64 | None]:
    model, given = value.get("camera_model_name"), value.get("camera_params")
    if model is None and given is None:
        return None, None
    if not isinstance(model, str) or model not in CAMERA_MODELS or given is None:
        raise FormatError(
            f"{where}: expected a camera_model_name of COLMAP with its camera_params, got {model!r}"
        )
    return model, _numbers(value, "camera_params", CAMERA_MODELS[model].num_params, where)


def _numbers(value: Mapping[str, Any], key: str, count: int, where: str) -> Float64 | None:
    """(count,) numbers of a key; None if it is absent."""
    given = value.get(key)
    if given is None:
        return None
    if (
        not isinstance(given, list)
        or len(given) != count
        or not all(type(each) in (int, float) and abs(each) < 1e15 for each in given)
    ):
        raise FormatError(f"{where}: expected {count} numbers as {key}, got {str(given)[:80]}")
    return np.array(given, np.float64)


def _to_json(camera: ConfigCamera) -> dict[str, Any]:
    value: dict[str, Any] = {"image_prefix": camera.image_prefix}
    if camera.is_reference:
        value["ref_sensor"] = True
    elif camera.cam_from_rig is not None:
        value["cam_from_rig_rotation"] = quat_wxyz_from_rotation(
            camera.cam_from_rig.rotation
        ).tolist()
        value["cam_from_rig_translation"] = camera.cam_from_rig.translation.tolist()
    if camera.model is not None and camera.params is not None:
        value["camera_model_name"] = camera.model
        value["camera_params"] = camera.params.tolist()
    return value
