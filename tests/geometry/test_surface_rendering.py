"""Views of surfaces: exact planes, occlusion, pixel convention, holes, distortion, back faces."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.config import RenderingConfig
from hloc_lite.errors import ConfigError, FormatError, ShapeError
from hloc_lite.geometry.cameras import bearings, cam_from_img, img_from_cam
from hloc_lite.geometry.surface_rendering import render_surface
from hloc_lite.types import Camera, Float64, Rigid3, Surface

CAMERA = Camera("PINHOLE", 80, 60, [70.0, 72.0, 41.0, 29.0])
AT_ORIGIN = Rigid3.identity()


def points(xyz: object, colour: object = (10, 20, 30), **others: object) -> Surface:
    xyz = np.asarray(xyz, np.float32).reshape(-1, 3)
    rgb = np.broadcast_to(np.asarray(colour, np.uint8), xyz.shape)
    return Surface(xyz, rgb, **others)  # type: ignore[arg-type]


def plane(normal: Float64, offset: float, spacing: float, colour: object = (200, 0, 0)) -> Surface:
    """Square grid of points on normal . x = offset, in the frame of a camera that sees it."""
    normal = np.asarray(normal, np.float64) / np.linalg.norm(normal)
    first = np.cross(normal, [0.0, 1.0, 0.0])
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    steps = np.arange(-8, 8, spacing)
    a, b = (each.ravel()[:, None] for each in np.meshgrid(steps, steps))
    xyz = normal * offset + a * first + b * second
    towards = normal if offset < 0 else -normal
    return points(
        xyz,
        colour,
        normals=np.tile(towards, (len(xyz), 1)),
        radii=np.full(len(xyz), spacing / 2),
    )


def rays(camera: Camera) -> Float64:
    """(H, W, 2) points of the z = 1 plane behind the pixels' centres."""
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    return cam_from_img(camera, np.stack([columns, rows], -1))


def plane_depth(camera: Camera, normal: object, offset: float) -> Float64:
    normal = np.asarray(normal, np.float64) / np.linalg.norm(np.asarray(normal, np.float64))
    seen = rays(camera)
    return offset / (normal[0] * seen[..., 0] + normal[1] * seen[..., 1] + normal[2])


@pytest.mark.parametrize("normal", [(0, 0, 1), (0.5, 0, 1), (0.4, -0.5, 1)])
@pytest.mark.parametrize("spacing", [0.02, 0.15])
def test_a_plane_has_exact_depths(normal: tuple[float, ...], spacing: float) -> None:
    view = render_surface(plane(np.array(normal), 3.0, spacing), CAMERA, AT_ORIGIN)
    assert view.mask.all()
    np.testing.assert_allclose(view.depth, plane_depth(CAMERA, normal, 3.0), rtol=1e-4)
    assert (view.rgb == [200, 0, 0]).all()
    assert view.normals is not None
    unit = -np.array(normal) / np.linalg.norm(normal)
    np.testing.assert_allclose(view.normals, np.broadcast_to(unit, view.normals.shape), atol=1e-5)


def test_a_distorted_camera_sees_the_same_plane() -> None:
    camera = Camera("SIMPLE_RADIAL", 80, 60, [60.0, 40.0, 30.0, -0.15])
    view = render_surface(plane(np.array([0.3, 0.1, 1]), 3.0, 0.02), camera, AT_ORIGIN)
    expected = plane_depth(camera, (0.3, 0.1, 1), 3.0)
    assert view.mask.all()
    np.testing.assert_allclose(view.depth, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("pixel", "drawn"),
    [((0.5, 0.5), (0, 0)), ((0.01, 0.99), (0, 0)), ((1.01, 0.5), (0, 1)), ((79.9, 59.9), (59, 79))],
)
def test_a_point_is_drawn_in_the_pixel_that_holds_it(
    pixel: tuple[float, float], drawn: tuple[int, int]
) -> None:
    ray = bearings(CAMERA, np.array(pixel))
    view = render_surface(points(ray * 4), CAMERA, AT_ORIGIN)
    assert np.argwhere(view.mask).tolist() == [list(drawn)]
    assert view.depth[drawn] == pytest.approx(4 * ray[2], rel=1e-6)
    assert view.rgb[drawn].tolist() == [10, 20, 30]


