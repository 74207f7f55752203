"""Town on disk: its files, and what an interrupted or repeated run keeps."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hloc_lite.errors import HlocLiteError, StaleArtefactError
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc_lists import read_image_list, read_poses, read_queries
from hloc_lite.synthetic import labels
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.dataset import write_dataset
from hloc_lite.synthetic.town import Town
from hloc_lite.synthetic.visibility import View


def _contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_workers_give_the_same_bytes_and_import_nothing_of_the_current_folder(
    folder: Path, tmp_path: Path, config: TownConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('hostile')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    again = write_dataset(Path("two"), config, jobs=2)
    assert _contents(again) == _contents(folder)
    assert not list(again.glob(".workers-*"))


def test_labels_are_valid_and_varied(folder: Path, config: TownConfig) -> None:
    found: set[int] = set()
    for path in (folder / "labels").rglob("*.png"):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image.shape == (config.height, config.width)
        found |= {int(value) for value in np.unique(image)}
    assert found <= set(labels.LEGAL)
    assert {labels.ROAD, labels.SIDEWALK, labels.BUILDING, labels.SKY} <= found


def test_only_sky_has_no_depth(folder: Path) -> None:
    for path in (folder / "labels").rglob("*.png"):
        label_map = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        depth_path = folder / "depth" / path.relative_to(folder / "labels")
        depth = cv2.imread(str(depth_path), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16
        assert (depth[label_map == labels.SKY] == 0).all()
        near = (label_map == labels.ROAD) | (label_map == labels.CAR)
        assert (depth[near] > 0).mean() > 0.9


def test_files_can_be_read_back(
    folder: Path, config: TownConfig, planned: tuple[Town, list[View]]
) -> None:
    views = {view.name: view for view in planned[1]}
    names = read_image_list(folder / "map_images.txt")
    model = read_model(folder / "model")
    assert [image.name for image in model.images] == sorted(names)
    assert len(names) == config.num_map
    for image in model.images:
        expected = views[image.name].cam_from_world
        np.testing.assert_allclose(image.cam_from_world.rotation, expected.rotation, atol=1e-12)
        np.testing.assert_allclose(image.cam_from_world.center, expected.center, atol=1e-9)
    for condition in config.conditions:
        queries = read_queries(folder / f"queries_{condition}.txt")
        poses = read_poses(folder / f"gt_{condition}.txt")
        assert list(queries) == list(poses)
        assert len(queries) == config.num_queries
        for name, camera in queries.items():
            np.testing.assert_array_equal(camera.params, views[name].camera.params)
            assert (folder / "images" / name).is_file()
            assert (folder / "depth" / f"{name}.png").is_file()
    record = json.loads((folder / "town.json").read_text())
    assert record["counts"] == {"map": 8, "day": 2, "night": 2, "changed": 2}
    assert record["complete"] is True


def test_only_missing_images_are_rendered(folder: Path, tmp_path: Path, config: TownConfig) -> None:
    before = _contents(folder)
    missing = folder / "depth" / "map" / "0003.jpg.png"
    kept = folder / "images" / "map" / "0002.jpg"
    stamp = kept.stat().st_mtime_ns
    missing.unlink()
    write_dataset(folder, config, jobs=1)
    assert kept.stat().st_mtime_ns == stamp
    assert _contents(folder) == before


def test_folder_with_another_config_is_refused(folder: Path, config: TownConfig) -> None:
    other = config.model_copy(update={"seed": 8})
    with pytest.raises(StaleArtefactError, match=r"fingerprint is [0-9a-f]{16}, expected"):
        write_dataset(folder, other)


def test_folder_with_other_files_is_refused(tmp_path: Path, config: TownConfig) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"photo")
    with pytest.raises(HlocLiteError, match=r"no town\.json"):
        write_dataset(tmp_path, config)
    assert (tmp_path / "holiday.jpg").read_bytes() == b"photo"


def test_overwrite_deletes_the_lists_of_the_old_town(tmp_path, monkeypatch):
    monkeypatch.setattr("hloc_lite.synthetic.dataset.plan_dataset", lambda _: (None, []))
    write_dataset(tmp_path / "town", TownConfig(conditions=("day", "night")))
    write_dataset(tmp_path / "town", TownConfig(conditions=("day",)), overwrite=True)
    lists = sorted(path.name for path in (tmp_path / "town").glob("*_*.txt"))
    assert lists == ["gt_day.txt", "map_images.txt", "queries_day.txt"]


def test_overwrite_deletes_the_old_town_and_nothing_else(tmp_path, monkeypatch):
    """Images of the old town are deleted; other files are kept."""
    folder = tmp_path / "town"
    monkeypatch.setattr("hloc_lite.synthetic.dataset.plan_dataset", lambda _: (None, []))
    monkeypatch.setattr("hloc_lite.synthetic.dataset._write_lists", lambda *_: None)
    write_dataset(folder, TownConfig())
    old = ["map/0000.jpg", "query/night/0001.jpg"]
    ours = [folder / "images" / name for name in old]
    ours += [folder / kind / f"{name}.png" for kind in ("depth", "labels") for name in old]
    foreign = [
        folder / name
        for name in ("depth/mine.png", "depth/map/0077.jpg.png", "images/map/me.jpg",
                     "labels/x/y.txt", "model/notes.txt", "queries_mine.txt", "gt_mine.txt")
    ]  # fmt: skip
    outside = tmp_path / "outside.jpg"
    for path in [*ours, *foreign, outside]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "map_images.txt").write_text("map/0000.jpg\nmap/me.jpg\n")
    (folder / "queries_night.txt").write_text(f"{old[1]} SIMPLE_PINHOLE 64 48 60 32 24\n")
    write_dataset(folder, TownConfig(seed=8), overwrite=True)
    assert [path for path in ours if path.exists()] == []
    assert [path for path in [*foreign, outside] if not path.exists()] == []
    assert not (folder / "queries_night.txt").exists()
    assert not (folder / "images" / "query").exists()
