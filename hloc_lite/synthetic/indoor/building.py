"""Builds a building: the fixed mesh of each floor, its textures, and its state at one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.optional_dependencies import require_extra
from hloc_lite.synthetic.atlas import Atlas, AtlasBuilder
from hloc_lite.synthetic.indoor.condition import Condition, Person
from hloc_lite.synthetic.indoor.config import BuildingConfig
from hloc_lite.synthetic.indoor.fittings import add_fittings
from hloc_lite.synthetic.indoor.furnishing import add_furniture
from hloc_lite.synthetic.indoor.lamps import add_lamps, emitters_of, lit_spaces
from hloc_lite.synthetic.indoor.layout import WALL_M, FloorPlan, OpeningKind, Use
from hloc_lite.synthetic.indoor.library import Library, make_library
from hloc_lite.synthetic.indoor.lighting import InteriorScene
from hloc_lite.synthetic.indoor.planning import make_floor
from hloc_lite.synthetic.indoor.shell import add_leaf, build_shell
from hloc_lite.synthetic.mesh import Mesh, MeshBuilder, join_meshes
from hloc_lite.synthetic.movers import add_person
from hloc_lite.synthetic.shapes import LocalFrame

CLOSED_SHARE = (0.3, 0.5)
"""Share of the doors that are closed, during the scans and later."""


@dataclass(frozen=True, eq=False)
class Building:
    """Plans, fixed meshes and textures of all floors; each floor has a frame of its own."""

    config: BuildingConfig
    floors: tuple[FloorPlan, ...]
    shells: tuple[Mesh, ...]
    """Fixed mesh of each floor."""
    library: Library
    textures: AtlasBuilder
    atlas: Atlas

    def scene(self, floor_idx: int, condition: Condition) -> InteriorScene:
        """A floor in a condition, ready for ray casting."""
        floor = self.floors[floor_idx]
        rng = np.random.default_rng([*floor.key, 40, *(condition.key or ())])
        lit = lit_spaces(floor, condition.lamp_share, rng)
        loose = MeshBuilder(self.textures)
        add_lamps(loose, self.library, floor, lit)
        self._add_doors(loose, floor, rng, CLOSED_SHARE[condition.key is not None])
        add_furniture(loose, self.library, floor, None if condition.key is None else rng)
        people = self.people(condition.people)
        mesh = join_meshes([self.shells[floor_idx], loose.build(), people])
        emitters = emitters_of(floor, lit)
        return InteriorScene(mesh, self.atlas, condition.light, floor, emitters)

    def people(self, people: Sequence[Person]) -> Mesh:
        """Mesh of people alone."""
        mesh = MeshBuilder(self.textures)
        for person in people:
            heading = np.array([np.cos(person.heading_rad), np.sin(person.heading_rad)])
            look = np.random.default_rng([self.config.seed, 41, person.key])
            weave = self.library["check" if look.random() < 0.6 else "fabric"]
            foot = np.array([person.x, person.y, 0.0])
            add_person(mesh, self.library["fabric"], weave, look, foot, heading)
        return mesh.build()

    def _add_doors(
        self, mesh: MeshBuilder, floor: FloorPlan, rng: np.random.Generator, closed: float
    ) -> None:
        """Add the leaves of all doors, hinged on the left and opening into the rooms."""
        for space in floor.spaces:
            if space.use is not Use.CORRIDOR:
                continue
            for opening in space.openings:
                if opening.kind is not OpeningKind.DOOR:
                    continue
                angle = 0.0 if rng.random() < closed else rng.uniform(0.35, 1.75)
                local = space.wall_frame(opening.wall)
                right, up, out = local.axes.T
                c, s = np.cos(angle), np.sin(angle)
                axes = np.stack([c * right - s * out, up, s * right + c * out], axis=1)
                hinge = local.point(space.left_of(opening) + 0.02, 0, 0.05 - WALL_M)
                add_leaf(mesh, self.library, LocalFrame(hinge, axes), opening.width - 0.04)


def build_building(config: BuildingConfig) -> Building:
    """Build the building of a config's seed.

    Raises:
        MissingDependencyError: a package of the extra ``town`` is missing.
    """
    require_extra("town", "a rendered building")
    floors = tuple(
        make_floor(config.seed, number, name, config.num_rooms)
        for number, name in enumerate(config.floors)
    )
    textures = AtlasBuilder()
    num_rooms = config.num_rooms * config.num_floors
    library = make_library(config.seed, textures, config.detail, num_rooms)
    shells = []
    for floor in floors:
        mesh = MeshBuilder(textures)
        build_shell(mesh, library, floor)
        add_fittings(mesh, library, floor)
        shells.append(mesh.build())
    return Building(config, floors, tuple(shells), library, textures, textures.build())
