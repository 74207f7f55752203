"""The rendered town: exact geometry, determinism, layout on disk."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from hloc_lite.errors import HlocLiteError, StaleArtefactError
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc_lists import read_image_list, read_poses, read_queries
from hloc_lite.geometry.cameras import cam_from_img, img_from_cam
from hloc_lite.synthetic import labels
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.dataset import image_rng, plan_dataset, write_dataset
from hloc_lite.synthetic.layout import TWIN_EDGES, make_plan
from hloc_lite.synthetic.render import render, render_stage
from hloc_lite.synthetic.stage import Stage
from hloc_lite.synthetic.town import Town, build_town
from hloc_lite.synthetic.views import View, camera_pose, map_cameras
from hloc_lite.types import Camera, Float64

SIZE = {"width": 160, "height": 120}


@pytest.fixture(scope="module")
def config() -> TownConfig:
    return TownConfig(num_map=8, num_queries=2, **SIZE)


@pytest.fixture(scope="module")
def planned(config: TownConfig) -> tuple[Town, list[View]]:
    return plan_dataset(config)


@pytest.fixture(scope="module")
def stages(planned: tuple[Town, list[View]]) -> dict[str, Stage]:
    return {name: Stage(planned[0], name) for name in ("map0", "map1", "day", "night", "changed")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, config: TownConfig) -> Path:
    return write_dataset(tmp_path_factory.mktemp("town") / "one", config, jobs=1)


def _contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _world_points(camera: Camera, view: View, depth: np.ndarray) -> tuple[Float64, np.ndarray]:
    rows, columns = np.nonzero(depth > 0)
    uv = cam_from_img(camera, np.stack([columns + 0.5, rows + 0.5], axis=1))
    points = np.column_stack([uv, np.ones(len(uv))]) * depth[rows, columns, None]
    return view.cam_from_world.inverse().apply(points), np.stack([rows, columns], axis=1)


def test_same_config_gives_same_bytes_whatever_the_jobs(
    folder: Path, tmp_path: Path, config: TownConfig
) -> None:
    again = write_dataset(tmp_path / "two", config, jobs=2)
    assert _contents(again) == _contents(folder)
    assert not list(again.glob(".workers-*"))


def test_depth_of_one_view_agrees_with_another(
    planned: tuple[Town, list[View]], stages: dict[str, Stage]
) -> None:
    _, views = planned
    a, b = views[0], next(v for v in views[1:] if v.pass_name == views[0].pass_name)
    first = render_stage(stages[a.pass_name], a.camera, a.cam_from_world, image_rng(0, "a"))
    second = render_stage(stages[b.pass_name], b.camera, b.cam_from_world, image_rng(0, "b"))
    points, _ = _world_points(a.camera, a, first.depth)
    in_b = b.cam_from_world.apply(points)
    pixels = img_from_cam(b.camera, in_b)
    with np.errstate(invalid="ignore"):
        inside = ((pixels > 0) & (pixels < (b.camera.width, b.camera.height))).all(axis=1)
    cell = pixels[inside].astype(int)
    # the ray through the projection itself, not the nearest pixel: then the depths are equal
    uv = cam_from_img(b.camera, pixels[inside])
    rays = np.column_stack([uv, np.ones(len(uv))]) @ b.cam_from_world.rotation
    origins = np.broadcast_to(b.cam_from_world.center, rays.shape)
    along = stages[b.pass_name].distance(
        np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(rays, np.float32)
    )
    expected = in_b[inside, 2]
    visible = np.abs(along - expected) < 0.05 * expected
    assert visible.mean() > 0.5
    assert np.median(np.abs(along - expected)[visible]) < 1e-3
    nearest = second.depth[cell[:, 1], cell[:, 0]]
    assert np.median(np.abs(nearest - expected)[visible] / expected[visible]) < 0.02
    assert (along >= expected * 0.9).sum() < len(along)  # some of it is hidden in b


def test_projections_of_depth_hit_the_surface_they_came_from(
    planned: tuple[Town, list[View]], stages: dict[str, Stage]
) -> None:
    view = next(v for v in planned[1] if v.camera.model == "OPENCV" or "query" in v.name)
    stage = stages[view.pass_name]
    rendering = render_stage(stage, view.camera, view.cam_from_world, image_rng(0, "x"))
    points, cells = _world_points(view.camera, view, rendering.depth)
    rays = points - view.cam_from_world.center
    origins = np.broadcast_to(view.cam_from_world.center, rays.shape)
    length = stage.distance(
        np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(rays, np.float32)
    )
    assert np.quantile(np.abs(length - 1), 0.98) < 1e-4
    assert len(cells) > 0.3 * rendering.depth.size


def test_labels_are_legal_and_varied(folder: Path) -> None:
    seen: set[int] = set()
    for path in (folder / "labels").rglob("*.png"):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image.shape == (SIZE["height"], SIZE["width"])
        seen |= {int(value) for value in np.unique(image)}
    assert seen <= set(labels.LEGAL)
    assert {labels.ROAD, labels.SIDEWALK, labels.BUILDING, labels.SKY} <= seen


def test_sky_has_no_depth_and_all_else_has(folder: Path) -> None:
    for path in (folder / "labels").rglob("*.png"):
        what = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        depth_path = folder / "depth" / path.relative_to(folder / "labels")
        depth = cv2.imread(str(depth_path), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16
        assert (depth[what == labels.SKY] == 0).all()
        near = (what == labels.ROAD) | (what == labels.CAR)
        assert (depth[near] > 0).mean() > 0.9


def test_layout_and_text_files_read_back(
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


def test_cars_and_people_stand_elsewhere_in_queries(planned: tuple[Town, list[View]]) -> None:
    parts = planned[0].parts
    names = ["movers_map0", "movers_map1", "movers_day", "movers_night", "movers_changed"]
    for first, second in pairwise(names):
        a = {tuple(row) for row in parts[first].triangles[:, 0].round(3).tolist()}
        b = {tuple(row) for row in parts[second].triangles[:, 0].round(3).tolist()}
        assert len(a & b) < 0.01 * len(a)


def test_conditions_change_pixels_but_not_what_stands_still(
    planned: tuple[Town, list[View]], stages: dict[str, Stage]
) -> None:
    view = planned[1][0]
    shots = {
        name: render_stage(stages[name], view.camera, view.cam_from_world, image_rng(0, "same"))
        for name in ("day", "night", "changed")
    }
    day = shots["day"]
    still = ~np.isin(day.labels, labels.MOVING)
    assert shots["night"].pixels.mean() < 0.7 * day.pixels.mean()
    for name in ("night", "changed"):
        other = shots[name]
        both = still & ~np.isin(other.labels, labels.MOVING)
        equal = day.depth[both] == other.depth[both]
        assert equal.mean() > (0.999 if name == "night" else 0.7)
        difference = np.abs(day.pixels.astype(int) - other.pixels)
        assert difference.mean() > 5


def test_cameras_stand_in_the_streets_at_a_walkers_height(planned: tuple[Town, list[View]]) -> None:
    town, views = planned
    for view in views:
        center = view.cam_from_world.center
        up = center[2] - float(town.plan.ground(center[:2]))
        assert 1.1 < up < 2.8
        inside = []
        for street in town.plan.streets:
            step = (center[:2] - street.start) @ street.direction
            across = (center[:2] - street.start) @ street.left
            inside.append(-7 < step < street.length + 7 and abs(across) < street.half_width - 0.5)
        assert any(inside)


def test_render_of_a_town_is_that_of_its_stage(
    planned: tuple[Town, list[View]], stages: dict[str, Stage]
) -> None:
    town, views = planned
    view = views[0]
    one = render(town, view.camera, view.cam_from_world, "day", seed=3)
    rng = np.random.default_rng(3)
    two = render_stage(stages["day"], view.camera, view.cam_from_world, rng)
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.depth, two.depth)


@pytest.mark.parametrize(("width", "height"), [(161, 119), (163, 121)])
@pytest.mark.parametrize("condition", ["day", "night"])
def test_any_size_of_image(
    planned: tuple[Town, list[View]],
    stages: dict[str, Stage],
    width: int,
    height: int,
    condition: str,
) -> None:
    camera = Camera("SIMPLE_PINHOLE", width, height, np.array([120.0, width / 2, height / 2]))
    pose = planned[1][0].cam_from_world
    rendering = render_stage(stages[condition], camera, pose, image_rng(0, "x"))
    assert rendering.pixels.shape == (height, width, 3)
    assert rendering.depth.shape == rendering.labels.shape == (height, width)


def test_twin_streets_look_alike_and_other_streets_do_not(
    planned: tuple[Town, list[View]], stages: dict[str, Stage]
) -> None:
    plan = planned[0].plan
    camera = map_cameras(planned[0].config)[1]

    def relief(edge: tuple[tuple[int, int], tuple[int, int]]) -> np.ndarray:
        """Windows, ledges and balconies opposite the middle of a street, whatever the light."""
        street = plan.street(edge)
        middle = (street.start + street.end) / 2 - 3 * street.left
        heading = np.degrees(np.arctan2(street.direction[1], street.direction[0])) + 90
        pose = camera_pose(plan, middle, 10.0, heading, 0, 0)  # above the trees
        depth = render_stage(stages["map0"], camera, pose, image_rng(0, "twin")).depth
        return np.clip(depth - np.median(depth), -0.5, 0.5)

    def alike(a: np.ndarray, b: np.ndarray) -> float:
        """The ground's height differs by street: look for the best shift."""
        return float(cv2.matchTemplate(a, b[25:95, 25:135], cv2.TM_CCOEFF_NORMED).max())

    first, second = (relief(edge) for edge in TWIN_EDGES)
    others = [relief(edge) for edge in (((2, 1), (3, 1)), ((2, 0), (3, 0)), ((0, 0), (1, 0)))]
    assert alike(first, second) > 0.8
    assert all(alike(first, other) < 0.6 for other in others)


