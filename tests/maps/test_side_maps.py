"""Side maps: whenever a run is killed, the map that is there has its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hloc_lite.maps.map import Map
from hloc_lite.maps.side_maps import add_side_maps, replace_side_maps, side_map_folders


def made_by(sfm_map: Map, run: str) -> Map:
    return replace(sfm_map, fingerprint=run)


def listed(folder: Path) -> list[str]:
    return [each.name for each in side_map_folders(folder)]


def test_side_maps_are_replaced_with_their_map(exact_map, tmp_path: Path) -> None:
    old, new = (made_by(exact_map[1], name * 16) for name in "ab")
    old.save(tmp_path)
    replace_side_maps(tmp_path, add_side_maps(tmp_path, [old, old]))
    assert listed(tmp_path) == ["1", "2"]
    added = add_side_maps(tmp_path, [new])
    assert listed(tmp_path) == ["1", "2"]  # killed here, the old map has both
    new.save(tmp_path)
    assert listed(tmp_path) == ["3"]  # and here the new one has its own
    replace_side_maps(tmp_path, added)
    assert listed(tmp_path) == ["1"]
    assert Map.open(tmp_path / "models" / "1").fingerprint == "b" * 16
    assert sorted(each.name for each in (tmp_path / "models").iterdir()) == ["1"]


def test_a_map_without_side_maps_deletes_those_of_the_old_one(exact_map, tmp_path: Path) -> None:
    old, new = (made_by(exact_map[1], name * 16) for name in "ab")
    old.save(tmp_path)
    replace_side_maps(tmp_path, add_side_maps(tmp_path, [old]))
    new.save(tmp_path)
    replace_side_maps(tmp_path, add_side_maps(tmp_path, []))
    assert not (tmp_path / "models").exists()


def test_files_of_the_user_stay(exact_map, tmp_path: Path) -> None:
    old = exact_map[1]
    old.save(tmp_path)
    replace_side_maps(tmp_path, add_side_maps(tmp_path, [old]))
    (tmp_path / "models/1/notes.txt").write_text("mine")
    replace_side_maps(tmp_path, add_side_maps(tmp_path, [old]))
    assert (tmp_path / "models/1/notes.txt").read_text() == "mine"
    assert listed(tmp_path) == ["2"]  # the place of the first is taken
