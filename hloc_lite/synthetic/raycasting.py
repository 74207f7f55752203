"""Ray casting in a mesh with Embree."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic.atlas import Atlas
from hloc_lite.synthetic.light import LIGHTS, Light
from hloc_lite.synthetic.mesh import Mesh
from hloc_lite.synthetic.town import Town
from hloc_lite.types import Float32, Float64, Int32


class MeshScene:
    """Textured mesh in one light, ready for ray casting."""

    def __init__(self, mesh: Mesh, atlas: Atlas, lamps: Float64, light: Light) -> None:
        self.mesh = mesh
        self.atlas = atlas
        self.lamps = lamps
        self.light = light
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh

        self._embree = rtcore_scene.EmbreeScene()
        self._geometry = TriangleMesh(self._embree, self.mesh.triangles)

    def hit(self, origins: Float32, directions: Float32) -> Int32:
        """(N,) first surface hit by each (N, 3) ray, -1 for none."""
        triangle = self._embree.run(origins, directions, query="INTERSECT")
        surface = self.mesh.surface_idxs.take(triangle, mode="clip")
        surface[triangle < 0] = -1
        return surface

    def distance(self, origins: Float32, directions: Float32) -> Float32:
        """(N,) distance to the first hit in lengths of the direction vector; large for none."""
        return self._embree.run(origins, directions, query="DISTANCE")

    def occluded(self, origins: Float32, directions: Float32) -> Float32:
        """(N,) 1.0 if the ray hits anything at any distance, else 0.0."""
        hit = self._embree.run(origins, directions, query="OCCLUDED")
        return (hit != -1).astype(np.float32)


class RaycastScene(MeshScene):
    """Mesh of a town in one pass, ready for ray casting."""

    def __init__(self, town: Town, pass_name: str) -> None:
        super().__init__(town.mesh(pass_name), town.atlas, town.lamps, LIGHTS[pass_name])
