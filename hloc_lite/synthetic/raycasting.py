"""A town in one pass as an Embree scene."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic.atlas import Atlas
from hloc_lite.synthetic.light import LIGHTS, Light
from hloc_lite.synthetic.mesh import Mesh
from hloc_lite.synthetic.town import Town
from hloc_lite.types import Float32, Float64, Int32


class Stage:
    """A town in one pass, ready for ray casting."""

    def __init__(self, town: Town, pass_name: str) -> None:
        self.mesh: Mesh = town.mesh(pass_name)
        self.atlas: Atlas = town.atlas
        self.lamps: Float64 = town.lamps
        self.light: Light = LIGHTS[pass_name]
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh

        self._scene = rtcore_scene.EmbreeScene()
        self._geometry = TriangleMesh(self._scene, self.mesh.triangles)

    def hit(self, origins: Float32, directions: Float32) -> Int32:
        """(N,) surface that each ray (N, 3) meets first, -1 for none."""
        triangle = self._scene.run(origins, directions, query="INTERSECT")
        surface = self.mesh.surface_idxs.take(triangle, mode="clip")
        surface[triangle < 0] = -1
        return surface

    def distance(self, origins: Float32, directions: Float32) -> Float32:
        """(N,) ray length to the first hit, in lengths of the direction; large for none."""
        return self._scene.run(origins, directions, query="DISTANCE")

    def blocked(self, origins: Float32, directions: Float32) -> Float32:
        """(N,) 1 where something is in the way, without limit of distance."""
        hit = self._scene.run(origins, directions, query="OCCLUDED")
        return (hit != -1).astype(np.float32)
