"""Library of materials and of texture patches that many surfaces share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.synthetic import paint, patches
from hloc_lite.synthetic.atlas import AtlasBuilder, Rect
from hloc_lite.synthetic.mesh import Material
from hloc_lite.synthetic.tiles import make_tiles

REPETITION_M: Mapping[str, float] = {
    "brick": 1.2,
    "brick_photo": 1.5,
    "gravel": 1.6,
    "grass": 1.1,
    "asphalt": 1.7,
    "plaster": 1.3,
    "stone": 2.2,
    "cobbles": 1.7,
    "paving": 2.0,
    "wood": 1.1,
    "roof": 3.6,
    "bark": 0.8,
    "leaf": 0.9,
    "metal": 1.5,
    "fabric": 1.6,
}
"""Width that the 512 texels of a tile cover: 2 to 7 mm per texel, less than a pixel at 5 m."""


@dataclass(frozen=True, eq=False)
class Library:
    """Materials by name, and shared patches to choose from."""

    materials: Mapping[str, Material]
    windows: tuple[Rect, ...]
    doors: tuple[Rect, ...]
    blind_walls: tuple[Rect, ...]
    """Weathered walls without windows, about 9 m by 14 m."""
    posters: tuple[tuple[Rect, ...], tuple[Rect, ...]]
    """Posters before and after the change of season."""

    def __getitem__(self, name: str) -> Material:
        return self.materials[name]


def make_library(seed: int, atlas: AtlasBuilder) -> Library:
    """Make the materials and patches of a seed; their textures are added to ``atlas``."""
    tiles = make_tiles(np.random.default_rng([seed, 10]))
    materials = {name: Material(atlas.add_tile(tiles[name]), REPETITION_M[name]) for name in tiles}
    rng = np.random.default_rng([seed, 11])
    windows = tuple(atlas.add_patch(patches.window(rng, 96, 160)) for _ in range(48))
    posters = tuple(
        tuple(atlas.add_patch(patches.poster(rng, 128, 192)) for _ in range(64)) for _ in range(2)
    )
    doors = tuple(atlas.add_patch(patches.house_door(rng, 128, 256)) for _ in range(48))
    blind = tuple(
        atlas.add_patch(paint.to_patch(patches.wall_weathering(rng, 9, 14, 20))) for _ in range(10)
    )
    return Library(materials, windows, doors, blind, (posters[0], posters[1]))