def test_small_details_tell_twin_streets_apart() -> None:
    plan = make_plan(7)
    by_style: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for plot in plan.plots:
        by_style.setdefault(plot.style_key, []).append(plot.own_key)
    shared = [keys for keys in by_style.values() if len(keys) > 1]
    assert len(shared) >= 4
    assert all(len(set(keys)) == len(keys) == 2 for keys in shared)


def test_geometry_does_not_depend_on_the_number_or_size_of_images(
    planned: tuple[Town, list[View]],
) -> None:
    other = build_town(TownConfig(num_map=30, width=400, height=300), near=np.full((1, 2), 60.0))
    for name, mesh in planned[0].parts.items():
        np.testing.assert_array_equal(mesh.triangles, other.parts[name].triangles)


def test_another_seed_is_another_place() -> None:
    first, second = make_plan(7), make_plan(8)
    assert not np.allclose(first.nodes[2, 1], second.nodes[2, 1])
    styles = [{plot.width for plot in plan.plots} for plan in (first, second)]
    assert not styles[0] & styles[1]


def test_finished_images_are_kept_and_missing_ones_rendered(
    folder: Path, tmp_path: Path, config: TownConfig
) -> None:
    before = _contents(folder)
    lost = folder / "depth" / "map" / "0003.jpg.png"
    kept = folder / "images" / "map" / "0002.jpg"
    stamp = kept.stat().st_mtime_ns
    lost.unlink()
    write_dataset(folder, config, jobs=1)
    assert kept.stat().st_mtime_ns == stamp
    assert _contents(folder) == before


