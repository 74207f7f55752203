"""Draws a ``Scene`` into a viser server, and changes what is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import trimesh
import viser

from hloc_lite.types import Float64, UInt8
from hloc_lite.viz.colors import ERROR_LINE, MAP_CAMERA, TRUTH, linear_rgb
from hloc_lite.viz.ellipsoids import Ellipsoids
from hloc_lite.viz.frusta import (
    PYRAMID,
    PYRAMID_TRIANGLES,
    SEGMENTS,
    Frusta,
    frustum_lines,
    per_segment,
    rotations_of,
    scales,
)
from hloc_lite.viz.points import PointCloud, blocks
from hloc_lite.viz.scene import QueryLayer, Scene, StartView, query_layer, start_view

QUERY_SIZE = 1.4
"""Depth of query frusta over that of map cameras."""
SELECTED_SIZE = 1.6
"""Depth of the selected frustum over that of other queries."""


class DrawnScene:
    """Nodes of a scene in a viser server.

    Args:
        server: running server.
        scene: what is drawn; queries are drawn by ``draw_queries``.
        on_pick: called with the row of a query that was clicked.
    """

    def __init__(
        self, server: viser.ViserServer, scene: Scene, on_pick: Callable[[int], None] | None = None
    ) -> None:
        self._server, self.scene, self._on_pick = server, scene, on_pick
        self._frustum_factor, self._ellipsoid_factor = 1.0, 1.0
        self._queries: list[Any] = []
        self._ellipsoids: list[Any] = []
        self._selected: list[Any] = []
        self._layer: QueryLayer | None = None
        self._truth_visible = True
        self._map_cameras: Any = None
        self._map_cameras_visible = True
        set_start_view(server, start_view(scene))
        server.scene.set_up_direction(scene.frame.up)

        server.scene.configure_default_lights(cast_shadow=False)
        self._points = _draw_points(server, scene.points)
        self._draw_map_cameras()

    def set_point_size(self, factor: float) -> None:
        """Size of the points over that chosen for the scene."""
        for node in self._points:
            node.point_size = factor * self.scene.points.size

    def set_frustum_size(self, factor: float) -> None:
        """Size of all frusta over that chosen for the scene."""
        self._frustum_factor = factor
        self._draw_map_cameras()
        self._draw_layer()

    def set_ellipsoid_size(self, factor: float) -> None:
        """Half axes of the ellipsoids over those of 95 %; 0 hides them."""
        self._ellipsoid_factor = factor
        self._draw_ellipsoids()

    def show_map_cameras(self, visible: bool) -> None:
        """Show or hide the cameras of the map."""
        self._map_cameras_visible = visible
        if self._map_cameras is not None:
            self._map_cameras.visible = visible

    def show_truth(self, visible: bool) -> None:
        """Show or hide true cameras and the lines to them."""
        self._truth_visible = visible
        self._draw_layer()

    def draw_queries(self, scene: Scene, rows: Sequence[int]) -> None:
        """Draw the queries of some rows of a scene in place of those drawn before."""
        self.scene = scene
        self._layer = query_layer(scene, rows)
        self._draw_layer()

    def select(self, row: int | None, photo: UInt8 | None = None) -> None:
        """Highlight a query, with its photo in the frustum; None for none."""
        _remove(self._selected)
        layer = self._layer
        if layer is None or row is None or row not in layer.rows:
            return
        index = layer.rows.index(row)
        chosen = _subset(layer.frusta, index)
        depth = SELECTED_SIZE * self._query_depth
        colour = layer.colours[index]
        add, edges = self._server.scene, frustum_lines(chosen, depth)
        self._selected += [
            add.add_line_segments(
                "/selected/edges", edges, colour,
                thickness=3, thickness_units="screen",
            ),
            add.add_label("/selected/name", chosen.names[0], position=edges[-1, 0]),  # the roof
        ]  # fmt: skip
        if photo is not None:
            width, height = 2 * depth * chosen.slopes[0].astype(float)
            self._selected.append(
                add.add_image(
                    "/selected/photo", photo, width, height,
                    wxyz=chosen.quats_wxyz[0], position=_middle_of_image(chosen, depth),
                    cast_shadow=False, receive_shadow=False,
                )
            )  # fmt: skip

    @property
    def _query_depth(self) -> float:
        return QUERY_SIZE * self._frustum_factor * self.scene.frame.frustum_depth

    def _draw_map_cameras(self) -> None:
        cameras = self.scene.map_cameras
        if len(cameras) == 0:
            return
        depth = self._frustum_factor * self.scene.frame.frustum_depth
        self._map_cameras = self._server.scene.add_line_segments(
            "/map_cameras", frustum_lines(cameras, depth), MAP_CAMERA,
            thickness=1, thickness_units="screen", visible=self._map_cameras_visible,
        )  # fmt: skip

    def _draw_layer(self) -> None:
        _remove(self._queries)
        layer, add = self._layer, self._server.scene
        if layer is None:
            return
        if len(layer.frusta):
            self._queries += self._draw_frusta(layer)
        if self._truth_visible and len(layer.truth):
            lines = frustum_lines(layer.truth, self._query_depth)
            self._queries.append(
                add.add_line_segments(
                    "/truth/cameras", lines, TRUTH, thickness=1.5, thickness_units="screen"
                )
            )
        if self._truth_visible and len(layer.error_lines):
            self._queries.append(
                add.add_line_segments(
                    "/truth/errors", layer.error_lines, ERROR_LINE,
                    thickness=2.5, thickness_units="screen",
                )
            )  # fmt: skip
        self._draw_ellipsoids()

    def _draw_frusta(self, drawn: QueryLayer) -> list[Any]:
        frusta, depth, add = drawn.frusta, self._query_depth, self._server.scene
        edges = add.add_line_segments(
            "/queries/edges", frustum_lines(frusta, depth),
            per_segment(linear_rgb(drawn.colours), SEGMENTS), thickness=2, thickness_units="screen",
        )  # fmt: skip
        faces = add.add_batched_meshes_simple(
            "/queries/faces", PYRAMID, PYRAMID_TRIANGLES, frusta.quats_wxyz, frusta.centers,
            batched_scales=scales(frusta, depth), batched_colors=linear_rgb(drawn.colours),
            opacity=0.35, lod="off", side="double", cast_shadow=False, receive_shadow=False,
        )  # fmt: skip
        if self._on_pick is not None:
            pick = self._on_pick

            @faces.on_click
            def _(event: Any) -> None:
                if event.instance_index is not None and event.instance_index < len(drawn.rows):
                    pick(drawn.rows[event.instance_index])

        return [edges, faces]

    def _draw_ellipsoids(self) -> None:
        _remove(self._ellipsoids)
        if self._layer is None or not len(self._layer.ellipsoids) or not self._ellipsoid_factor:
            return
        ellipsoids: Ellipsoids = self._layer.ellipsoids
        ball = trimesh.creation.icosphere(subdivisions=2)
        self._ellipsoids.append(
            self._server.scene.add_batched_meshes_simple(
                "/queries/ellipsoids", ball.vertices, ball.faces,
                ellipsoids.quats_wxyz, ellipsoids.centers,
                batched_scales=np.maximum(self._ellipsoid_factor * ellipsoids.radii, 1e-6),
                batched_colors=linear_rgb(self._layer.colours[list(ellipsoids.rows)]), opacity=0.5,
                lod="off", cast_shadow=False, receive_shadow=False,
            )
        )  # fmt: skip


def set_start_view(server: viser.ViserServer, view: StartView) -> None:
    """Set the view of browsers that connect from now on, and of their button to reset it."""
    camera = server.initial_camera
    camera.up, camera.look_at, camera.position = view.up, view.look_at, view.position
    camera.near, camera.far = view.near, view.far


def _draw_points(server: viser.ViserServer, cloud: PointCloud) -> list[Any]:
    """Nodes whose ``point_size`` can be set; none for a mesh."""
    if cloud.triangles is not None:
        mesh = trimesh.Trimesh(cloud.xyz, cloud.triangles, vertex_colors=cloud.rgb, process=False)
        server.scene.add_mesh_trimesh("/surface", mesh, cast_shadow=False, receive_shadow=False)
        return []
    return [
        server.scene.add_point_cloud(
            f"/points/{number}", block.offsets, block.rgb,
            point_size=cloud.size, point_shape="square", point_shading="flat",
            precision="float16" if block.is_half else "float32", position=block.origin,
        )
        for number, block in enumerate(blocks(cloud))
    ]  # fmt: skip


def _subset(frusta: Frusta, index: int) -> Frusta:
    part = slice(index, index + 1)
    return Frusta(
        frusta.names[part], frusta.centers[part], frusta.quats_wxyz[part], frusta.slopes[part]
    )


def _middle_of_image(frusta: Frusta, depth: float) -> Float64:
    """(3,) middle of the image plane of the first frustum."""
    middle: Float64 = frusta.centers[0] + rotations_of(frusta).apply([0, 0, depth])[0]
    return middle


def _remove(nodes: list[Any]) -> None:
    """Remove nodes from the server, and from the list."""
    for node in nodes:
        node.remove()
    nodes.clear()
