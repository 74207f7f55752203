"""Side maps: the other models of a map from scratch, each a complete map in MAP/models/NUMBER.

The best model is MAP itself. The others follow as 1, 2, ... best first, with the fingerprint of
MAP. They have coordinates of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hloc_lite.io.files import read_json_object
from hloc_lite.io.staging import STAGED, delete_files
from hloc_lite.maps.folder import FILES, GEOREFERENCE, SIDE_MAPS
from hloc_lite.maps.map import Map


def side_map_name(number: int) -> str:
    """Folder of a side map, relative to the map that it belongs to."""
    return f"{SIDE_MAPS}/{number}"


def save_side_maps(folder: Path, maps: Sequence[Map]) -> None:
    """Replace the side maps in a map folder by these, best first.

    Raises:
        MappingError: a subfolder holds other files than a map.
        HlocLiteError: the folder cannot be written.
    """
    delete_side_maps(folder)
    for number, each in enumerate(maps, start=1):
        each.save(folder / side_map_name(number))


def side_map_folders(folder: Path) -> list[Path]:
    """Folders of the side maps that belong to the map in a folder, best first."""
    own = read_json_object(folder / "map.json").get("fingerprint")
    return [
        each
        for each in _numbered(folder)
        if own is not None and read_json_object(each / "map.json").get("fingerprint") == own
    ]


def delete_side_maps(folder: Path) -> None:
    """Delete the side maps in a map folder, and no other files."""
    for each in _numbered(folder):
        delete_files(each / STAGED, FILES)
        delete_files(each, ["map.json", *FILES, GEOREFERENCE])
    with suppress(OSError):  # there is none, or it holds other files
        (folder / SIDE_MAPS).rmdir()


def _numbered(folder: Path) -> list[Path]:
    parent = folder / SIDE_MAPS
    if not parent.is_dir():
        return []
    found = [each for each in parent.iterdir() if each.name.isdecimal() and each.is_dir()]
    return sorted(found, key=lambda each: int(each.name))
