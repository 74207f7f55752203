"""Which photos are asked for on the command line, and with which intrinsics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hloc_lite.errors import HlocLiteError

if TYPE_CHECKING:
    from hloc_lite.types import Camera


def queries_of(
    photos: tuple[Path, ...],
    images: Path | None,
    queries: tuple[Path, ...],
    camera: str | None,
) -> dict[str, Camera | None]:
    """Query name -> its intrinsics, None where they are not given.

    Args:
        photos: single ones, or none where ``images`` is given.
        images: folder of the queries.
        queries: lists of them; none: all images of the folder.
        camera: intrinsics of the single ones, "MODEL W H params...".

    Raises:
        HlocLiteError: no such folder, no query, or a list that cannot be read or contradicts
            another one.
    """
    from hloc_lite.formats.hloc_lists import parse_camera
    from hloc_lite.io.image_names import check_relative, is_unicode, list_images
    from hloc_lite.io.image_sources import check_image_folder

    if images is None:
        known = None if camera is None else parse_camera(camera, "--camera")
        for photo in photos:
            if not is_unicode(str(photo)):
                raise HlocLiteError(f"the file name {str(photo)!r} is not UTF-8: rename it")
        return dict.fromkeys((str(photo) for photo in photos), known)
    check_image_folder(images)
    found = _listed(queries) if queries else dict.fromkeys(list_images(images))
    check_relative(found)
    if not found:
        raise HlocLiteError(f"no queries in {', '.join(map(str, queries)) or images}")
    return found


def _listed(files: tuple[Path, ...]) -> dict[str, Camera | None]:
    """The queries of all lists; one may be in several, with the same intrinsics."""
    from hloc_lite.formats.hloc_lists import read_queries

    found: dict[str, Camera | None] = {}
    numbers: dict[str, list[object]] = {}
    for file in files:
        for name, camera in read_queries(file).items():
            given = [camera.model, camera.width, camera.height, *camera.params.tolist()]
            if numbers.setdefault(name, given) != given:
                raise HlocLiteError(f"{file}: {name!r} has other intrinsics than in another list")
            found[name] = camera
    return found
