"""Floors and ceilings, laid of pieces, so that no texture repeats at a fixed distance.

Matches on a texture that repeats at a fixed distance agree on a wrong place; real floors have none.
"""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic.atlas import TILE_PX
from hloc_lite.synthetic.indoor import classes
from hloc_lite.synthetic.indoor.layout import WALL_M, Space, Use
from hloc_lite.synthetic.indoor.library import Library
from hloc_lite.synthetic.mesh import Material, MeshBuilder
from hloc_lite.types import Float64

PIECE_M = {"carpet": (0.5, 0.5), "lino": (0.6, 0.6), "wood": (0.9, 1.8)}
"""Size of the pieces of a floor: carpet tiles, plates, and panels of parquet."""
CEILING_PANEL_M = (0.6, 0.6)
PANEL_GAP_M, PANEL_DROP_M = 0.012, 0.003
"""White profiles between the panels of a ceiling, and their height above these."""
_BY_USE = {Use.CORRIDOR: "lino", Use.LABORATORY: "lino", Use.LOUNGE: "wood"}
_HUES = {"lino": (0.75, 0.72, 0.64), "carpet": (0.5, 0.55, 0.66), "wood": (0.85, 0.66, 0.45)}


def add_coverings(mesh: MeshBuilder, library: Library, space: Space) -> None:
    """Add the floor and the ceiling of a space; they reach below its walls."""
    style = np.random.default_rng([*space.style_key, 3])
    own = np.random.default_rng([*space.detail_key, 3])
    name = _BY_USE.get(space.use, "carpet")
    tint = np.array(_HUES[name]) * style.uniform(0.6, 1.15) * style.uniform(0.85, 1.15, 3)
    half = WALL_M / 2
    low = np.array([space.x0 - half, space.y0 - half])
    high = np.array([space.x1 + half, space.y1 + half])
    floor = library[name].tinted(*tint)
    _lay(mesh, own, low, high, 0.0, PIECE_M[name], 0.0, floor, classes.FLOOR)
    profiles = library["metal"].tinted(0.8, 0.8, 0.78)
    corner = [low[0], high[1], space.height]
    u, v = [high[0] - low[0], 0, 0], [0, low[1] - high[1], 0]
    mesh.quads(corner, u, v, profiles, classes.CEILING)
    panels = library["ceiling"].tinted(0.92, 0.92, 0.9)
    low, high = np.array([space.x0, space.y0]), np.array([space.x1, space.y1])
    height = space.height - PANEL_DROP_M
    _lay(mesh, own, low, high, height, CEILING_PANEL_M, PANEL_GAP_M, panels, classes.CEILING)


def _lay(
    mesh: MeshBuilder,
    rng: np.random.Generator,
    low: Float64,
    high: Float64,
    height: float,
    size: tuple[float, float],
    gap: float,
    material: Material,
    label: int,
) -> None:
    """Cover a rectangle with pieces, each cut from another place of the texture.

    Square pieces are also turned by multiples of a right angle.
    """
    xs, ys = (np.arange(a, b - 0.02, s) for a, b, s in zip(low, high, size, strict=True))
    x, y = (each.ravel() for each in np.meshgrid(xs, ys))
    wide = np.minimum(x + size[0], high[0]) - x - gap
    tall = np.minimum(y + size[1], high[1]) - y - gap
    flat = np.zeros(len(x))
    corner = np.stack([x, y, flat + height], axis=1)
    u, v = np.stack([wide, flat, flat], axis=1), np.stack([flat, tall, flat], axis=1)
    turns = rng.integers(0, 4 if size[0] == size[1] else 1, len(x))
    for turn in range(4):
        mine = turns == turn
        if mine.any():
            offset = rng.uniform(0, TILE_PX, (int(mine.sum()), 2))
            mesh.quads(corner[mine], u[mine], v[mine], material, label, offset=offset)
        corner, u, v = corner + u, v, -u
