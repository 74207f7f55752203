"""Materials of a building, and the painted patches that its rooms share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.synthetic.atlas import AtlasBuilder, Rect
from hloc_lite.synthetic.indoor import panels, prints
from hloc_lite.synthetic.indoor.tiles import make_materials
from hloc_lite.synthetic.mesh import Material
from hloc_lite.types import UInt8

PX_PER_M = 620
"""Resolution of prints: 1.6 mm per texel, a pixel of InLoc's cutouts at 2.2 m."""
POSTER_M, NOTE_M, BOARD_M, WHITEBOARD_M = (0.594, 0.841), (0.21, 0.297), (1.5, 1.0), (2.0, 1.2)
DOOR_LEAF_M, BOOKS_M, SCREEN_M, CABINET_M = (0.9, 2.05), (0.86, 0.3), (0.56, 0.34), (0.9, 1.9)
FACADE_M = (42.0, 21.0)

Painter = Callable[[np.random.Generator, int, int], UInt8]


@dataclass(frozen=True, eq=False)
class Library:
    """Materials by name, and patches to choose from; doors and boards are few and repeat."""

    materials: Mapping[str, Material]
    posters: tuple[Rect, ...]
    notes: tuple[Rect, ...]
    boards: tuple[Rect, ...]
    whiteboards: tuple[Rect, ...]
    leaves: tuple[Rect, ...]
    books: tuple[Rect, ...]
    screens: tuple[Rect, ...]
    cabinets: tuple[Rect, ...]
    keyboard: Rect
    facades: tuple[Rect, ...]
    exit_sign: Rect
    fire_sign: Rect
    px_per_m: float

    def __getitem__(self, name: str) -> Material:
        return self.materials[name]


def make_library(seed: int, atlas: AtlasBuilder, detail: float, num_rooms: int) -> Library:
    """Make the materials and patches of a building; their textures are added to ``atlas``.

    Args:
        seed: seed of the building.
        atlas: receives the textures.
        detail: resolution relative to ``PX_PER_M``.
        num_rooms: rooms of all floors; more rooms have more posters.
    """
    rng = np.random.default_rng([seed, 420])
    px_per_m = PX_PER_M * detail

    def painted(
        paint: Painter, size_m: tuple[float, float], count: int, share: float = 1.0
    ) -> tuple[Rect, ...]:
        size = (max(32, round(side * px_per_m * share)) for side in size_m)
        wide, tall = size
        return tuple(atlas.add_patch(paint(rng, wide, tall)) for _ in range(count))

    def board(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
        return prints.notice_board(rng, width_px, height_px, px_per_m)

    def exit_sign(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
        return prints.sign(rng, "exit", width_px, height_px)

    def fire_sign(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
        return prints.sign(rng, "fire", width_px, height_px)

    posters = painted(prints.research_poster, POSTER_M, 5 * num_rooms)
    posters += painted(prints.event_poster, POSTER_M, 3 * num_rooms)
    return Library(
        materials=make_materials(seed, atlas),
        posters=posters,
        notes=painted(prints.note, NOTE_M, 24),
        boards=painted(board, BOARD_M, 2 + num_rooms // 2),
        whiteboards=painted(panels.whiteboard, WHITEBOARD_M, 2 + num_rooms // 2, 0.7),
        leaves=painted(panels.door_leaf, DOOR_LEAF_M, 2, 0.4),
        books=painted(panels.book_row, BOOKS_M, 40, 0.8),
        screens=painted(panels.screen, SCREEN_M, 8, 0.8),
        cabinets=painted(panels.cabinet_front, CABINET_M, 5, 0.5),
        keyboard=painted(panels.keyboard, (0.44, 0.15), 1)[0],
        facades=painted(panels.facade, FACADE_M, 4, 0.04),
        exit_sign=painted(exit_sign, (0.3, 0.15), 1)[0],
        fire_sign=painted(fire_sign, (0.15, 0.15), 1)[0],
        px_per_m=px_per_m,
    )
