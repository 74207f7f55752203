"""Image names of a data set whose truth is in the names: from its folder, or from a list."""

from __future__ import annotations

from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc_lists import read_image_list
from hloc_lite.io.image_names import list_images, natural_key


def read_listed_names(path: Path) -> list[str]:
    """Image names in natural order.

    Args:
        path: folder of images, with folders in it; or a text file with a name per line, so that the
            images themselves are not needed.

    Raises:
        FormatError: nothing there, no images, or a bad name.
    """
    names = list(list_images(path)) if path.is_dir() else read_image_list(path)
    if not names:
        raise FormatError(f"{path}: expected a folder of images or a list of their names, got none")
    return sorted(names, key=natural_key)
