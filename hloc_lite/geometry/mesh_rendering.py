"""Views of a triangle mesh, by ray casting with Embree (Open3D; extra ``depth``)."""

from __future__ import annotations

import numpy as np

from hloc_lite.errors import ShapeError
from hloc_lite.geometry.cameras import bearings, focal_lengths
from hloc_lite.optional_dependencies import require_extra
from hloc_lite.types import Camera, Float32, RenderedView, Rigid3, Surface

_MIN_COSINE = 1e-6
"""Rays closer to 90 degrees from the optical axis have no depth along it."""


class MeshRenderer:
    """Triangle mesh prepared for ray casting; renders any number of views.

    Raises:
        ShapeError: the surface has no triangles.
        MissingDependencyError: the extra ``depth`` is not installed.
    """

    def __init__(self, surface: Surface) -> None:
        if surface.triangles is None:
            raise ShapeError("MeshRenderer: expected a surface with triangles, got points")
        require_extra("depth", "rendering a mesh")
        import open3d as o3d

        self._surface = surface
        self._triangles = surface.triangles
        # around its own middle: Embree works in float32
        self._origin = surface.xyz.mean(axis=0, dtype=np.float64) if len(surface) else np.zeros(3)
        xyz = (surface.xyz - self._origin).astype(np.float32)
        self._scene = o3d.t.geometry.RaycastingScene()
        if len(self._triangles):
            self._scene.add_triangles(
                o3d.core.Tensor.from_numpy(xyz),
                o3d.core.Tensor.from_numpy(self._triangles.astype(np.uint32)),
            )

    def render(self, camera: Camera, cam_from_world: Rigid3) -> RenderedView:
        """Render the first surface that the ray of each pixel's centre meets, from either side.

        Raises:
            FormatError: the camera has no focal length (EQUIRECTANGULAR).
        """
        import open3d as o3d

        focal_lengths(camera)  # raises for models without depth along an axis
        height, width = camera.height, camera.width
        columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        rays = bearings(camera, np.stack([columns, rows], axis=-1)).reshape(-1, 3)
        with np.errstate(invalid="ignore"):
            usable = np.flatnonzero(rays[:, 2] > _MIN_COSINE)
        directions = (rays[usable] @ cam_from_world.rotation).astype(np.float32)
        origin = (cam_from_world.center - self._origin).astype(np.float32)
        origins = np.broadcast_to(origin, directions.shape)
        cast = np.concatenate([origins, directions], axis=1)
        hits = self._scene.cast_rays(o3d.core.Tensor.from_numpy(cast))
        distance = hits["t_hit"].numpy()
        hit = np.flatnonzero(np.isfinite(distance))
        triangles = hits["primitive_ids"].numpy()[hit].astype(np.int64)
        weights = hits["primitive_uvs"].numpy()[hit]
        normals = hits["primitive_normals"].numpy()[hit]
        depth = np.full(height * width, np.nan, np.float32)
        rgb = np.zeros((height * width, 3), np.uint8)
        directions_in_cam = np.full((height * width, 3), np.nan, np.float32)
        seen = usable[hit]
        depth[seen] = distance[hit] * rays[seen, 2]
        rgb[seen] = self._colours(triangles, weights)
        facing = normals @ cam_from_world.rotation.T.astype(np.float32)
        # towards the camera: meshes of scans have no reliable outside
        facing *= -np.sign(np.einsum("ij,ij->i", facing, rays[seen]))[:, None]
        directions_in_cam[seen] = facing
        return RenderedView(
            rgb.reshape(height, width, 3),
            depth.reshape(height, width),
            ~np.isnan(depth).reshape(height, width),
            directions_in_cam.reshape(height, width, 3),
        )

    def _colours(self, triangles: np.ndarray, weights: Float32) -> np.ndarray:
        """(K, 3) colours of hits; ``weights`` (K, 2) are those of the second and third corner."""
        corners = self._surface.rgb[self._triangles[triangles]].astype(np.float32)
        second, third = weights[:, :1], weights[:, 1:]
        mixed = corners[:, 0] * (1 - second - third) + corners[:, 1] * second
        return np.clip(np.rint(mixed + corners[:, 2] * third), 0, 255).astype(np.uint8)
