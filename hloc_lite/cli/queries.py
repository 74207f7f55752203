"""Queries on the command line: single photos or a folder, and their intrinsics."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hloc_lite.cli.options import note
from hloc_lite.cli.references import read_cameras
from hloc_lite.config import ImagesConfig
from hloc_lite.errors import HlocLiteError, counted
from hloc_lite.formats.hloc_lists import parse_camera
from hloc_lite.formats.rig_images import read_rig_images
from hloc_lite.io.image_names import check_relative, is_unicode, list_images
from hloc_lite.io.image_sources import (
    FileSource,
    FolderSource,
    ImageSource,
    check_image_folder,
)
from hloc_lite.types import Camera, Rigid3


@dataclass(frozen=True)
class QuerySet:
    """Queries of one run."""

    folder: Path | None
    """Folder that the names are relative to; None if they are paths of single photos."""
    cameras: Mapping[str, Camera | None]
    """Name -> intrinsics; None if not given."""
    rejected: Mapping[str, HlocLiteError]
    """Names that the poses file cannot store -> the error."""

    @property
    def accepted(self) -> dict[str, Camera | None]:
        """Queries to localize: name -> intrinsics."""
        return {name: camera for name, camera in self.cameras.items() if name not in self.rejected}

    def source(self, config: ImagesConfig) -> ImageSource:
        """Source of the photos to localize."""
        if self.folder is None:
            return FileSource(tuple(self.accepted), config)
        return FolderSource(self.folder, tuple(self.accepted), config)

    @property
    def files(self) -> list[Path]:
        """Paths of all photos."""
        return [(self.folder or Path()) / name for name in self.cameras]


def read_queries(
    photos: Sequence[Path],
    images: Path | None,
    lists: Sequence[Path],
    camera: str | None,
    rig: Path | None,
) -> tuple[dict[str, Camera | None], tuple[Mapping[str, Rigid3], ...]]:
    """Return the intrinsics of each query, and the frames of the queries that rigs took.

    Args:
        photos, images, lists, camera: as for ``read_query_cameras``.
        rig: definition of rigs, which is said; None without rigs. Intrinsics of the lists count
            more than its own.

    Returns:
        Query name -> intrinsics (None if not given), and for each frame query name ->
        cam_from_rig.

    Raises:
        HlocLiteError: as ``read_query_cameras``, or no photo was taken together with another one.
    """
    if rig is None or images is None:
        return read_query_cameras(photos, images, lists, camera), ()
    check_image_folder(images)
    listed = read_query_cameras(photos, images, lists, camera) if lists else None
    found = read_rig_images(rig, images, listed)
    if listed is None:
        cameras = {name: found.cameras.get(name) for name in found.names}
    else:
        cameras = {name: given or found.cameras.get(name) for name, given in listed.items()}
    together = [len(frame) for frame in found.frames if len(frame) > 1]
    note(
        f"{rig}: {found.kind}, {counted(len(together), 'frame')} of several photos, with "
        f"{sum(together)} of the {counted(len(cameras), 'photo')}"
    )
    for sentence in found.notes:
        note(f"{rig}: {sentence}")
    if not together:
        raise HlocLiteError(
            f"{rig}: no two of the {len(cameras)} photos were taken at one time: leave out --rig "
            f"to localize them one by one"
        )
    in_rigs = (cameras[name] for frame in found.frames if len(frame) > 1 for name in frame)
    guesses = sum(each is not None and not each.has_prior_focal for each in in_rigs)
    if guesses:
        note(
            f"{rig}: the focal lengths of {counted(guesses, 'photo')} are guesses, which are kept "
            f"in rigs: better give true ones with --queries"
        )
    check_relative(cameras)
    return cameras, found.frames


def read_query_cameras(
    photos: Sequence[Path],
    images: Path | None,
    lists: Sequence[Path],
    camera: str | None,
) -> dict[str, Camera | None]:
    """Return the intrinsics of each query by name; None if they are not given.

    Args:
        photos: single photos; unused if ``images`` is given.
        images: folder of the queries.
        lists: query lists with intrinsics; none for all images of the folder.
        camera: intrinsics of the single photos, "MODEL W H params...".

    Raises:
        HlocLiteError: no such folder, no query, none of the listed photos exists, or a
            list that cannot be read or contradicts another one.
    """
    if images is None:
        intrinsics = None if camera is None else parse_camera(camera, "--camera")
        for photo in photos:
            if not is_unicode(str(photo)):
                raise HlocLiteError(f"the file name {str(photo)!r} is not UTF-8: rename it")
        return dict.fromkeys((str(photo) for photo in photos), intrinsics)
    check_image_folder(images)
    cameras = _read_lists(lists, images) if lists else dict.fromkeys(list_images(images))
    check_relative(cameras)
    if not cameras:
        raise HlocLiteError(f"no queries in {', '.join(map(str, lists)) or images}")
    if not any(os.path.isfile(images / name) for name in cameras):
        raise HlocLiteError(
            f"none of the {len(cameras)} queries is in {images}, first {next(iter(cameras))!r}: "
            f"names of a list are paths relative to --images"
        )
    return cameras


def _read_lists(files: Sequence[Path], images: Path) -> dict[str, Camera | None]:
    """Join query lists; a query may be in several, with the same intrinsics."""
    cameras: dict[str, Camera | None] = {}
    values: dict[str, list[object]] = {}
    for file in files:
        for name, camera in read_cameras(file, images).items():
            given = [camera.model, camera.width, camera.height, *camera.params.tolist()]
            if values.setdefault(name, given) != given:
                raise HlocLiteError(
                    f"{file}: the intrinsics of {name!r} differ from those in another list"
                )
            cameras[name] = camera
    return cameras
