"""Rooms, scans and photos of a building: exact geometry, what moves, and what scans do not see."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hloc_lite.geometry.cameras import bearings, img_from_cam
from hloc_lite.synthetic.indoor import classes
from hloc_lite.synthetic.indoor.building import Building
from hloc_lite.synthetic.indoor.capture import OCCLUSION, Shot, grid_hits
from hloc_lite.synthetic.indoor.condition import SCANNED, Condition, Person
from hloc_lite.synthetic.indoor.layout import WALL_M, OpeningKind, Use
from hloc_lite.synthetic.indoor.lighting import InteriorView
from hloc_lite.synthetic.indoor.photographing import photograph
from hloc_lite.synthetic.indoor.planning import make_floor
from hloc_lite.synthetic.mesh import TILE_U, TILE_V
from hloc_lite.synthetic.render import trace
from hloc_lite.types import Float64

Planned = tuple[Building, list[Shot]]


def _points(shot: Shot, depth: np.ndarray) -> Float64:
    """(H, W, 3) points of all pixels in the frame of the floor."""
    camera = shot.camera
    grid = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = bearings(camera, np.stack(grid, axis=-1).reshape(-1, 2))
    in_cam = rays / rays[:, 2:] * depth.reshape(-1, 1)
    points: Float64 = shot.cam_from_world.inverse().apply(in_cam)
    return points.reshape(*depth.shape, 3)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("num_rooms", [2, 5, 11])
def test_plans_have_rooms_that_do_not_overlap_and_can_be_entered(seed: int, num_rooms: int) -> None:
    floor = make_floor(seed, 0, "DUC1", num_rooms)
    rooms = [space for space in floor.spaces if space.use is not Use.CORRIDOR]
    assert len(rooms) == num_rooms
    for index, one in enumerate(floor.spaces):
        for other in floor.spaces[index + 1 :]:
            assert one.x1 < other.x0 or other.x1 < one.x0 or one.y1 < other.y0 or other.y1 < one.y0
        for opening in one.openings:
            left = one.left_of(opening)
            assert left > -1e-9 and left + opening.width < one.wall_length(opening.wall) + 1e-9
    doors = [o for s in floor.spaces for o in s.openings if o.kind is OpeningKind.DOOR]
    numbers = [door.number for door in doors if door.number]
    assert len(doors) == 2 * num_rooms and len(set(numbers)) == num_rooms


def test_plans_differ_by_seed_and_floor() -> None:
    plans = [make_floor(seed, number, "x", 5) for seed in range(3) for number in range(2)]
    lengths = {round(plan.spaces[0].x1, 6) for plan in plans}
    assert len(lengths) == len(plans)
    assert make_floor(1, 1, "x", 5) == make_floor(1, 1, "x", 5)


def test_some_rooms_have_a_twin_and_none_has_two() -> None:
    counts = Counter(
        Counter(room.style_key for room in make_floor(seed, 0, "x", 6).spaces).most_common(1)[0][1]
        for seed in range(40)
    )
    assert set(counts) == {1, 2} and counts[2] > 15


def test_no_floor_or_ceiling_repeats_at_a_fixed_distance(planned: Planned) -> None:
    """Each piece is cut from another place of its texture, and pieces cover the whole floor."""
    building, _ = planned
    mesh, floor = building.shells[0], building.floors[0]
    for label in (classes.FLOOR, classes.CEILING):
        pieces = mesh.appearance[(mesh.labels == label) & (mesh.appearance[:, TILE_U] > 0)]
        places = np.unique(pieces[:, [TILE_U, TILE_V]], axis=0)
        assert len(pieces) > 100 and len(places) > 0.9 * len(pieces)
    is_floor = mesh.labels[mesh.surface_idxs] == classes.FLOOR
    a, b, c = np.moveaxis(mesh.triangles[is_floor].astype(np.float64), 1, 0)
    covered = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    wanted = sum((s.x1 - s.x0 + WALL_M) * (s.y1 - s.y0 + WALL_M) for s in floor.spaces)
    assert 0.98 * wanted < covered < 1.001 * wanted


def test_a_point_seen_in_two_cutouts_projects_to_the_same_surface(planned: Planned) -> None:
    """Depth along the axis of one cutout is that of its neighbour, at the projected pixel."""
    building, shots = planned
    scene = building.scene(0, SCANNED)
    first, second = (
        next(s for s in shots if s.name.endswith(end)) for end in ("_30_0.jpg", "_60_0.jpg")
    )
    np.testing.assert_allclose(
        first.cam_from_world.center, second.cam_from_world.center, atol=1e-12
    )
    depths = [
        trace(InteriorView(scene, s.cam_from_world, float(s.camera.params[0])), s.camera).depth
        for s in (first, second)
    ]
    points = _points(first, depths[0]).reshape(-1, 3)
    in_second = second.cam_from_world.apply(points)
    pixels = img_from_cam(second.camera, in_second)
    inside = (in_second[:, 2] > 0) & ((pixels > 1) & (pixels < (79, 59))).all(axis=1)
    assert inside.mean() > 0.3
    column, row = np.floor(pixels[inside]).astype(int).T
    # surfaces are flat: the inverse depth at the pixel's centre and a pixel beside differ little
    ratio = depths[1][row, column] / in_second[inside, 2]
    assert np.median(np.abs(ratio - 1)) < 0.01
    assert (np.abs(ratio - 1) < 0.05).mean() > 0.9


def test_depth_is_that_of_the_ray_cast(planned: Planned) -> None:
    building, shots = planned
    shot = shots[-1]
    scene = building.scene(shot.floor_idx, shot.condition)
    rendering = photograph(scene, shot, np.random.default_rng(0))
    distance, surface, points = grid_hits(scene, shot.camera, shot.cam_from_world)
    in_cam = shot.cam_from_world.apply(points[surface >= 0])
    pixels = np.floor(img_from_cam(shot.camera, in_cam) + 1e-9).astype(int)
    column = np.minimum(pixels[:, 0], shot.camera.width - 1)
    row = np.minimum(pixels[:, 1], shot.camera.height - 1)
    error = np.abs(rendering.depth[row, column] / in_cam[:, 2] - 1)
    assert np.median(error) < 0.01
    assert np.isfinite(distance[surface >= 0]).all()


def test_scans_have_holes_and_photos_have_none(planned: Planned) -> None:
    building, shots = planned
    rng = np.random.default_rng(0)
    scene = building.scene(0, SCANNED)
    cutouts = [
        s for s in shots if s.floor_idx == 0 and s.condition == SCANNED and "_0.jpg" in s.name
    ]
    unseen, known = 0, 0
    for shot in cutouts:
        rendering = photograph(scene, shot, rng)
        view = InteriorView(scene, shot.cam_from_world, float(shot.camera.params[0]))
        seen = trace(view, shot.camera)
        window = np.isin(seen.labels, classes.UNSCANNED)
        assert (rendering.depth[window] == 0).all()
        unseen += int(window.sum())
        found = rendering.depth > 0
        known += int(found.sum())
        np.testing.assert_array_equal(rendering.depth[found], seen.depth[found])
    assert unseen > 50
    assert known > 0.7 * len(cutouts) * 80 * 60
    photo = shots[-1]
    complete = photograph(building.scene(photo.floor_idx, photo.condition), photo, rng)
    sky = complete.labels == 10
    assert (complete.depth[~sky] > 0).all()


def test_furniture_doors_and_people_move_and_walls_stay(planned: Planned) -> None:
    building, _ = planned
    scanned = building.scene(0, SCANNED).mesh
    later = [building.scene(0, Condition((61, k), 1.0, 1.0)).mesh for k in range(2)]
    fixed = building.shells[0].triangles
    for mesh in (scanned, *later):
        np.testing.assert_array_equal(mesh.triangles[: len(fixed)], fixed)
    assert later[0].triangles.shape != later[1].triangles.shape or not np.array_equal(
        later[0].triangles, later[1].triangles
    )
    again = building.scene(0, Condition((61, 1), 1.0, 1.0)).mesh
    np.testing.assert_array_equal(again.triangles, later[1].triangles)
    person = Person(2.0, 1.0, 0.3, 5)
    with_one = building.scene(0, Condition((61, 1), 1.0, 1.0, people=(person,))).mesh
    assert (with_one.labels == classes.PERSON).sum() > 100
    assert not (later[1].labels == classes.PERSON).any()


def test_people_cover_a_part_of_some_photos(planned: Planned) -> None:
    building, shots = planned
    for shot in shots:
        if shot.condition.people:
            scene = building.scene(shot.floor_idx, shot.condition)
            surface = grid_hits(scene, shot.camera, shot.cam_from_world)[1]
            covered = (scene.mesh.labels[surface] == classes.PERSON).mean()
            assert OCCLUSION[0] <= covered <= OCCLUSION[1]
    assert {bool(s.condition.people) for s in shots if s.condition != SCANNED} == {True, False}


def test_lamps_and_daylight_are_seen(planned: Planned) -> None:
    """Lamps off and night are darker; what the lamps' light lacks, exposure does not hide."""
    building, shots = planned
    shot = next(s for s in shots if s.name.endswith("_90_0.jpg"))

    def brightness(condition: Condition) -> float:
        scene = building.scene(0, condition)
        view = InteriorView(scene, shot.cam_from_world, float(shot.camera.params[0]))
        return float(trace(view, shot.camera).image.mean())

    day, evening = (brightness(Condition((1,), 1.0, light)) for light in (1.0, 0.01))
    dark = brightness(Condition((1,), 0.0, 0.01))
    assert day > evening > 4 * dark > 0


def test_photos_have_texture(planned: Planned) -> None:
    """Neighbouring pixels differ on most of a photo, as on one of a real camera."""
    building, shots = planned
    shot = shots[-1]
    scene = building.scene(shot.floor_idx, shot.condition)
    pixels = photograph(scene, shot, np.random.default_rng(0)).pixels.astype(int)
    assert (np.abs(np.diff(pixels[..., 1], axis=1)) > 0).mean() > 0.6
    assert pixels.std() > 20