def test_a_point_outside_the_image_is_not_drawn() -> None:
    outside = np.array([[-0.2, 5], [80.2, 5], [5, -0.2], [5, 60.2]])
    assert not render_surface(points(bearings(CAMERA, outside)), CAMERA, AT_ORIGIN).mask.any()


@pytest.mark.parametrize("side", [1, 2, 3, 6])
def test_a_splat_covers_its_size_around_the_point(side: int) -> None:
    camera = Camera("PINHOLE", 40, 40, [50.0, 50.0, 20.0, 20.0])
    radius = side * 2.0 / (2 * 50.0 * RenderingConfig().splat_overlap)
    middle = 20.5 if side % 2 else 20.0  # symmetric about the pixels
    center = np.append(cam_from_img(camera, np.array([middle, middle])) * 2.0, 2.0)
    view = render_surface(points(center, radii=[radius]), camera, AT_ORIGIN)
    rows, columns = np.nonzero(view.mask)
    assert len(rows) == side**2
    assert np.mean(rows) + 0.5 == np.mean(columns) + 0.5 == middle


def test_splats_are_no_larger_than_allowed() -> None:
    config = RenderingConfig(max_splat_px=5)
    view = render_surface(points([0, 0, 2], radii=[0.9]), CAMERA, AT_ORIGIN, config=config)
    assert view.mask.sum() == 25


def test_the_nearer_surface_hides_the_other() -> None:
    near = plane(np.array([0, 0, 1]), 2.0, 0.02, (255, 255, 255))
    near = near.subset(near.xyz[:, 0] < 0)
    far = plane(np.array([0, 0, 1]), 5.0, 0.05, (0, 0, 255))
    for first, second in ((near, far), (far, near)):  # whatever their order
        both = Surface(
            np.vstack([first.xyz, second.xyz]),
            np.vstack([first.rgb, second.rgb]),
            radii=np.concatenate([first.radii, second.radii]),  # type: ignore[list-item]
        )
        view = render_surface(both, CAMERA, AT_ORIGIN)
        assert (view.depth[:, :40] == 2).all() and (view.depth[:, 43:] == 5).all()
        assert (view.rgb[:, :40] == 255).all() and (view.rgb[:, 43:] == [0, 0, 255]).all()


def test_colours_in_a_pixel_are_averaged_on_one_surface_only() -> None:
    ray = bearings(CAMERA, np.array([10.5, 10.5]))
    xyz = ray * np.array([[3.0], [3.01], [6.0]])
    colours = [[100, 0, 0], [0, 100, 0], [0, 0, 255]]
    view = render_surface(points(xyz, colours), CAMERA, AT_ORIGIN)
    assert view.rgb[10, 10].tolist() == [50, 50, 0]


def test_points_seen_from_behind_are_not_drawn() -> None:
    wall = plane(np.array([0, 0, 1.0]), 3.0, 0.05)
    assert wall.normals is not None
    behind = Surface(wall.xyz, wall.rgb, -wall.normals, wall.radii)
    assert not render_surface(behind, CAMERA, AT_ORIGIN).mask.any()


def test_points_behind_the_camera_or_in_it_are_not_drawn() -> None:
    xyz = [[0, 0, -2], [0, 0, 0], [0.001, 0, 0.004], [np.nan, 0, 2], [0, 0, np.inf]]
    assert not render_surface(points(xyz, radii=[0.01] * 5), CAMERA, AT_ORIGIN).mask.any()


