"""Surface of a map: storage in tiles, parts in view, copies with the map, damage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.geometry.surface_rendering import render_surface
from hloc_lite.maps import surface_saving
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.folder import SURFACE
from hloc_lite.maps.map import Map
from hloc_lite.maps.surface import StoredSurface
from hloc_lite.maps.surface_depth import SurfaceDepth, check_surface
from hloc_lite.maps.surface_saving import write_surface
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Rigid3, Surface
from tests.exact_scene import ExactScene

CAMERA = Camera("PINHOLE", 80, 60, [70.0, 70.0, 40.0, 30.0])


def wall(depth: float = 4.0, spacing: float = 0.02, half: float = 4.0) -> Surface:
    """Square wall across the optical axis of a camera at the origin."""
    steps = np.arange(-half, half, spacing)
    x, y = (each.ravel() for each in np.meshgrid(steps, steps))
    xyz = np.column_stack([x, y, np.full(len(x), depth)])
    rgb = np.column_stack([x, y, 0 * x]) * 20 + 128
    normals = np.tile([0.0, 0.0, -1.0], (len(x), 1))
    return Surface(xyz, rgb.astype(np.uint8), normals, np.full(len(x), spacing / 2))


def test_points_come_back(tmp_path: Path) -> None:
    first, second = wall(4.0, 0.1), wall(6.0, 0.1)
    stored = write_surface(tmp_path, [first, second], "map", {"source": "test"})
    assert len(stored) == len(first) + len(second) and len(stored.tiles) == 2
    found = StoredSurface(tmp_path / SURFACE).whole()
    order = np.lexsort(found.xyz.T)
    expected = np.vstack([first.xyz, second.xyz])
    rows = np.lexsort(expected.T)
    np.testing.assert_array_equal(found.xyz[order], expected[rows])
    np.testing.assert_array_equal(found.rgb[order], np.vstack([first.rgb, second.rgb])[rows])
    assert found.normals is not None and found.radii is not None
    np.testing.assert_allclose(found.normals, np.tile([0, 0, -1], (len(found), 1)), atol=1e-6)
    np.testing.assert_allclose(found.radii, 0.05, rtol=1e-3)
    bytes_per_point = (tmp_path / SURFACE / "tiles/000000.npy").stat().st_size / len(first)
    assert bytes_per_point < 20.2


def test_large_parts_are_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface_saving, "MAX_TILE_POINTS", 1000)
    stored = write_surface(tmp_path, [wall(4.0, 0.1)], "map", {})
    assert len(stored) == 6400 and max(tile.count for tile in stored.tiles) <= 1000
    areas = [np.prod((tile.high - tile.low)[:2]) for tile in stored.tiles]
    assert max(areas) < 64 / 6  # each is a region of its own


def test_only_tiles_in_view_are_loaded(tmp_path: Path) -> None:
    front, behind = wall(4.0, 0.05, 1.0), wall(-4.0, 0.05, 1.0)
    stored = write_surface(tmp_path, [front, behind], "map", {})
    seen = stored.seen_from(CAMERA, Rigid3.identity())
    assert (seen.xyz[:, 2] == 4).all()
    assert list(stored._checked) == ["000000"]


def test_far_tiles_are_coarser_and_still_closed(tmp_path: Path) -> None:
    stored = write_surface(tmp_path, [wall(40.0, 0.02, 10.0)], "map", {})
    seen = stored.seen_from(CAMERA, Rigid3.identity())
    assert len(seen) < len(stored) / 50
    view = render_surface(stored, CAMERA, Rigid3.identity())
    inner = view.depth[15:45, 25:55]  # the wall ends beyond it
    np.testing.assert_allclose(inner, 40.0, rtol=1e-4)


def test_a_view_of_a_vast_surface_loads_few_points(tmp_path: Path) -> None:
    walls = [wall(depth, 0.01, 1.0 + depth / 8) for depth in (1.0, 2.0, 3.0, 4.0, 5.0)]
    small = Camera("PINHOLE", 40, 30, CAMERA.params / 2)
    stored = write_surface(tmp_path, walls, "map", {})
    seen = stored.seen_from(small, Rigid3.identity())
    assert len(seen) <= 16.1 * small.width * small.height < len(stored) / 10
    view = render_surface(stored, small, Rigid3.identity())
    inner = view.depth[3:27, 3:37]
    assert (np.abs(inner - 1.0) < 1e-4).mean() > 0.98  # the others are hidden


def test_a_mesh_is_divided_and_rendered_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("open3d")
    side = 20
    x, y = (
        each.ravel() for each in np.meshgrid(np.linspace(-4, 4, side), np.linspace(-4, 4, side))
    )
    xyz = np.column_stack([x, y, 4 + 0.3 * x])
    corner = np.arange(side * side).reshape(side, side)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    faces = np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    )
    mesh = Surface(xyz, np.full((len(xyz), 3), 77), triangles=faces)
    monkeypatch.setattr(surface_saving, "MAX_TILE_POINTS", 300)
    stored = write_surface(tmp_path, [mesh], "map", {})
    assert stored.is_mesh and len(stored.tiles) > 3
    expected = render_surface(mesh, CAMERA, Rigid3.identity())
    found = render_surface(stored, CAMERA, Rigid3.identity())
    np.testing.assert_allclose(found.depth, expected.depth, rtol=1e-5)


def test_a_changed_tile_is_refused(tmp_path: Path) -> None:
    write_surface(tmp_path, [wall(4.0, 0.1)], "map", {})
    path = tmp_path / SURFACE / "tiles/000000.npy"
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(FormatError, match="damaged or was changed"):
        StoredSurface(tmp_path / SURFACE).whole()


def test_parts_for_a_file_all_have_normals_or_none(tmp_path: Path) -> None:
    first, second = wall(4.0, 0.1), wall(6.0, 0.1)
    both = write_surface(tmp_path, [first, second], "map", {})
    assert all(part.normals is not None for part in both.equal_parts())
    mixed = write_surface(tmp_path, [first, replace(second, normals=None)], "map", {})
    assert all(part.normals is None for part in mixed.equal_parts())
    assert sum(map(len, mixed.equal_parts())) == len(first) + len(second)


def test_nothing_is_no_surface(tmp_path: Path) -> None:
    empty = Surface(np.zeros((0, 3)), np.zeros((0, 3)))
    with pytest.raises(HlocLiteError, match="no points"):
        write_surface(tmp_path, [empty], "map", {})
    assert not (tmp_path / SURFACE).exists()


def test_the_surface_is_saved_with_the_map(
    exact_map: tuple[ExactScene, Map], tmp_path: Path
) -> None:
    sfm_map = replace(exact_map[1], surface=wall(4.0, 0.1))
    sfm_map.save(tmp_path / "a")
    opened = Map.open(tmp_path / "a")
    assert isinstance(opened.surface, StoredSurface) and len(opened.surface) == 6400
    opened.save(tmp_path / "b")  # a copy
    again = Map.open(tmp_path / "b")
    assert isinstance(again.surface, StoredSurface) and len(again.surface) == 6400
    assert again.surface.folder == tmp_path / "b" / SURFACE
    again.save(tmp_path / "b")  # onto itself
    assert Map.open(tmp_path / "b").surface is not None
    replace(again, surface=None).save(tmp_path / "b")
    assert Map.open(tmp_path / "b").surface is None
    assert not (tmp_path / "b" / SURFACE).exists()


def test_compact_maps_keep_it_by_choice(exact_map: tuple[ExactScene, Map], tmp_path: Path) -> None:
    sfm_map = replace(exact_map[1], surface=wall(4.0, 0.1))
    compress_map(sfm_map, tmp_path / "with", keep_surface=True)
    assert Map.open(tmp_path / "with").surface is not None
    compress_map(sfm_map, tmp_path / "with", overwrite=True)
    assert Map.open(tmp_path / "with").surface is None


@pytest.mark.parametrize("damage", ["other map", "text"])
def test_a_surface_that_does_not_belong_is_ignored(
    exact_map: tuple[ExactScene, Map],
    tmp_path: Path,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    exact_map[1].save(tmp_path)
    write_surface(tmp_path, [wall(4.0, 0.1)], "another", {})
    if damage == "text":
        (tmp_path / SURFACE / "map.json").write_text(json.dumps({"schema": "x"}))
    assert Map.open(tmp_path).surface is None
    assert "hloc-lite surface" in caplog.text


def model_of(exact_map: tuple[ExactScene, Map]) -> tuple[SfmModel, Surface]:
    """Model, and a dense cloud around its points: the nearest map points, repeated."""
    model = exact_map[1].model
    return model, Surface(model.xyz, model.rgb, None, np.full(model.num_points, 0.02))


def test_depth_of_map_images_is_that_of_their_points(exact_map: tuple[ExactScene, Map]) -> None:
    model, cloud = model_of(exact_map)
    found = check_surface(cloud, model, "the cloud")
    assert found.num_points > 100 and found.disagreement < 0.03
    depth = SurfaceDepth(cloud, model)
    assert depth.depth_of("nowhere.jpg") is None
    seen = depth.depth_of(model.images[0].name)
    camera = model.cameras[model.images[0].camera_id]
    assert seen is not None and seen.image_size == (camera.width, camera.height)


@pytest.mark.parametrize("fault", ["scale", "frame"])
def test_a_surface_in_another_frame_or_unit_is_refused(
    exact_map: tuple[ExactScene, Map], fault: str
) -> None:
    model, cloud = model_of(exact_map)
    center = model.images[0].cam_from_world.center
    scaled = (cloud.xyz - center) * 1.3 + center  # as seen from the cameras
    xyz = scaled if fault == "scale" else cloud.xyz + 1000
    wrong = Surface(xyz, cloud.rgb, None, cloud.radii)
    with pytest.raises(FormatError, match="another frame or unit"):
        check_surface(wrong, model, "scan.ply")
