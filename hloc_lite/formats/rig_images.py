"""Photos of rigs: which were taken at one time, and by cameras mounted how.

A definition is a COLMAP model or database with rigs and frames (since 3.12), or a rig_config.json.
What it is, is told by its content.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats import format_signs as signs
from hloc_lite.formats.colmap.database import ColmapDatabase
from hloc_lite.formats.colmap.model import find_model, read_model
from hloc_lite.formats.colmap.rig_config import (
    ConfigCamera,
    ConfigRig,
    config_of_rigs,
    frames_of_names,
    read_rig_config,
)
from hloc_lite.formats.colmap.rig_files import read_rig_files, rig_paths
from hloc_lite.formats.colmap.rigs import ColmapRigs
from hloc_lite.formats.image_lookup import upright_size
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.renamed_images import names_in_folder
from hloc_lite.geometry.cameras import check_camera
from hloc_lite.io.image_names import list_images
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import Camera, Rigid3

KNOWN = (
    "a folder with a COLMAP model (rigs and frames as .bin or .txt), a COLMAP database, or a "
    "rig_config.json"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class RigImages:
    """Photos in a folder that cameras of rigs took."""

    kind: str
    """Name of the format, for people."""
    names: tuple[str, ...]
    """Photos that were asked for, also those that no camera of a rig took."""
    frames: tuple[Mapping[str, Rigid3], ...]
    """Image name -> cam_from_rig of the photos that were taken at one time."""
    cameras: Mapping[str, Camera]
    """Image name -> intrinsics, of photos whose intrinsics the definition gives."""
    notes: tuple[str, ...] = ()
    """Sentences for the user on what was left out or assumed."""


@dataclass(frozen=True, eq=False)
class _Definition:
    """Content of a model or database."""

    kind: str
    rigs: ColmapRigs
    names: Mapping[int, str]
    """Image id -> name."""
    camera_ids: Mapping[int, int]
    """Image id -> camera id."""
    cameras: Mapping[int, Camera]


def read_rig_images(
    path: Path, image_folder: Path, names: Collection[str] | None = None
) -> RigImages:
    """Read which photos of a folder belong together.

    The photos are those that a model or database lists. If none of them is asked for, its rigs are
    applied to the photos in folders of the same names, like those of a rig_config.json.

    Args:
        path: definition of the rigs.
        image_folder: folder of the photos.
        names: photos that are asked for; None for all of the definition, else all of the folder.

    Raises:
        FormatError: no definition of rigs, a damaged one, or one of other photos.
    """
    if not path.exists():
        raise FormatError(f"{path} does not exist")
    if path.is_file() and path.suffix.lower() == ".json":
        wanted = list_images(image_folder) if names is None else names
        return _by_prefix("rig_config.json", path, read_rig_config(path), image_folder, wanted)
    found = _read_definition(path)
    return _of_listed(found, image_folder, names) or _of_other_photos(
        found, path, image_folder, names
    )


def _read_definition(path: Path) -> _Definition:
    """Rigs of a model or database.

    Raises:
        FormatError: neither is there, or it has no rigs.
    """
    if path.is_dir():
        folder = find_model(path)
        model = read_model(folder)
        suffix = ".bin" if (folder / "images.bin").is_file() else ".txt"
        files = rig_paths(folder, suffix)
        if files is None:
            raise FormatError(
                f"{folder} has no rigs: expected rigs{suffix} and frames{suffix}, which COLMAP "
                f"writes from 3.12 on"
            )
        return _Definition(
            "COLMAP model", read_rig_files(*files),
            {image.image_id: image.name for image in model.images},
            {image.image_id: image.camera_id for image in model.images}, model.cameras,
        )  # fmt: skip
    if not signs.is_sqlite(path):
        raise FormatError(f"{path} defines no rigs: expected {KNOWN}")
    with ColmapDatabase(path) as database:
        images, rigs = database.images, database.rigs()
    if not rigs.rigs:
        raise FormatError(f"{path} has no rigs: expected those of COLMAP from 3.12 on")
    return _Definition(
        "COLMAP database", rigs,
        {image_id: name for name, image_id in images.image_ids.items()},
        {image_id: images.camera_ids[name] for name, image_id in images.image_ids.items()},
        {images.camera_ids[name]: camera for name, camera in images.cameras.items()},
    )  # fmt: skip


def _of_listed(
    found: _Definition, image_folder: Path, names: Collection[str] | None
) -> RigImages | None:
    """Frames of the photos that a definition lists; None if none of them is asked for."""
    cameras = {name: found.cameras[found.camera_ids[i]] for i, name in found.names.items()}
    try:
        known, notes = names_in_folder(
            PosedImages(model=posed_model({}, {}), cameras=cameras), image_folder
        )
    except FormatError:  # none of them is there
        return None
    if names is not None:
        wanted = set(names)
        known = {name: here for name, here in known.items() if here in wanted}
    if not known:
        return None
    frames: list[dict[str, Rigid3]] = []
    unknown = 0
    for frame in found.rigs.frames.values():
        together: dict[str, Rigid3] = {}
        for camera_id, image_id in frame.image_ids.items():
            name = known.get(found.names.get(image_id, ""))
            pose = found.rigs.rigs[frame.rig_id][camera_id]
            if name is not None and pose is not None:
                together[name] = pose
            unknown += name is not None and pose is None
        frames += [together] if together else []
    return RigImages(
        kind=found.kind, names=tuple(known.values()), frames=tuple(frames),
        cameras={known[name]: camera for name, camera in cameras.items() if name in known},
        notes=(*found.rigs.notes, *notes, *_unmounted(unknown)),
    )  # fmt: skip


def _of_other_photos(
    found: _Definition, path: Path, image_folder: Path, names: Collection[str] | None
) -> RigImages:
    """Frames of photos that a definition does not list, by the folders of its cameras."""
    configs = config_of_rigs(found.rigs, found.names, found.cameras)
    wanted = list_images(image_folder) if names is None else names
    first = next(iter(found.names.values()), "")
    if not any(frames_of_names(configs, wanted)):
        prefixes = [camera.image_prefix for rig in configs for camera in rig]
        raise FormatError(
            f"{path} is of other photos, first {first!r}, and no photo is in a folder of its "
            f"cameras ({', '.join(prefixes) or 'which have none of their own'}): give a "
            f"rig_config.json with prefixes of these names, such as {next(iter(wanted), '')!r}"
        )
    result = _by_prefix(found.kind, path, configs, image_folder, wanted)
    note = "its images are others: photos are taken together by the folders of its cameras"
    return replace(result, notes=(*found.rigs.notes, note, *result.notes))


def _by_prefix(
    kind: str,
    path: Path,
    rigs: Sequence[ConfigRig],
    image_folder: Path,
    names: Collection[str],
) -> RigImages:
    """Frames of photos whose names have the prefixes of cameras."""
    frames: list[dict[str, Rigid3]] = []
    cameras: dict[str, Camera] = {}
    unknown = 0
    for frame in frames_of_names(rigs, names):
        mounted = {n: c.cam_from_rig for n, c in frame.items() if c.cam_from_rig is not None}
        unknown += len(frame) - len(mounted)
        frames += [mounted] if mounted else []
        for name, camera in frame.items():
            given = _camera_of(camera, image_folder / name, str(path))
            if given is not None:
                cameras[name] = given
    if not frames:
        prefixes = ", ".join(camera.image_prefix for rig in rigs for camera in rig)
        raise FormatError(
            f"{path}: none of the {len(names)} photos begins with a prefix of a camera whose pose "
            f"is known ({prefixes}), first {next(iter(names), '')!r}"
        )
    notes = tuple(_unmounted(unknown))
    return RigImages(
        kind=kind, names=tuple(names), frames=tuple(frames), cameras=cameras, notes=notes
    )


def _camera_of(camera: ConfigCamera, photo: Path, where: str) -> Camera | None:
    """Intrinsics that a rig_config.json gives for a photo; None if there are none, or no photo."""
    if camera.model is None or camera.params is None or not is_file(photo):
        return None
    width, height = camera.size or upright_size(photo)
    try:
        return check_camera(Camera(camera.model, width, height, camera.params))
    except FormatError as error:
        raise FormatError(f"{where}: camera {camera.image_prefix!r}: {error}") from None


def _unmounted(count: int) -> list[str]:
    if not count:
        return []
    return [f"{counted(count, 'photo')} of cameras whose pose on the rig is unknown: each is alone"]
