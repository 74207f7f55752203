"""The scene of the 3D page as a value: exact coordinates, joined truths, checks of inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.rotations import rotation_from_quat_wxyz
from hloc_lite.types import Rigid3, Status
from hloc_lite.viz.colors import FALLBACK, UNKNOWN_CONFIDENCE, linear_rgb, query_colour
from hloc_lite.viz.ellipsoids import SIGMAS_95
from hloc_lite.viz.frame import FRUSTUM_LIMITS, SCENE_DISTANCE
from hloc_lite.viz.frusta import SEGMENTS, frustum_lines, half_slopes
from hloc_lite.viz.queries import check_same_map, chosen_rows
from hloc_lite.viz.scene import (
    Scene,
    build_scene,
    counts_text,
    query_layer,
    scene_legend,
    start_view,
)
from tests.viz.scenes import (
    CAMERA,
    LocalizedScene,
    localized_scene,
    moved_map,
    moved_pose,
    result_at,
)

UTM = np.array([448262.0, 5411932.0, 320.0])


@pytest.fixture(scope="module")
def localized() -> Iterator[LocalizedScene]:
    with localized_scene() as made:
        yield made


@pytest.fixture(scope="module")
def scene(localized: LocalizedScene) -> Scene:
    return build_scene(localized.map, localized.results, localized.truth, title="wall")


def test_points_and_cameras_are_those_of_the_map_in_the_viewer(
    scene: Scene, localized: LocalizedScene
) -> None:
    model, frame = localized.map.model, scene.frame
    assert scene.points.source == "landmarks" and len(scene.points) == model.num_points
    expected = (model.xyz - frame.center) * frame.scale
    assert np.abs(scene.points.xyz - expected).max() < 1e-5
    assert scene.map_cameras.names == tuple(image.name for image in model.images)
    for row, image in enumerate(model.images):
        center = (image.cam_from_world.center - frame.center) * frame.scale
        assert np.abs(scene.map_cameras.centers[row] - center).max() < 1e-5
        rotation = rotation_from_quat_wxyz(scene.map_cameras.quats_wxyz[row].astype(float))
        assert np.abs(rotation - image.cam_from_world.rotation.T).max() < 1e-6


def test_lengths_are_relative_to_what_the_cameras_see(
    scene: Scene, localized: LocalizedScene
) -> None:
    depths = [
        np.linalg.norm(image.cam_from_world.apply(localized.map.model.xyz[rows]), axis=1)
        for image in localized.map.model.images
        if len(rows := image.point3D_idxs[image.point3D_idxs >= 0])
    ]
    seen = np.median(np.concatenate(depths)) * scene.frame.scale
    assert seen == pytest.approx(SCENE_DISTANCE)
    low, high = np.array(FRUSTUM_LIMITS) * SCENE_DISTANCE
    assert low <= scene.frame.frustum_depth <= high
    assert np.linalg.norm(scene.frame.up - [0, -1, 0]) < 0.2  # photos are upright, y is down


@pytest.mark.parametrize(("shift", "scale"), [(UTM, 1.0), (1000 * UTM, 1000.0), (0 * UTM, 1e-3)])
def test_where_a_map_lies_and_its_unit_make_no_difference(
    scene: Scene, localized: LocalizedScene, shift: np.ndarray, scale: float
) -> None:
    moved = build_scene(
        moved_map(localized.map, shift, scale),
        [result_at("query 3.png", moved_pose(localized.truth["query 3.png"], shift, scale))],
        title="wall",
    )
    assert moved.frame.frustum_depth == pytest.approx(scene.frame.frustum_depth, rel=1e-5)
    assert np.abs(moved.points.xyz - scene.points.xyz).max() < 1e-4
    assert np.abs(moved.map_cameras.centers - scene.map_cameras.centers).max() < 1e-4
    view, moved_view = start_view(scene), start_view(moved)
    assert np.abs(view.position - moved_view.position).max() < 1e-3
    drawn, same = query_layer(moved, [0]).frusta, query_layer(scene, [0]).frusta
    assert np.abs(drawn.centers - same.centers).max() < 1e-3


def test_floors_a_kilometre_apart_keep_their_shape(localized: LocalizedScene) -> None:
    model = localized.map.model
    far = np.array([0.0, 0.0, 1000.0])
    images = [
        replace(image, cam_from_world=moved_pose(image.cam_from_world, far)) if row >= 4 else image
        for row, image in enumerate(model.images)
    ]
    apart = build_scene(replace(localized.map, model=replace(model, images=tuple(images))))
    centers = [image.cam_from_world.center for image in images]
    assert any(np.allclose(apart.frame.center, center) for center in centers)  # not in the void
    assert apart.frame.frustum_depth <= FRUSTUM_LIMITS[1] * SCENE_DISTANCE
    gaps = np.diff(apart.map_cameras.centers[4:].astype(float), axis=0) / apart.frame.scale
    assert np.abs(gaps - np.diff(centers[4:], axis=0)).max() < 1e-3
    view = start_view(apart)
    assert view.far > 1000 * apart.frame.scale and np.linalg.norm(view.position) < 30


def test_queries_are_joined_with_their_truth(localized: LocalizedScene) -> None:
    true = localized.truth["query 3.png"]
    beside = moved_pose(true, np.array([0.3, 0.0, 0.0]))
    results = [result_at("query 3.png", beside), result_at("lost.png", None)]
    scene = build_scene(localized.map, results, {**localized.truth, "lost.png": true})
    errors = scene.queries[0].errors
    assert errors is not None and errors == (pytest.approx(0.3), pytest.approx(0, abs=1e-6))
    layer = query_layer(scene, [0, 1])
    assert layer.rows == (0,) and layer.frusta.names == ("query 3.png",)
    assert layer.truth.names == ("query 3.png", "lost.png")  # also of what was not localized
    assert layer.error_lines.shape == (1, 2, 3)
    length = np.linalg.norm(layer.error_lines[0, 1] - layer.error_lines[0, 0])
    assert length == pytest.approx(0.3 * scene.frame.scale, rel=1e-4)
    assert query_layer(scene, [1]).error_lines.shape == (0, 2, 3)
    text = counts_text(scene)
    assert text[1] == "2 queries: 1 localized, 1 doubtful"
    assert text[2].startswith("1 with truth: median error 0.3 ")
    assert [row.text for row in scene_legend(scene)] == [
        "localized: confidence 0 to 1", "true camera", "from estimate to truth", "map camera",
    ]  # fmt: skip


def test_ellipsoid_is_the_covariance_of_the_centre(localized: LocalizedScene) -> None:
    pose = localized.truth["query 3.png"]
    sigmas = np.array([0.1, 0.2, 0.4])  # of the translation, along the axes of the camera
    covariance = np.diag([1e-6] * 3 + list(sigmas**2))
    results = [result_at("query 3.png", pose, covariance=covariance), result_at("other", pose)]
    scene = build_scene(localized.map, results)
    found = query_layer(scene, [0, 1]).ellipsoids
    assert found.rows == (0,)  # the other has no covariance
    assert found.radii[0] / scene.frame.scale == pytest.approx(SIGMAS_95 * sigmas, rel=1e-5)
    axes = rotation_from_quat_wxyz(found.quats_wxyz[0].astype(float))
    along_view = pose.rotation.T @ [0, 0, 1]
    assert abs(axes[:, 2] @ along_view) == pytest.approx(1, abs=1e-6)
    rng = np.random.default_rng(0)
    inside = rng.standard_normal((20000, 3)) * sigmas
    share = np.mean(np.square(inside / (SIGMAS_95 * sigmas)).sum(axis=1) <= 1)
    assert share == pytest.approx(0.95, abs=0.01)


def test_frustum_lines_follow_the_field_of_view(localized: LocalizedScene) -> None:
    scene = build_scene(localized.map, [result_at("q", localized.truth["query 3.png"])])
    frusta = query_layer(scene, [0]).frusta
    assert frusta.slopes[0] == pytest.approx([1.0, 0.75])
    lines = frustum_lines(frusta, depth=2.0)
    assert lines.shape == (SEGMENTS, 2, 3)
    pose = localized.truth["query 3.png"]
    in_cam = (lines - frusta.centers[0]) @ pose.rotation.T
    assert in_cam[0] == pytest.approx(np.array([[0, 0, 0], [-2, -1.5, 2]]), abs=1e-5)
    assert in_cam[-1, 0, 1] < -1.5  # the roof is on the side that is up in the photo
    panorama = replace(CAMERA, model="EQUIRECTANGULAR", params=np.zeros(0))
    assert half_slopes(panorama) == pytest.approx([1, 1])


def test_colours_tell_status_and_confidence(localized: LocalizedScene) -> None:
    pose = localized.truth["query 3.png"]
    assert query_colour(result_at("q", pose, 0.0)) == (232, 93, 4)
    assert query_colour(result_at("q", pose, 1.0)) == (38, 132, 255)
    assert query_colour(result_at("q", pose, None)) == UNKNOWN_CONFIDENCE
    assert query_colour(result_at("q", None)) == FALLBACK
    assert linear_rgb(np.array([[0, 188, 255]])).tolist() == [[0, 128, 255]]


def test_queries_are_chosen_by_status_and_confidence(localized: LocalizedScene) -> None:
    pose = localized.truth["query 3.png"]
    results = [result_at("a", pose, 0.9), result_at("b", pose, None), result_at("c", None, 0.2)]
    queries = build_scene(localized.map, results).queries
    everything = frozenset(Status)
    assert chosen_rows(queries, everything, 0) == [0, 1, 2]
    assert chosen_rows(queries, everything, 0.1) == [0, 2]
    assert chosen_rows(queries, frozenset({Status.LOCALIZED}), 0) == [0, 1]
    assert chosen_rows(queries, frozenset(), 0) == []


def test_a_failed_query_is_drawn_at_its_fallback(localized: LocalizedScene) -> None:
    pose = localized.truth["query 3.png"]
    failed = replace(result_at("q", None), fallback=pose, fallback_name="map 2.png")
    layer = query_layer(build_scene(localized.map, [failed]), [0])
    assert layer.rows == (0,) and layer.colours.tolist() == [list(FALLBACK)]
    expected = half_slopes(localized.map.model.cameras[1])
    assert layer.frusta.slopes[0] == pytest.approx(expected)


def test_results_of_another_map_are_refused(localized: LocalizedScene) -> None:
    foreign = [result_at("q", None, retrieved=("castle/1.jpg", "castle/2.jpg"))]
    with pytest.raises(HlocLiteError, match=r"of another map.*'castle/1\.jpg'.*'map 0\.png'"):
        build_scene(localized.map, foreign)
    mixed = [result_at("q", None, retrieved=("castle/1.jpg", "map 0.png"))]
    assert "'castle/1.jpg'" in check_same_map(mixed, localized.map.model)
    assert counts_text(build_scene(localized.map, mixed))[-1].startswith("1 retrieved image")


def test_a_truth_of_other_photos_is_refused(localized: LocalizedScene) -> None:
    results = [result_at("query 3.png", None)]
    with pytest.raises(HlocLiteError, match="none of the 1 estimated names"):
        build_scene(localized.map, results, {"elsewhere.png": Rigid3.identity()})


def test_first_view_is_above_behind_and_level(scene: Scene) -> None:
    view = start_view(scene)
    assert view.position @ view.up > 0
    looking = view.look_at - view.position
    looking = looking / np.linalg.norm(looking)
    assert looking[2] > 0.5  # cameras look along +z, and so does the view
    assert view.near < 0.1 and view.far >= 1000
    turned = start_view(scene, np.array([0.0, 0.0, 1.0]))  # looking along up is no direction
    assert np.isfinite(turned.position).all() and turned.position[2] > 0


def test_a_map_without_queries_is_a_scene(localized: LocalizedScene) -> None:
    scene = build_scene(localized.map)
    layer = query_layer(scene, [])
    assert len(layer.frusta) == len(layer.truth) == len(layer.ellipsoids) == 0
    assert len(counts_text(scene)) == 1
    assert [row.text for row in scene_legend(scene)] == ["map camera"]
    assert math.isfinite(start_view(scene).far)


def test_a_query_of_the_same_name_is_replaced(scene: Scene, localized: LocalizedScene) -> None:
    again = scene.with_query(replace(scene.queries[0], true_pose=None))
    assert [query.name for query in again.queries] == ["query 5.png", "query 3.png"]
    assert [query.name for query in again.without_queries(["query 3.png"]).queries] == [
        "query 5.png"
    ]
