"""Groups of images in hloc's feature files."""

from __future__ import annotations

from pathlib import Path

import h5py

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.h5 import (
    finite_float32,
    groups_with,
    open_h5,
    own_group,
    own_numbers,
)
from hloc_lite.formats.hloc.names import check_stored_name
from hloc_lite.types import Float32


def open_images(path: Path, marker: str) -> tuple[h5py.File, dict[str, None]]:
    """Open a file; return it with the names of the images that have a dataset ``marker``.

    Raises:
        FormatError: no HDF5 file, or names that are no image names.
    """
    file = open_h5(path)
    try:
        names = [check_stored_name(n, str(path)) for n in groups_with(file, path, marker)]
    except FormatError:
        file.close()
        raise
    return file, dict.fromkeys(names)


def new_image_group(file: h5py.File, path: Path, name: str) -> h5py.Group:
    """Create the group of an image.

    Raises:
        FormatError: a name that such a file cannot hold, or that is taken.
    """
    check_stored_name(name, str(path))
    try:
        return file.create_group(name)
    except (ValueError, TypeError):  # h5py's for a name that is taken, also by a dataset
        raise FormatError(
            f"{path}: image {name!r} is given twice, or its name continues that of another image"
        ) from None


def image_group(file: h5py.File, path: Path, name: str) -> h5py.Group:
    """Group of an image.

    Raises:
        FormatError: it is missing, or a link.
    """
    group = own_group(file, path, name)
    if group is None:
        raise FormatError(f"{path}: image {name!r} is missing")
    return group


def optional_numbers(group: h5py.Group, path: Path, field: str, num_axes: int) -> Float32 | None:
    """Field as finite float32; None if the group has no such dataset.

    Raises:
        FormatError: another number of axes, or values that are not finite numbers.
    """
    values = own_numbers(group, path, field)
    if values is None:
        return None
    where = f"{path}: {group.name}/{field}"
    if values.ndim != num_axes:
        raise FormatError(f"{where}: expected {num_axes} axes, got {values.shape}")
    return finite_float32(values, where)
