"""Building on disk: its files, repeated and interrupted runs, and the layout of InLoc."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hloc_lite.cli.main import main
from hloc_lite.datasets.benchmarks import read_benchmark, write_benchmark
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.datasets.layouts.inloc_files import (
    parse_cutout,
    read_alignment,
    read_cutout_points,
    read_name_list,
    read_scan,
)
from hloc_lite.errors import FormatError, StaleArtefactError
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.scene import SfmModel
from hloc_lite.synthetic.indoor.building import Building
from hloc_lite.synthetic.indoor.capture import Shot
from hloc_lite.synthetic.indoor.config import BuildingConfig
from hloc_lite.synthetic.indoor.dataset import in_world, write_building
from hloc_lite.types import Rigid3

Planned = tuple[Building, list[Shot]]


@pytest.fixture(scope="module")
def layout(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Folder in the layout of InLoc, and the names that images got."""
    root = tmp_path_factory.mktemp("layout") / "inloc"
    return root, write_benchmark("inloc", read_dataset_folder(folder), root)


def _contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_workers_give_the_same_bytes(folder: Path, tmp_path: Path, config: BuildingConfig) -> None:
    again = write_building(tmp_path / "two", config, jobs=2)
    assert _contents(again) == _contents(folder)


def test_a_stopped_run_is_completed_and_another_config_refused(
    folder: Path, tmp_path: Path, config: BuildingConfig
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        write_building(out, config, progress=stop)
    assert not json.loads((out / "building.json").read_text())["complete"]
    finished = {path: path.stat().st_mtime_ns for path in out.glob("images/**/*.jpg")}
    assert len(finished) == 5
    write_building(out, config)
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())
    assert _contents(out) == _contents(folder)
    other = BuildingConfig.model_validate(config.model_dump() | {"seed": 8, "num_queries": 0})
    with pytest.raises(StaleArtefactError, match="holds a building with another config"):
        write_building(out, other)
    (out / "images/map/mine.txt").write_text("keep")
    write_building(out, other.model_copy(update={"num_floors": 1}), overwrite=True)
    assert (out / "images/map/mine.txt").is_file()
    assert not (out / "queries_DUC1.txt").exists()
    assert len(list(out.glob("images/**/*.jpg"))) == 36


def test_files_can_be_read_back(folder: Path, planned: Planned) -> None:
    shots = {shot.name: shot for shot in planned[1]}
    dataset = read_dataset_folder(folder)
    assert list(dataset.queries) == ["DUC1", "DUC2"] and dataset.is_metric
    assert len(dataset.map_image_names) == 72 and dataset.reference is not None
    for image in dataset.reference.images:
        expected = in_world(shots[image.name])
        np.testing.assert_allclose(image.cam_from_world.center, expected.center, atol=1e-9)
    for query in dataset.iter_queries():
        assert query.cam_from_world is not None
        expected = in_world(shots[query.name])
        np.testing.assert_allclose(query.cam_from_world.matrix, expected.matrix, atol=1e-9)
        photo = cv2.imread(str(dataset.image_folder / query.name))
        assert photo.shape[:2] == (query.camera.height, query.camera.width)
        assert max(photo.shape) == 96 and min(photo.shape[:2]) == 72


def test_inloc_is_read_back_with_the_poses_of_the_scans(
    folder: Path, layout: tuple[Path, dict[str, str]]
) -> None:
    """All cutouts of a scan share a station; poses are right in the frame of each floor."""
    root, names = layout
    source = read_dataset_folder(folder).reference
    (found,) = read_benchmark("inloc", root)
    assert found.reference is not None and source is not None
    assert len(found.reference.images) == len(source.images) == 72
    scans: dict[str, set[tuple[float, ...]]] = {}
    frames: dict[str, list[Rigid3]] = {}
    floor_from_world = {each.name: each.frame_from_world for each in found.frames}
    for image in source.images:
        there = found.reference.image_named(names[image.name])
        cutout = parse_cutout(names[image.name])
        assert there is not None and cutout is not None
        assert (root / f"{there.name}.mat").is_file()
        center = tuple(np.round(there.cam_from_world.center, 6) + 0.0)
        scans.setdefault(cutout.alignment, set()).add(center)
        in_floor = floor_from_world[cutout.floor].compose(there.cam_from_world.inverse())
        frame = in_floor.compose(image.cam_from_world)
        frames.setdefault(cutout.floor, []).append(frame)
    assert len(scans) == 2 and all(len(centers) == 1 for centers in scans.values())
    for each in frames.values():
        for frame in each:
            np.testing.assert_allclose(frame.matrix, each[0].matrix, atol=1e-6)
    assert not np.allclose(frames["DUC1"][0].matrix, frames["DUC2"][0].matrix)
    _check_truth(folder, root, names, {floor: each[0] for floor, each in frames.items()})


