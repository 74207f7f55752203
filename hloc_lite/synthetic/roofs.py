"""Outer shell of a house behind its facade: side and back walls, roof, chimneys."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic import labels
from hloc_lite.synthetic.house_style import FOOT_M, Style
from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import Material, MeshBuilder
from hloc_lite.synthetic.shapes import LocalFrame, box, quad, rect

DEPTH_M = 9.0
"""Depth of a house."""
CORNER_INSET_M = 2.4
"""Inset of the walls at a block's corner, where they would cover the neighbour's facade."""


def add_shell(
    mesh: MeshBuilder,
    library: Library,
    local: LocalFrame,
    style: Style,
    width: float,
    corners: tuple[bool, bool],
    rng: np.random.Generator,
) -> None:
    """Add side and back walls, roof and chimneys.

    ``corners``: the house is at the left, right end of its block.
    """
    x0, x1 = 0.01 + CORNER_INSET_M * corners[0], width - 0.01 - CORNER_INSET_M * corners[1]
    if x1 - x0 < 0.5:
        return
    top, bottom = style.height, style.height + FOOT_M
    back = library.blind_walls[rng.integers(len(library.blind_walls))]
    rect(mesh, local, x0, top, x1 - x0, bottom, style.wall, labels.BUILDING,
         out=-DEPTH_M, patch=back)  # fmt: skip
    for near, far in ((0.01 + 0.3 * corners[0], x0), (width - 0.01 - 0.3 * corners[1], x1)):
        blind = library.blind_walls[rng.integers(len(library.blind_walls))]
        side = (far - near, 0, 0.05 - DEPTH_M)
        quad(mesh, local, (near, top, -0.05), side, (0, -bottom, 0), style.wall,
             label=labels.BUILDING, patch=blind)  # fmt: skip
    tiles = library["roof"].tinted(*(rng.uniform(0.5, 1.0) * np.array([1.0, 0.85, 0.8])))
    rise = rng.uniform(2.2, 4.0)
    if style.gable:
        _add_gable_roof(mesh, local, style, (x0, x1), rise, tiles)
    else:
        _add_eaves_roof(mesh, local, style, (x0, x1), rise, tiles)
        if x1 - x0 > 4 and rng.random() < 0.5:
            _add_dormer(mesh, library, local, style, rng.uniform(x0 + 0.8, x1 - 2.2), rng)
    for _ in range(rng.integers(1, 3)):  # chimneys
        x, out = rng.uniform(x0 + 0.3, max(x0 + 0.4, x1 - 1.0)), -rng.uniform(2.5, 5.0)
        low, high = (x, top, out - 0.6), (x + 0.7, top + rise + 0.9, out)
        box(mesh, local, low, high, library["brick"], labels.BUILDING, faces="flrkt")


def _add_gable_roof(
    mesh: MeshBuilder,
    local: LocalFrame,
    style: Style,
    sides: tuple[float, float],
    rise: float,
    tiles: Material,
) -> None:
    """Roof whose ridge is perpendicular to the street."""
    (x0, x1), top = sides, style.height
    middle = (x0 + x1) / 2
    gable = local.points([[x0, top, -0.02], [x1, top, -0.02], [middle, top + rise, -0.02]])
    mesh.triangles(gable[None], style.wall, labels.BUILDING)
    for x in sides:
        ridge, slope = (0, 0, -DEPTH_M - 0.25), ((x - middle) * 1.05, -rise * 1.05, 0)
        quad(mesh, local, (middle, top + rise, 0.25), ridge, slope, tiles, label=labels.BUILDING)


def _add_eaves_roof(
    mesh: MeshBuilder,
    local: LocalFrame,
    style: Style,
    sides: tuple[float, float],
    rise: float,
    tiles: Material,
) -> None:
    """Roof whose ridge is parallel to the street."""
    (x0, x1), top, half = sides, style.height, DEPTH_M / 2
    for start, end, slope in (
        (x0, x1, (0, -rise * 1.08, half * 1.08)),
        (x1, x0, (0, -rise, -half)),
    ):
        corner = (start, top + rise, -half)
        quad(mesh, local, corner, (end - start, 0, 0), slope, tiles, label=labels.BUILDING)
    for x in sides:
        ends = [[x, top, 0], [x, top, -DEPTH_M], [x, top + rise, -half]]
        mesh.triangles(local.points(ends)[None], style.wall, labels.BUILDING)


def _add_dormer(
    mesh: MeshBuilder,
    library: Library,
    local: LocalFrame,
    style: Style,
    left: float,
    rng: np.random.Generator,
) -> None:
    top = style.height
    low, high = (left, top + 0.4, -2.4), (left + 1.4, top + 1.9, -0.6)
    box(mesh, local, low, high, style.trim, labels.BUILDING, faces="lrt")
    pane = library.windows[rng.integers(len(library.windows))]
    glass = Material(library["metal"].tile, 1.5)
    rect(mesh, local, left, top + 1.9, 1.4, 1.5, glass, labels.BUILDING, out=-0.6, patch=pane)