def test_a_camera_elsewhere_and_far_from_the_origin() -> None:
    rotation = Rigid3(np.array([[0, 0, -1.0], [0, 1, 0], [1, 0, 0]]), np.array([0.1, -0.2, 0.3]))
    shift = np.array([5000.0, -3000.0, 70.0])
    wall = plane(np.array([0.3, 0, 1]), 3.0, 0.05)
    world = rotation.inverse().apply(wall.xyz)
    here = Surface(world, wall.rgb, wall.normals @ rotation.rotation, wall.radii)
    there = Surface(world + shift, wall.rgb, here.normals, wall.radii)
    moved = Rigid3(rotation.rotation, rotation.translation - rotation.rotation @ shift)
    expected = plane_depth(CAMERA, (0.3, 0, 1), 3.0)
    np.testing.assert_allclose(render_surface(here, CAMERA, rotation).depth, expected, rtol=1e-3)
    # float32 has steps of half a millimetre at 5000 units
    np.testing.assert_allclose(render_surface(there, CAMERA, moved).depth, expected, rtol=1e-3)


def test_single_pixel_holes_are_closed_and_wide_ones_are_not() -> None:
    wall = plane(np.array([0, 0, 1.0]), 3.0, 0.01)
    pixels = np.floor(img_from_cam(CAMERA, wall.xyz.astype(np.float64)))
    gap = (pixels == [20, 20]).all(axis=1) | (np.abs(pixels - [50, 40]) <= 3).all(axis=1)
    bare = Surface(wall.xyz[~gap], wall.rgb[~gap])
    view = render_surface(bare, CAMERA, AT_ORIGIN)
    assert view.depth[20, 20] == pytest.approx(3) and view.rgb[20, 20].tolist() == [200, 0, 0]
    assert not view.mask[38:43, 48:53].any()
    open_view = render_surface(
        bare, CAMERA, AT_ORIGIN, config=RenderingConfig(min_hole_neighbours=9)
    )
    assert not open_view.mask[20, 20]


def test_background_does_not_shine_through_a_gap() -> None:
    near, far = (plane(np.array([0, 0, 1.0]), z, 0.01 * z / 3, c) for z, c in ((3.0, 90), (9.0, 7)))
    pixels = np.floor(img_from_cam(CAMERA, near.xyz.astype(np.float64)))
    near = near.subset(~(pixels == [20, 20]).all(axis=1))
    both = Surface(np.vstack([near.xyz, far.xyz]), np.vstack([near.rgb, far.rgb]))
    view = render_surface(both, CAMERA, AT_ORIGIN)
    assert view.depth[20, 20] == pytest.approx(3) and (view.rgb[20, 20] == 90).all()


def test_scale_is_that_of_the_image() -> None:
    wall = plane(np.array([0.4, 0, 1.0]), 3.0, 0.02)
    view = render_surface(wall, CAMERA, AT_ORIGIN, scale=0.25)
    assert view.depth.shape == (15, 20)
    small = Camera("PINHOLE", 20, 15, CAMERA.params / 4)
    np.testing.assert_allclose(view.depth, plane_depth(small, (0.4, 0, 1), 3.0), rtol=1e-4)


def test_an_empty_surface_gives_an_empty_view() -> None:
    view = render_surface(points(np.zeros((0, 3))), CAMERA, AT_ORIGIN)
    assert view.coverage == 0 and np.isnan(view.depth).all() and not view.rgb.any()


@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf, 0.001])
def test_a_useless_scale_is_refused(scale: float) -> None:
    with pytest.raises(ConfigError, match="scale"):
        render_surface(points([0, 0, 1]), CAMERA, AT_ORIGIN, scale=scale)


def test_a_panorama_is_refused() -> None:
    with pytest.raises(FormatError, match="EQUIRECTANGULAR"):
        render_surface(points([0, 0, 1]), Camera("EQUIRECTANGULAR", 80, 40, [80, 40]), AT_ORIGIN)


def test_triangles_must_name_vertices() -> None:
    with pytest.raises(ShapeError, match="rows of 3 vertices"):
        points(np.eye(3), triangles=[[0, 1, 3]])
