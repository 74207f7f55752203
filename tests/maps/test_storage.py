"""Map folders: what writing replaces, and which files reading refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError, HlocLiteError, MappingError
from hloc_lite.maps.map import Map


def fail_to_write(*_: object) -> None:
    raise HlocLiteError("the disk is full")


def test_round_trip(labelled_map: Map, tmp_path: Path) -> None:
    labelled_map.save(tmp_path / "map")
    found = Map.open(tmp_path / "map")
    assert found.fingerprint == labelled_map.fingerprint and found.config == labelled_map.config
    assert found.report == labelled_map.report and found.weights == labelled_map.weights
    assert np.array_equal(found.model.xyz, labelled_map.model.xyz)
    assert np.array_equal(found.landmark_labels.labels, labelled_map.landmark_labels.labels)
    assert np.array_equal(found.global_descriptors, labelled_map.global_descriptors)
    assert np.array_equal(found.retrieval_state["learned"], np.ones((2, 3)))


def test_a_trusted_map_has_the_photos_of_its_folder(exact_map, tmp_path: Path) -> None:
    scene, sfm_map = exact_map
    assert sfm_map.photos is None  # it was built from arrays
    scene.write_images(tmp_path / "images", {"map 4.png": 4})
    report = {**sfm_map.report, "images_folder": str(tmp_path / "images")}
    replace(sfm_map, report=report).save(tmp_path / "map")
    photos = Map.open(tmp_path / "map", trust=True).photos
    assert np.array_equal(photos.load("map 4.png").pixels, scene.image(4))


def test_saving_removes_what_a_killed_run_left(exact_map, tmp_path: Path) -> None:
    left = [tmp_path / "map/.new/.features.h5.0.partial", tmp_path / "map/.new/sfm/cameras.bin"]
    exact_map[1].save(tmp_path / "map")
    other = tmp_path / "map/another map/work/.shard.h5.0.partial"  # another run writes to it
    for path in (*left, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    exact_map[1].save(tmp_path / "map")
    assert not any(path.exists() for path in left) and other.exists()


def test_old_map_stays_if_the_new_one_cannot_be_written(exact_map, tmp_path, monkeypatch) -> None:
    _, sfm_map = exact_map
    sfm_map.save(tmp_path / "map")

    monkeypatch.setattr("hloc_lite.maps.saving.write_bank", fail_to_write)
    with pytest.raises(HlocLiteError, match="full"):
        replace(sfm_map, fingerprint="0123").save(tmp_path / "map")
    assert Map.open(tmp_path / "map").fingerprint == sfm_map.fingerprint


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("num_moved", [0, 1, 5, 8])
def test_a_map_whose_moves_were_interrupted_is_not_lost(
    exact_map, tmp_path: Path, monkeypatch, interruption, num_moved: int
) -> None:
    """It opens; the next save moves the rest, even if that save then fails itself."""
    _, sfm_map = exact_map
    folder, moved, move = tmp_path / "map", [], Path.replace
    sfm_map.save(folder)

    def move_some(path: Path, target: Path) -> Path:
        if path.parent == target.parent:  # within the staging folder
            return move(path, target)
        if len(moved) == num_moved:
            raise interruption
        moved.append(target)
        return move(path, target)

    with monkeypatch.context() as patch, pytest.raises((interruption, HlocLiteError)):
        patch.setattr(Path, "replace", move_some)
        replace(sfm_map, fingerprint="0123").save(folder)
    assert Map.open(folder).fingerprint == "0123"
    with monkeypatch.context() as patch, pytest.raises(HlocLiteError, match="full"):
        patch.setattr("hloc_lite.maps.saving.write_bank", fail_to_write)
        sfm_map.save(folder)
    assert Map.open(folder).fingerprint == "0123" and not (folder / ".new").exists()


def test_folder_with_other_files_is_not_written_to(exact_map, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("mine")
    with pytest.raises(MappingError, match="not empty and holds no map"):
        exact_map[1].save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text() == "mine"


@pytest.mark.parametrize("name", ["features.h5", "retrieval.h5"])
def test_files_of_another_map_are_refused(exact_map, tmp_path: Path, name: str) -> None:
    exact_map[1].save(tmp_path / "map")
    replace(exact_map[1], fingerprint="0123").save(tmp_path / "other")
    (tmp_path / "other" / name).replace(tmp_path / "map" / name)
    with pytest.raises(FormatError, match=f"{name} belongs to another map"):
        Map.open(tmp_path / "map")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("map.json", b"not JSON"), ("features.h5", None), ("features.h5", b""),
        ("landmark_descriptors.npy", None), ("landmark_descriptors.npy", b"short"),
        ("retrieval.h5", None), ("retrieval.h5", b"not HDF5"), ("sfm/images.bin", None),
    ],
)  # fmt: skip
def test_missing_and_damaged_files_are_refused_with_a_remedy(
    exact_map, tmp_path: Path, name: str, damage: bytes | None
) -> None:
    exact_map[1].save(tmp_path / "map")
    (tmp_path / "map" / name).unlink()
    if damage is not None:
        (tmp_path / "map" / name).write_bytes(damage)
    with pytest.raises(FormatError, match=rf"{name}.*build the map again with --overwrite"):
        Map.open(tmp_path / "map")
