"""Known poses and intrinsics given on the command line, in any known format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hloc_lite.cli.options import note
from hloc_lite.errors import ConfigError, FormatError

if TYPE_CHECKING:
    from hloc_lite.formats.posed_images import PosedImages
    from hloc_lite.maps.georeference import Georeference
    from hloc_lite.scene import SfmModel
    from hloc_lite.types import Camera


def read_reference(
    path: Path, images: Path, cameras_file: Path | None = None, kind: str | None = None
) -> tuple[SfmModel, bool, Georeference | None]:
    """Read known poses: a map of ours, or a file or folder of any known kind, which is said.

    Args:
        path: poses.
        images: folder of the photos, which the names of the model become relative to.
        cameras_file: intrinsics, for kinds of poses that have none, or no image sizes.
        kind: kind of the poses if the user states it; see ``recognition.recognize``.

    Returns:
        The model, True if it is known to be in metres, and the georeference of a map.

    Raises:
        ConfigError: intrinsics are given, but the poses come with their own.
        FormatError: no poses there, no intrinsics, or none of the images is in the folder.
    """
    from hloc_lite.formats.recognition import recognize
    from hloc_lite.maps.map import Map

    is_map = kind is None and _is_map(path)
    if cameras_file is not None:
        found = None if is_map else recognize(path, kind)
        if found is None or not (found.needs_cameras or found.takes_cameras):
            raise ConfigError(f"--reference {path} already has the cameras: omit --cameras")
    if is_map:
        reference = Map.open(path)
        return reference.model, reference.metres_per_unit == 1.0, reference.georeference
    cameras = None if cameras_file is None else read_cameras(cameras_file, None)
    posed = _recognized(path, images, cameras, kind)
    if not posed.model.images:
        raise FormatError(
            f"{path} has intrinsics, but no poses: give it with --cameras, or give poses"
        )
    return posed.model, posed.is_metric, None


def read_cameras(path: Path, images: Path | None) -> dict[str, Camera]:
    """Read intrinsics by image name from a file or folder of any known kind.

    Args:
        path: intrinsics. The line ``*`` of a list holds for all photos that it does not name.
        images: folder of the photos, which names become relative to; None to take them as they are.

    Raises:
        FormatError: no intrinsics there.
    """
    from hloc_lite.formats.hloc_lists import read_queries
    from hloc_lite.formats.intrinsics_notes import exif_notes, size_notes
    from hloc_lite.formats.recognition import INTRINSICS_LIST, read_posed_images, recognize

    # an empty or damaged list: its error names the line
    if path.suffix.lower() == ".txt" and path.is_file() and not _is_recognized(path):
        return read_queries(path)
    if recognize(path).kind == INTRINSICS_LIST:
        cameras = _for_all_images(read_queries(path), images)
        _say(path, [*size_notes(cameras), *(exif_notes(cameras, images) if images else ())])
        return cameras
    if images is not None and images.is_dir():
        return dict(_recognized(path, images, None).cameras)
    return dict(read_posed_images(path).posed.cameras)


def read_model_or_map(folder: Path) -> SfmModel:
    """Read the model of a map, or a model of any known kind.

    Raises:
        FormatError: neither is there.
    """
    from hloc_lite.formats.recognition import read_posed_images
    from hloc_lite.maps.map import Map

    if _is_map(folder):
        return Map.open(folder).model
    return read_posed_images(folder).posed.model


def _is_map(path: Path) -> bool:
    from hloc_lite.io.staging import HEADER, current_file

    return current_file(path, HEADER).is_file()


def _is_recognized(path: Path) -> bool:
    from hloc_lite.formats.recognition import recognize

    try:
        recognize(path)
    except FormatError:
        return False
    return True


def _for_all_images(cameras: dict[str, Camera], images: Path | None) -> dict[str, Camera]:
    """Intrinsics by name, with those of ``*`` for all photos of the folder without their own."""
    from hloc_lite.formats.given_intrinsics import ANY_IMAGE
    from hloc_lite.io.image_names import list_images

    if ANY_IMAGE not in cameras or images is None or not images.is_dir():
        return cameras
    shared = cameras.pop(ANY_IMAGE)
    return {**dict.fromkeys(list_images(images), shared), **cameras}


def _recognized(
    path: Path, images: Path, cameras: Mapping[str, Camera] | None, kind: str | None = None
) -> PosedImages:
    """Read a file or folder, say what it is, and name its images as the image folder does."""
    from hloc_lite.formats.intrinsics_notes import exif_notes
    from hloc_lite.formats.recognition import COLMAP_MODEL, read_posed_images
    from hloc_lite.formats.renamed_images import named_in_folder

    found = read_posed_images(path, images if images.is_dir() else None, cameras, kind)
    posed = found.posed
    if not posed.cameras:
        raise FormatError(f"{path}: the reference model has no images: expected some with poses")
    if images.is_dir():
        posed = named_in_folder(posed, images)
    if found.kind != COLMAP_MODEL:
        note(f"{path}: {found.kind}, {len(posed.cameras)} images, {len(posed.model.images)} poses")
    _say(path, [*posed.notes, *(exif_notes(posed.cameras, images) if images.is_dir() else ())])
    return posed


def _say(path: Path, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        note(f"{path}: {sentence}")
