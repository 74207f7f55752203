"""Making of surfaces: fusion of depth images and scans, outliers, normals, memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hloc_lite.config import SurfaceConfig
from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.formats.ply import write_ply
from hloc_lite.geometry.point_fusion import PointSamples, coarse_to_fine_order, voxel_means
from hloc_lite.geometry.surface_rendering import render_surface
from hloc_lite.mapping.surface import surface_from_depth, surface_from_file
from hloc_lite.mapping.surface_fusion import fuse_points
from hloc_lite.mapping.surface_sources import samples_from_depth
from hloc_lite.maps.surface_tiles import join_surfaces
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, DepthMap, Float32, Rigid3, Surface

CAMERA = Camera("SIMPLE_RADIAL", 160, 120, [150.0, 80.0, 60.0, -0.05])
NO_POINTS = np.zeros((0, 3))


def samples(xyz: np.ndarray, towards: object = (0, 0, -1), grey: float = 100.0) -> PointSamples:
    count = len(xyz)
    return PointSamples(
        xyz.astype(np.float32),
        np.full((count, 3), grey, np.float32),
        np.tile(np.asarray(towards, np.float32), (count, 1)),
        np.ones(count, np.float32),
    )


def plane_points(rng: np.random.Generator, count: int, noise: float = 0.0) -> np.ndarray:
    xy = rng.uniform(-1, 1, (count, 2))
    return np.column_stack([xy, 3 + 0.5 * xy[:, 0] + rng.normal(0, noise, count)])


class Room:
    """``MapDepth`` of cameras that look at the plane z = 3 + x / 2, with a box before it."""

    def __init__(self) -> None:
        corners = np.array([-2.5, 0.0, 2.5])
        self.poses = [Rigid3(np.eye(3), np.array([-x / 5, 0.0, 0.0])) for x in corners]
        grid = np.stack(np.meshgrid(np.linspace(-4, 4, 700), np.linspace(-3, 3, 520)), -1)
        xy = grid.reshape(-1, 2)
        plane = np.column_stack([xy, 3 + 0.5 * xy[:, 0]])
        box = np.column_stack([xy / 10, np.full(len(xy), 1.5)])
        self.truth = Surface(np.vstack([plane, box]), np.zeros((2 * len(xy), 3), np.uint8))
        images = tuple(
            SfmImage(n + 1, f"{n}.jpg", 1, pose, NO_POINTS[:, :2], np.zeros(0))
            for n, pose in enumerate(self.poses)
        )
        self.model = SfmModel({1: CAMERA}, images, np.zeros(0), NO_POINTS, NO_POINTS, np.zeros(0))

    def depth_of(self, image_name: str) -> DepthMap | None:
        image = self.model.image_named(image_name)
        assert image is not None
        view = render_surface(self.truth, CAMERA, image.cam_from_world)
        return DepthMap(view.depth, (CAMERA.width, CAMERA.height))


@pytest.fixture(scope="module")
def room() -> Room:
    return Room()


def test_depth_finer_than_the_voxels_is_thinned(room: Room) -> None:
    found = room.depth_of("1.jpg")
    assert found is not None
    fine, coarse, all_of_it = (
        samples_from_depth(found, None, CAMERA, room.poses[1], 0.05, spacing)
        for spacing in (0.02, 0.1, 0.0)
    )
    # a pixel at depth 3 is 0.02 wide
    assert len(fine) == len(all_of_it) and 1 / 40 < len(coarse) / len(all_of_it) < 1 / 8
    known = {tuple(point) for point in all_of_it.xyz.tolist()}
    assert known.issuperset(map(tuple, coarse.xyz.tolist()))


def test_a_surface_from_depth_lies_on_the_truth(room: Room) -> None:
    surface = join_surfaces(list(surface_from_depth(room.model, room, None)))
    x, _, z = surface.xyz.astype(np.float64).T
    is_box = z < 2
    assert 1000 < is_box.sum() < (~is_box).sum()
    np.testing.assert_allclose(z[is_box], 1.5, atol=1e-3)
    off = (z - 3 - 0.5 * x)[~is_box] * np.cos(np.arctan(0.5))
    assert np.quantile(np.abs(off), 0.99) < 0.01  # no point flies between box and plane
    assert np.abs(off).max() < 0.05
    assert surface.normals is not None
    normal = np.array([0.5, 0, -1]) / np.sqrt(1.25)  # towards the cameras
    assert np.median(surface.normals[~is_box] @ normal) > 0.999


def test_a_surface_from_depth_can_be_rendered_elsewhere(room: Room) -> None:
    surface = join_surfaces(list(surface_from_depth(room.model, room, None)))
    pose = Rigid3(np.eye(3), np.array([0.25, 0.05, -0.2]))
    expected = render_surface(room.truth, CAMERA, pose, scale=0.5)
    view = render_surface(surface, CAMERA, pose, scale=0.5)
    both = view.mask & expected.mask
    assert both.mean() > 0.8
    errors = np.abs(view.depth - expected.depth)[both]
    assert np.median(errors) < 0.005 and (errors < 0.05).mean() > 0.97


def test_depth_of_no_image_is_an_error(room: Room) -> None:
    class Nothing:
        def depth_of(self, image_name: str) -> DepthMap | None:
            return None

    with pytest.raises(HlocLiteError, match="none of the map images has a depth"):
        surface_from_depth(room.model, Nothing(), None)


def test_voxels_average_by_weight() -> None:
    xyz = np.array([[0.1, 0.1, 0.1], [0.3, 0.1, 0.1], [1.5, 0.5, 0.5]], np.float32)
    weights = np.array([3, 1, 1], np.float32)
    rgb = np.array([[0, 0, 0], [100, 0, 0], [7, 7, 7]], np.float32)
    fused = voxel_means(PointSamples(xyz, rgb, np.zeros((3, 3), np.float32), weights), 1.0)
    order = np.argsort(fused.xyz[:, 0])
    np.testing.assert_allclose(fused.xyz[order], [[0.15, 0.1, 0.1], [1.5, 0.5, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(fused.rgb[order], [[25, 0, 0], [7, 7, 7]])
    np.testing.assert_allclose(fused.weights[order], [4, 1])


def test_fusion_does_not_depend_on_memory_or_order() -> None:
    rng = np.random.default_rng(0)
    blocks = [samples(plane_points(rng, 3000, 0.002)) for _ in range(6)]
    roomy, tight = SurfaceConfig(), SurfaceConfig(max_points=1000)
    one = join_surfaces(list(fuse_points(blocks, 0.02, roomy)))
    other = join_surfaces(list(fuse_points(blocks[::-1], 0.02, tight)))

    def ordered(surface: Surface) -> Float32:
        cells = np.floor(surface.xyz / 0.02)
        return surface.xyz[np.lexsort(cells.T)]

    assert abs(len(one) - len(other)) <= 0.002 * len(one)
    if len(one) == len(other):
        np.testing.assert_allclose(ordered(one), ordered(other), atol=1e-3)


def test_outliers_are_removed_and_noise_is_averaged() -> None:
    rng = np.random.default_rng(1)
    flying = rng.uniform([-1, -1, 0.5], [1, 1, 2], (60, 3))
    blocks = [samples(np.vstack([plane_points(rng, 40000, 0.01), flying]))]
    surface = join_surfaces(list(fuse_points(blocks, 0.05, SurfaceConfig(tile_voxels=1000))))
    off = np.abs(surface.xyz[:, 2] - 3 - 0.5 * surface.xyz[:, 0])
    assert (off > 0.3).sum() <= 2  # of 60
    assert np.median(off) < 0.006  # of single points 0.0067
    assert surface.radii is not None and 0.01 < np.median(surface.radii) < 0.04


def test_points_without_a_known_side_have_no_normals() -> None:
    rng = np.random.default_rng(2)
    blocks = [samples(plane_points(rng, 5000), towards=(0, 0, 0))]
    assert join_surfaces(list(fuse_points(blocks, 0.02, SurfaceConfig()))).normals is None


def test_a_point_seen_from_opposite_sides_costs_the_others_no_normals() -> None:
    plane = plane_points(np.random.default_rng(5), 5000)
    point = plane[:1]
    blocks = [samples(plane[1:]), samples(point), samples(point, towards=(0, 0, 1))]
    surface = join_surfaces(list(fuse_points(blocks, 0.001, SurfaceConfig(tile_voxels=4096))))
    assert surface.normals is not None and len(surface) > 4000


def test_coordinates_beyond_float32_are_refused() -> None:
    far = plane_points(np.random.default_rng(3), 100) + np.array([5e6, 0, 0])
    with pytest.raises(FormatError, match="subtract an offset"):
        list(fuse_points([samples(far)], 0.01, SurfaceConfig()))


def test_a_cloud_and_a_mesh_of_a_file(tmp_path: Path) -> None:
    xyz = plane_points(np.random.default_rng(4), 20000)
    normals = np.tile([0.447, 0, -0.894], (len(xyz), 1))
    cloud = Surface(xyz, np.full((len(xyz), 3), 50, np.uint8), normals)
    write_ply(tmp_path / "cloud.ply", [cloud])
    surface = join_surfaces(list(surface_from_file(tmp_path / "cloud.ply")))
    assert 2000 < len(surface) <= 20000 and surface.normals is not None
    assert (surface.normals[:, 2] < -0.8).mean() > 0.99 and (surface.rgb == 50).all()
    mesh = Surface(xyz[:3], np.full((3, 3), 9, np.uint8), triangles=[[0, 1, 2]])  # type: ignore[arg-type]
    write_ply(tmp_path / "mesh.ply", [mesh])
    (found,) = surface_from_file(tmp_path / "mesh.ply")
    assert found.triangles is not None and found.triangles.tolist() == [[0, 1, 2]]


def test_prefixes_of_the_stored_order_are_spread_evenly() -> None:
    rng = np.random.default_rng(6)
    xyz = np.column_stack([rng.random((30000, 2)), np.zeros(30000)]).astype(np.float32)
    order = coarse_to_fine_order(xyz)
    assert sorted(order) == list(range(len(xyz)))
    places = rng.random((2000, 2))
    for count in (300, 1000, 5000):

        def gap(rows: np.ndarray, count: int = count) -> float:
            distances = cKDTree(xyz[rows[:count], :2]).query(places)[0]
            return float(np.quantile(distances * np.sqrt(count), 0.99))

        assert gap(order) < 0.85 * gap(rng.permutation(len(xyz)))