def _check_truth(
    folder: Path, root: Path, names: dict[str, str], frames: dict[str, Rigid3]
) -> None:
    """True poses are in the frame of the floor that is named beside."""
    truth = read_poses(root / "gt.txt")
    floors = dict(line.split() for line in (root / "floors.txt").read_text().splitlines())
    queries = list(read_dataset_folder(folder).iter_queries())
    assert len(truth) == len(floors) == len(queries) == 6
    for query in queries:
        name = names[query.name]
        assert floors[name] == query.condition and query.cam_from_world is not None
        expected = query.cam_from_world.compose(frames[floors[name]].inverse())
        np.testing.assert_allclose(truth[name].matrix, expected.matrix, atol=1e-6)


def test_points_scans_and_lists(
    folder: Path, layout: tuple[Path, dict[str, str]], planned: Planned
) -> None:
    """XYZcut and the alignment give floor coordinates, NaN where the depth is unknown."""
    root, names = layout
    (found,) = read_benchmark("inloc", root)
    reference = found.reference
    assert isinstance(reference, SfmModel)
    shot = next(each for each in planned[1] if each.name.endswith("_120_30.jpg"))
    name = names[shot.name]
    cutout, image = parse_cutout(name), reference.image_named(name)
    assert cutout is not None and image is not None
    xyz = read_cutout_points(root / f"{name}.mat")
    depth = cv2.imread(str(folder / f"depth/{shot.name}.png"), cv2.IMREAD_UNCHANGED) / 1000
    known = depth > 0
    np.testing.assert_array_equal(np.isfinite(xyz).all(axis=2), known)
    in_floor = read_alignment(root / cutout.alignment).apply(xyz[known])
    in_cam = image.cam_from_world.apply(in_floor)
    np.testing.assert_allclose(in_cam[:, 2], depth[known], atol=1e-3)
    rows, columns = np.nonzero(known)
    pixels = img_from_cam(reference.cameras[image.camera_id], in_cam)
    np.testing.assert_allclose(pixels, np.stack([columns, rows], axis=1) + 0.5, atol=0.05)
    scan = root / f"database/scans/{cutout.floor}/DUC_scan_{cutout.scan}.ptx.mat"
    points, rgb = read_scan(scan)
    assert points.shape == rgb.shape and len(points) > 36 * 1000
    listed = read_name_list(root / "inputs/cutout_imgnames_all.mat", "cutout_imgnames_all")
    assert {f"database/cutouts/{each}" for each in listed} == set(found.map_image_names)


def test_cutouts_whose_poses_do_not_fit_their_names_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    dataset = read_dataset_folder(folder)
    assert dataset.reference is not None
    moved = list(dataset.reference.images)
    pose = moved[5].cam_from_world
    moved[5] = replace(
        moved[5], cam_from_world=Rigid3(pose.rotation, pose.translation + np.array([0, 0, 0.01]))
    )
    wrong = replace(dataset, reference=replace(dataset.reference, images=tuple(moved)))
    with pytest.raises(FormatError, match="does not fit the angles in its name"):
        write_benchmark("inloc", wrong, tmp_path / "inloc")


def _run(*options: str) -> object:
    with pytest.raises(SystemExit) as stopped:
        main(["town", "indoor", *options])
    return stopped.value.code


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--floors 1 --rooms 2 --scans 1 --queries 1 --size 64x48 --query-width 64 --jobs 1"
    out = tmp_path / "b"
    assert _run("-o", str(out), *options.split()) == 0
    (out / ".inloc-partial/left_by_a_killed_run").mkdir(parents=True)
    assert _run("-o", str(out), *options.split(), "--layout", "inloc") == 0
    assert not (out / ".inloc-partial").exists()
    assert "floors DUC1, 1 scans each" in capsys.readouterr().out
    assert (out / "inloc/query/iphone7/IMG_0001.JPG").is_file()
    assert (out / "inloc-names.json").is_file()
    assert _run("-o", str(out), "--rooms", "1") == 2
    assert "rooms" in capsys.readouterr().err
