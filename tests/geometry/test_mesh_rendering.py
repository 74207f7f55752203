"""Triangles rendered by ray casting."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.errors import MissingDependencyError, ShapeError
from hloc_lite.geometry.mesh_rendering import MeshRenderer
from hloc_lite.geometry.surface_rendering import render_surface
from hloc_lite.types import Camera, Rigid3, Surface
from tests.geometry.test_surface_rendering import AT_ORIGIN, CAMERA, plane_depth, points


def quad(z: float, size: float, colour: object, slope: float = 0.0) -> Surface:
    corners = np.array([[-size, -size], [size, -size], [size, size], [-size, size]])
    xyz = np.column_stack([corners, z - slope * corners[:, 0]])
    return points(xyz, colour, triangles=[[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize("model", ["PINHOLE", "SIMPLE_RADIAL"])
def test_a_slanted_plane_is_exact(model: str) -> None:
    pytest.importorskip("open3d")
    camera = CAMERA if model == "PINHOLE" else Camera(model, 80, 60, [60.0, 40.0, 30.0, -0.15])
    view = render_surface(quad(3.0, 20.0, (9, 8, 7), slope=0.3), camera, AT_ORIGIN)
    normal = np.array([0.3, 0, 1])
    expected = plane_depth(camera, normal, 3.0 / np.linalg.norm(normal))
    assert view.mask.all() and (view.rgb == [9, 8, 7]).all()
    np.testing.assert_allclose(view.depth, expected, rtol=1e-4)
    assert view.normals is not None
    np.testing.assert_allclose(view.normals[30, 40], -normal / np.linalg.norm(normal), atol=1e-5)


def test_the_nearer_triangle_hides_the_other_and_the_rest_is_empty() -> None:
    pytest.importorskip("open3d")
    near, far = quad(2.0, 0.25, (255, 0, 0)), quad(4.0, 1.0, (0, 0, 255))
    both = Surface(
        np.vstack([near.xyz, far.xyz]),
        np.vstack([near.rgb, far.rgb]),
        triangles=np.vstack([near.triangles, far.triangles + 4]),  # type: ignore[operator, list-item]
    )
    turn = Rigid3(np.diag([-1.0, 1.0, -1.0]), np.array([0.0, 0.0, 6.0]))  # from the other side
    view = render_surface(both, CAMERA, AT_ORIGIN)
    assert view.depth[29, 41] == pytest.approx(2) and view.rgb[29, 41].tolist() == [255, 0, 0]
    assert not view.mask[0, 0]
    behind = render_surface(both, CAMERA, turn)
    assert behind.depth[29, 41] == pytest.approx(2) and behind.rgb[29, 41].tolist() == [0, 0, 255]


def test_colours_are_interpolated() -> None:
    pytest.importorskip("open3d")
    surface = quad(2.0, 20.0, [[0, 0, 0], [200, 0, 0], [200, 0, 0], [0, 0, 0]])
    row = render_surface(surface, CAMERA, AT_ORIGIN).rgb[30, :, 0].astype(int)
    assert (np.diff(row) >= 0).all() and 90 < row[41] < 110


def test_an_empty_mesh_gives_an_empty_view() -> None:
    pytest.importorskip("open3d")
    empty = points(np.zeros((0, 3)), triangles=np.zeros((0, 3), np.int32))
    assert not render_surface(empty, CAMERA, AT_ORIGIN).mask.any()


def test_points_have_no_mesh() -> None:
    with pytest.raises(ShapeError, match="triangles"):
        MeshRenderer(points([0, 0, 1]))


def test_without_open3d_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "open3d", None)
    with pytest.raises(MissingDependencyError, match=r"hloc-lite\[depth\]"):
        render_surface(quad(2.0, 1.0, 0), CAMERA, AT_ORIGIN)
