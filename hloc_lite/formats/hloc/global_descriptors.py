"""hloc's files of global descriptors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.formats.hloc.h5 import written_h5
from hloc_lite.formats.hloc.image_groups import (
    image_group,
    new_image_group,
    open_images,
    optional_numbers,
)
from hloc_lite.types import Float32


def global_descriptor_names(path: Path) -> tuple[str, ...]:
    """Names of the images with a global descriptor; the descriptors are not read.

    Raises:
        FormatError: no HDF5 file, or names that are no image names.
    """
    file, names = open_images(path, "global_descriptor")
    with file:
        return tuple(names)


def read_global_descriptors(path: Path) -> tuple[tuple[str, ...], Float32]:
    """Read all global descriptors of a file, in the order of their names.

    Returns:
        Image names, and (M, D) descriptors.

    Raises:
        FormatError: no HDF5 file, an image of another layout or length, or no image.
    """
    file, names = open_images(path, "global_descriptor")
    with file:
        if not names:
            raise FormatError(f"{path}: no image has a dataset 'global_descriptor'")
        rows: list[Float32] = []
        for name in names:
            row = optional_numbers(image_group(file, path, name), path, "global_descriptor", 1)
            if row is None or not len(row) or (rows and len(row) != len(rows[0])):
                raise FormatError(
                    f"{path}: the descriptor of {name!r} has another length than that of "
                    f"{next(iter(names))!r}, or none"
                )
            rows.append(row)
    return tuple(names), np.stack(rows)


def write_global_descriptors(path: Path, names: Iterable[str], descriptors: Float32) -> None:
    """Write the (M, D) global descriptors of M images in hloc's layout.

    Raises:
        ShapeError: the numbers of names and descriptors differ.
        FormatError: a name that hloc cannot store, or a doubled one.
        HlocLiteError: the file cannot be written.
    """
    listed = tuple(names)
    rows = np.asarray(descriptors, np.float32)
    if rows.ndim != 2 or len(rows) != len(listed):
        raise ShapeError(f"expected ({len(listed)}, D) global descriptors, got {rows.shape}")
    with written_h5(path, zip(listed, rows, strict=True)) as (file, checked):
        for name, row in checked:
            new_image_group(file, path, name).create_dataset("global_descriptor", data=row)
