"""Photos of a map's images for the page: read from a folder that the operator names, reduced."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ConfigError, ImageError
from hloc_lite.io.image_names import check_relative
from hloc_lite.io.image_sources import FolderSource, check_image_folder
from hloc_lite.scene import SfmModel
from hloc_lite.serve.problems import Problem

JPEG_QUALITY = 85


def map_photo_source(folder: Path, model: SfmModel, config: ImagesConfig) -> FolderSource:
    """Source of the photos of a map's images.

    Args:
        folder: the folder that the map was built from, as the operator names it. The one that a map
            records is not used: a map from somebody else could name any folder.

    Raises:
        ImageError: no such folder, or a name in the map that leads out of it.
    """
    check_image_folder(folder)
    names = tuple(image.name for image in model.images)
    check_relative(names)
    return FolderSource(folder, names, config)


def photo_jpeg(source: FolderSource | None, name: str, max_side_px: int) -> bytes:
    """Encode a map photo as JPEG, reduced and without metadata.

    Raises:
        Problem: photos are not served, no such image in the map, or it cannot be read (404).
    """
    if source is None:
        raise _missing("the photos of this map are not served; see hloc-lite serve --photos")
    if name not in source.names:
        raise _missing(f"the map has no image {name[:80]!r}")
    try:
        pixels = source.load(name).pixels
    except ImageError:
        raise _missing(f"the photo of {name[:80]!r} cannot be read on the server") from None
    image = Image.fromarray(pixels)
    image.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def parse_photo_arguments(arguments: Sequence[str], maps: Mapping[str, Path]) -> dict[str, Path]:
    """Map name -> photo folder, from ``NAME=FOLDER``, or ``FOLDER`` where there is one map.

    Raises:
        ConfigError: no map of that name, a map given twice, no name among several maps, no folder.
    """
    folders: dict[str, Path] = {}
    for argument in arguments:
        name, separator, path = argument.partition("=")
        if not separator or os.path.exists(argument):
            path, name = argument, next(iter(maps)) if len(maps) == 1 else ""
        if name not in maps:
            raise ConfigError(
                f"--photos {argument}: expected NAME=FOLDER with the name of a served map: "
                f"{', '.join(maps)}"
            )
        if name in folders:
            raise ConfigError(f"--photos: the photos of map {name!r} are given twice")
        if not os.path.isdir(path):
            raise ConfigError(f"--photos {argument}: the folder {path} does not exist")
        folders[name] = Path(path)
    return folders


def _missing(reason: str) -> Problem:
    return Problem(404, "no_photo", reason)
