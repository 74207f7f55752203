"""The rendered town: exact geometry, conditions, camera poses."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from hloc_lite.geometry.cameras import cam_from_img, img_from_cam
from hloc_lite.synthetic import labels
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.folder import image_rng
from hloc_lite.synthetic.layout import TWIN_EDGES
from hloc_lite.synthetic.planning import make_plan
from hloc_lite.synthetic.raycasting import RaycastScene
from hloc_lite.synthetic.render import render_view
from hloc_lite.synthetic.town import Town, build_town
from hloc_lite.synthetic.views import camera_pose, map_cameras
from hloc_lite.synthetic.visibility import View
from hloc_lite.types import Camera, Float64


def _world_points(camera: Camera, view: View, depth: np.ndarray) -> tuple[Float64, np.ndarray]:
    rows, columns = np.nonzero(depth > 0)
    uv = cam_from_img(camera, np.stack([columns + 0.5, rows + 0.5], axis=1))
    points = np.column_stack([uv, np.ones(len(uv))]) * depth[rows, columns, None]
    return view.cam_from_world.inverse().apply(points), np.stack([rows, columns], axis=1)


def test_depth_is_consistent_between_views(
    planned: tuple[Town, list[View]], scenes: dict[str, RaycastScene]
) -> None:
    _, views = planned
    a, b = views[0], next(v for v in views[1:] if v.pass_name == views[0].pass_name)
    first = render_view(scenes[a.pass_name], a.camera, a.cam_from_world, image_rng(0, "a"))
    second = render_view(scenes[b.pass_name], b.camera, b.cam_from_world, image_rng(0, "b"))
    points, _ = _world_points(a.camera, a, first.depth)
    in_b = b.cam_from_world.apply(points)
    pixels = img_from_cam(b.camera, in_b)
    with np.errstate(invalid="ignore"):
        inside = ((pixels > 0) & (pixels < (b.camera.width, b.camera.height))).all(axis=1)
    cell = pixels[inside].astype(int)
    # cast the ray through the projection itself, not the nearest pixel: then the depths are equal
    uv = cam_from_img(b.camera, pixels[inside])
    rays = np.column_stack([uv, np.ones(len(uv))]) @ b.cam_from_world.rotation
    origins = np.broadcast_to(b.cam_from_world.center, rays.shape)
    along = scenes[b.pass_name].distance(
        np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(rays, np.float32)
    )
    expected = in_b[inside, 2]
    visible = np.abs(along - expected) < 0.05 * expected
    assert visible.mean() > 0.5
    assert np.median(np.abs(along - expected)[visible]) < 1e-3
    nearest = second.depth[cell[:, 1], cell[:, 0]]
    assert np.median(np.abs(nearest - expected)[visible] / expected[visible]) < 0.02
    assert (along >= expected * 0.9).sum() < len(along)  # some points are occluded in b


def test_depth_lies_on_the_surfaces(
    planned: tuple[Town, list[View]], scenes: dict[str, RaycastScene]
) -> None:
    view = next(v for v in planned[1] if v.camera.model == "OPENCV" or "query" in v.name)
    scene = scenes[view.pass_name]
    rendering = render_view(scene, view.camera, view.cam_from_world, image_rng(0, "x"))
    points, cells = _world_points(view.camera, view, rendering.depth)
    rays = points - view.cam_from_world.center
    origins = np.broadcast_to(view.cam_from_world.center, rays.shape)
    length = scene.distance(
        np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(rays, np.float32)
    )
    assert np.quantile(np.abs(length - 1), 0.98) < 1e-4
    assert len(cells) > 0.3 * rendering.depth.size


def test_moving_objects_differ_between_passes(planned: tuple[Town, list[View]]) -> None:
    parts = planned[0].parts
    names = ["movers_map0", "movers_map1", "movers_day", "movers_night", "movers_changed"]
    for first, second in pairwise(names):
        a = {tuple(row) for row in parts[first].triangles[:, 0].round(3).tolist()}
        b = {tuple(row) for row in parts[second].triangles[:, 0].round(3).tolist()}
        assert len(a & b) < 0.01 * len(a)


def test_conditions_change_pixels_but_not_static_geometry(
    planned: tuple[Town, list[View]], scenes: dict[str, RaycastScene]
) -> None:
    view = planned[1][0]
    renderings = {
        name: render_view(scenes[name], view.camera, view.cam_from_world, image_rng(0, "same"))
        for name in ("day", "night", "changed")
    }
    day = renderings["day"]
    static = ~np.isin(day.labels, labels.MOVING)
    assert renderings["night"].pixels.mean() < 0.7 * day.pixels.mean()
    for name in ("night", "changed"):
        other = renderings[name]
        both = static & ~np.isin(other.labels, labels.MOVING)
        equal = day.depth[both] == other.depth[both]
        assert equal.mean() > (0.999 if name == "night" else 0.7)
        difference = np.abs(day.pixels.astype(int) - other.pixels)
        assert difference.mean() > 5


def test_cameras_are_in_the_streets_at_eye_level(planned: tuple[Town, list[View]]) -> None:
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


@pytest.mark.parametrize(("width", "height"), [(161, 119), (163, 121)])
@pytest.mark.parametrize("condition", ["day", "night"])
def test_any_size_of_image(
    planned: tuple[Town, list[View]],
    scenes: dict[str, RaycastScene],
    width: int,
    height: int,
    condition: str,
) -> None:
    camera = Camera("SIMPLE_PINHOLE", width, height, np.array([120.0, width / 2, height / 2]))
    pose = planned[1][0].cam_from_world
    rendering = render_view(scenes[condition], camera, pose, image_rng(0, "x"))
    assert rendering.pixels.shape == (height, width, 3)
    assert rendering.depth.shape == rendering.labels.shape == (height, width)


def test_only_twin_streets_have_the_same_facades(
    planned: tuple[Town, list[View]], scenes: dict[str, RaycastScene]
) -> None:
    plan = planned[0].plan
    camera = map_cameras(planned[0].config)[1]

    def relief(edge: tuple[tuple[int, int], tuple[int, int]]) -> np.ndarray:
        """Depth of the facade opposite the middle of a street, relative to its median."""
        street = plan.street(edge)
        middle = (street.start + street.end) / 2 - 3 * street.left
        heading = np.degrees(np.arctan2(street.direction[1], street.direction[0])) + 90
        pose = camera_pose(plan, middle, 10.0, heading, 0, 0)  # above the trees
        depth = render_view(scenes["map0"], camera, pose, image_rng(0, "twin")).depth
        return np.clip(depth - np.median(depth), -0.5, 0.5)

    def similarity(a: np.ndarray, b: np.ndarray) -> float:
        """Correlation at the best shift, as the ground height differs between streets."""
        return float(cv2.matchTemplate(a, b[25:95, 25:135], cv2.TM_CCOEFF_NORMED).max())

    first, second = (relief(edge) for edge in TWIN_EDGES)
    others = [relief(edge) for edge in (((2, 1), (3, 1)), ((2, 0), (3, 0)), ((0, 0), (1, 0)))]
    assert similarity(first, second) > 0.8
    assert all(similarity(first, other) < 0.6 for other in others)


def test_twin_streets_differ_in_details() -> None:
    plan = make_plan(7)
    by_style: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for plot in plan.plots:
        by_style.setdefault(plot.style_key, []).append(plot.detail_key)
    shared = [keys for keys in by_style.values() if len(keys) > 1]
    assert len(shared) >= 4
    assert all(len(set(keys)) == len(keys) == 2 for keys in shared)


def test_geometry_depends_on_the_seed_only(
    planned: tuple[Town, list[View]],
) -> None:
    other = build_town(TownConfig(num_map=30, width=400, height=300), near=np.full((1, 2), 60.0))
    for name, mesh in planned[0].parts.items():
        np.testing.assert_array_equal(mesh.triangles, other.parts[name].triangles)


def test_another_seed_gives_another_town() -> None:
    first, second = make_plan(7), make_plan(8)
    assert not np.allclose(first.nodes[2, 1], second.nodes[2, 1])
    styles = [{plot.width for plot in plan.plots} for plan in (first, second)]
    assert not styles[0] & styles[1]
