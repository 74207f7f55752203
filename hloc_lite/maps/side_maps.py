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
from hloc_lite.maps.folder import CALIBRATION, FILES, GEOREFERENCE, SIDE_MAPS
from hloc_lite.maps.map import Map


def side_map_name(number: int) -> str:
    """Folder of a side map, relative to the map that it belongs to."""
    return f"{SIDE_MAPS}/{number}"


def add_side_maps(folder: Path, maps: Sequence[Map]) -> list[Path]:
    """Write side maps beside those of the map that is still there, best first.

    Returns:
        Their folders, for ``replace_side_maps`` once their own map is written. Whenever a process
        is killed, each map has its side maps: they are told by their fingerprint.

    Raises:
        HlocLiteError: the folder cannot be written.
    """
    last = max((int(each.name) for each in _numbered(folder)), default=0)
    added = [folder / side_map_name(last + 1 + number) for number in range(len(maps))]
    for each, path in zip(maps, added, strict=True):
        each.save(path)
    return added


def replace_side_maps(folder: Path, added: Sequence[Path]) -> None:
    """Delete all side maps in a map folder but those added, and number these from 1."""
    for each in _numbered(folder):
        if each not in added:
            delete_files(each / STAGED, FILES)
            delete_files(each, ["map.json", *FILES, GEOREFERENCE, CALIBRATION])
    for number, each in enumerate(added, start=1):
        with suppress(OSError):  # a folder with files of the user is in the way
            each.rename(folder / side_map_name(number))
    with suppress(OSError):  # there is none, or it holds other files
        (folder / SIDE_MAPS).rmdir()


def side_map_folders(folder: Path) -> list[Path]:
    """Folders of the side maps that belong to the map in a folder, best first."""
    own = read_json_object(folder / "map.json").get("fingerprint")
    return [
        each
        for each in _numbered(folder)
        if own is not None and read_json_object(each / "map.json").get("fingerprint") == own
    ]


def _numbered(folder: Path) -> list[Path]:
    parent = folder / SIDE_MAPS
    if not parent.is_dir():
        return []
    found = [each for each in parent.iterdir() if each.name.isdecimal() and each.is_dir()]
    return sorted(found, key=lambda each: int(each.name))
