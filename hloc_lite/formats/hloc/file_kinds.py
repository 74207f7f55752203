"""Kinds of HDF5 files of hloc, told by their first group."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import h5py

from hloc_lite.formats.hloc.h5 import MAX_DEPTH, open_h5, reading


class FileKind(StrEnum):
    """Kind of a file, by the dataset that marks it."""

    FEATURES = "keypoints"
    GLOBAL_DESCRIPTORS = "global_descriptor"
    MATCHES = "matches0"


def file_kind(path: Path) -> FileKind | None:
    """Kind of a file; None if it is none of hloc's.

    Raises:
        FormatError: no HDF5 file.
    """
    with open_h5(path) as file, reading(path, "its first group"):
        group: h5py.Group = file
        for _ in range(MAX_DEPTH):
            names = [n for n in group if isinstance(group.get(n, getlink=True), h5py.HardLink)]
            kinds = {name: group.get(name, getclass=True) for name in names}
            datasets = {name for name, kind in kinds.items() if kind is h5py.Dataset}
            found = next((each for each in FileKind if each.value in datasets), None)
            inner = [name for name, kind in kinds.items() if kind is h5py.Group]
            if found is not None or not inner:
                return found
            group = group[inner[0]]
    return None
