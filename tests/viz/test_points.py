"""Points shown: at most so many, the same each time, and precise enough in half floats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.maps.map import Map
from hloc_lite.maps.surface_saving import write_surface
from hloc_lite.types import Surface
from hloc_lite.viz.frame import choose_frame
from hloc_lite.viz.points import (
    BLOCK_POINTS,
    NO_COLOUR,
    SURFACE_SIZE_LIMITS,
    PointCloud,
    blocks,
    map_points,
)
from tests.exact_scene import mapped_scene


@pytest.fixture(scope="module")
def sfm_map() -> Iterator[Map]:
    with mapped_scene() as (_, made):
        yield made


def plane(count: int, side: float = 4.0) -> Surface:
    rng = np.random.default_rng(1)
    xyz = np.column_stack([rng.uniform(-side, side, (count, 2)), np.full(count, 6.0)])
    rgb = rng.integers(0, 256, (count, 3), np.uint8)
    return Surface(xyz.astype(np.float32), rgb, radii=np.full(count, 0.02, np.float32))


def shown(sfm_map: Map, max_points: int) -> PointCloud:
    return map_points(sfm_map, choose_frame(sfm_map), max_points, seed=0)


def test_landmarks_are_chosen_evenly_and_the_same_each_time(sfm_map: Map) -> None:
    few, again = shown(sfm_map, 100), shown(sfm_map, 100)
    assert len(few) == 100 and few.num_all == sfm_map.model.num_points
    assert np.array_equal(few.xyz, again.xyz) and np.array_equal(few.rgb, again.rgb)
    whole = shown(sfm_map, 10**6)
    assert np.abs(few.xyz.mean(axis=0) - whole.xyz.mean(axis=0)).max() < 1
    rows = {tuple(point) for point in whole.xyz.tolist()}
    assert all(tuple(point) in rows for point in few.xyz.tolist())


def test_landmarks_without_colour_are_not_black(sfm_map: Map) -> None:
    model = replace(sfm_map.model, rgb=np.zeros_like(sfm_map.model.rgb))
    cloud = shown(replace(sfm_map, model=model), 10)
    assert (cloud.rgb == NO_COLOUR).all()


def test_points_that_are_no_numbers_are_left_out(sfm_map: Map) -> None:
    xyz = sfm_map.model.xyz.copy()
    xyz[3] = np.nan
    cloud = shown(replace(sfm_map, model=replace(sfm_map.model, xyz=xyz)), 10**6)
    assert len(cloud) == sfm_map.model.num_points - 1 and np.isfinite(cloud.xyz).all()


def test_a_surface_is_shown_in_place_of_landmarks(sfm_map: Map) -> None:
    surface = plane(5000)
    cloud = shown(replace(sfm_map, surface=surface), 1250)
    assert cloud.source == "surface" and len(cloud) == 1250 and cloud.num_all == 5000
    scale = choose_frame(sfm_map).scale
    # a quarter of the points has twice the distance
    expected = np.clip(2 * 2 * 0.02 * scale, *SURFACE_SIZE_LIMITS)
    assert cloud.size == pytest.approx(expected)


def test_a_stored_surface_gives_an_even_share_of_each_tile(sfm_map: Map, tmp_path: Path) -> None:
    sfm_map.save(tmp_path / "map")
    write_surface(tmp_path / "map", [plane(20_000)], sfm_map.fingerprint, {})
    opened = Map.open(tmp_path / "map")
    cloud = shown(opened, 5000)
    assert 4900 <= len(cloud) <= 5000 and cloud.num_all == len(opened.surface or ())
    quarters, _, _ = np.histogram2d(cloud.xyz[:, 0], cloud.xyz[:, 1], bins=2)
    assert quarters.min() > 0.8 * quarters.max()
    assert np.array_equal(cloud.xyz, shown(opened, 5000).xyz)


def test_a_mesh_keeps_its_triangles_up_to_the_limit(sfm_map: Map) -> None:
    corners = plane(4)
    mesh = replace(corners, triangles=np.array([[0, 1, 2], [1, 2, 3]], np.int32))
    whole = shown(replace(sfm_map, surface=mesh), 2)
    assert whole.triangles is not None and whole.triangles.tolist() == [[0, 1, 2], [1, 2, 3]]
    vertices = shown(replace(sfm_map, surface=mesh), 1)
    assert vertices.triangles is None and len(vertices) == 1


def test_blocks_hold_each_point_once_within_a_quarter_of_its_size() -> None:
    rng = np.random.default_rng(2)
    count = 3 * BLOCK_POINTS + 17
    xyz = rng.uniform(-40, 40, (count, 3)).astype(np.float32)
    rgb = rng.integers(0, 256, (count, 3), np.uint8)
    cloud = PointCloud(xyz, rgb, None, 0.1, count, "surface")
    parts = list(blocks(cloud))
    assert all(len(part.offsets) <= BLOCK_POINTS for part in parts)
    assert all(part.is_half for part in parts)
    sent = [part.origin + part.offsets.astype(np.float16).astype(np.float64) for part in parts]
    # points and colours stay together: sort both by colour and x
    joined, colours = np.concatenate(sent), np.concatenate([part.rgb for part in parts])
    order, expected = (
        np.lexsort((points[:, 0], *colour.T))
        for points, colour in ((joined, colours), (xyz.astype(np.float64), rgb))
    )
    assert np.array_equal(colours[order], rgb[expected])
    assert np.abs(joined[order] - xyz[expected]).max() <= cloud.size / 4 + 1e-6


def test_blocks_that_half_floats_would_blur_are_sent_in_full() -> None:
    xyz = np.array([[0, 0, 0], [1, 0, 0], [5e5, 0, 0]], np.float32)
    cloud = PointCloud(xyz, np.zeros((3, 3), np.uint8), None, 0.02, 3, "landmarks")
    (part,) = blocks(cloud)
    assert not part.is_half
    empty = PointCloud(xyz[:0], np.zeros((0, 3), np.uint8), None, 0.02, 0, "landmarks")
    assert list(blocks(empty)) == []