def test_a_folder_of_another_config_is_refused(folder: Path, config: TownConfig) -> None:
    other = config.model_copy(update={"seed": 8})
    with pytest.raises(StaleArtefactError, match=r"fingerprint is [0-9a-f]{16}, wanted is"):
        write_dataset(folder, other)


def test_a_folder_of_other_files_is_refused(tmp_path: Path, config: TownConfig) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"photo")
    with pytest.raises(HlocLiteError, match=r"no town\.json"):
        write_dataset(tmp_path, config)
    assert (tmp_path / "holiday.jpg").read_bytes() == b"photo"


def test_overwriting_leaves_no_list_of_the_old_town(tmp_path, monkeypatch):
    monkeypatch.setattr("hloc_lite.synthetic.dataset.plan_dataset", lambda _: (None, []))
    write_dataset(tmp_path / "town", TownConfig(conditions=("day", "night")))
    write_dataset(tmp_path / "town", TownConfig(conditions=("day",)), overwrite=True)
    lists = sorted(path.name for path in (tmp_path / "town").glob("*_*.txt"))
    assert lists == ["gt_day.txt", "map_images.txt", "queries_day.txt"]


def test_overwriting_deletes_the_old_town_and_nothing_else(tmp_path, monkeypatch):
    """A photo of the old town must not pass for one of the new; what others put there stays."""
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
    (folder / "map_images.txt").write_text("map/0000.jpg\nmap/me.jpg\n../../outside.jpg\n")
    (folder / "queries_night.txt").write_text(f"{old[1]} SIMPLE_PINHOLE 64 48 60 32 24\n")
    write_dataset(folder, TownConfig(seed=8), overwrite=True)
    assert [path for path in ours if path.exists()] == []
    assert [path for path in [*foreign, outside] if not path.exists()] == []
    assert not (folder / "queries_night.txt").exists()
    assert not (folder / "images" / "query").exists()
