"""Walls, floors, ceilings, windows and door frames of a floor, and what lies outside."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic.indoor import classes, panels
from hloc_lite.synthetic.indoor.coverings import add_coverings
from hloc_lite.synthetic.indoor.layout import (
    EAST,
    NORTH,
    WALL_M,
    FloorPlan,
    Opening,
    OpeningKind,
    Space,
    Use,
)
from hloc_lite.synthetic.indoor.library import FACADE_M, Library
from hloc_lite.synthetic.mesh import MeshBuilder, TextureFrame
from hloc_lite.synthetic.shapes import LocalFrame, box, rect

MARKS_PX_PER_M = 40
"""Resolution of scuffs and stains on walls; the paint's own grain is finer."""
BASEBOARD_M = 0.07
_HOLES = (OpeningKind.PASSAGE, OpeningKind.DOOR, OpeningKind.WINDOW)


def build_shell(mesh: MeshBuilder, library: Library, floor: FloorPlan) -> None:
    """Add all that never moves: walls, floors, ceilings, frames, and houses outside."""
    style = np.random.default_rng([*floor.key, 1])
    frame_tone = style.uniform(0.05, 0.7, 3) * style.uniform(0.5, 1)
    for space in floor.spaces:
        rng = np.random.default_rng([*space.detail_key, 2])
        add_coverings(mesh, library, space)
        for wall in range(4):
            _add_wall(mesh, library, rng, space, wall)
        for opening in space.openings:
            # each opening between two spaces is listed by both: one of them adds the reveal
            is_own = opening.kind is OpeningKind.WINDOW or opening.wall in (NORTH, EAST)
            if opening.kind in _HOLES and is_own:
                _add_reveal(mesh, library, space, opening)
            if opening.kind in (OpeningKind.DOOR, OpeningKind.BLIND_DOOR):
                _add_door_frame(mesh, library, space, opening, frame_tone)
            if opening.kind is OpeningKind.WINDOW:
                _add_window(mesh, library, space, opening)
    _add_outside(mesh, library, floor)


def _add_wall(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, space: Space, wall: int
) -> None:
    """Add a wall around its openings, with a baseboard."""
    local, length = space.wall_frame(wall), space.wall_length(wall)
    style = np.random.default_rng([*space.style_key, 4])
    accent = style.integers(6) == wall
    tint = style.uniform(0.35, 0.8, 3) if accent else np.full(3, 0.9) * style.uniform(0.95, 1.03, 3)
    paint = library["wall"].tinted(*tint)
    marks = panels.wall_marks(rng, length, space.height, MARKS_PX_PER_M)
    patch = mesh.atlas.add_patch(marks)
    frame = TextureFrame(patch, local.point(0, space.height), length, space.height)

    def piece(left: float, top: float, width: float, height: float) -> None:
        if width > 1e-6 and height > 1e-6:
            rect(mesh, local, left, top, width, height, paint, classes.WALL, frame=frame)

    skirting = library["wood"].tinted(0.5, 0.5, 0.5)
    left = 0.0
    for opening in [each for each in space.openings_of(wall) if each.kind in _HOLES]:
        start = space.left_of(opening)
        piece(left, space.height, start - left, space.height)
        piece(start, space.height, opening.width, space.height - opening.top)
        piece(start, opening.bottom, opening.width, opening.bottom)
        left = start + opening.width
    piece(left, space.height, length - left, space.height)
    for start, width in space.free_stretches(wall, windows_too=True, margin=0.06):
        low, high = (start, 0.0, 0.0), (start + width, BASEBOARD_M, 0.015)
        box(mesh, local, low, high, skirting, classes.WALL, faces="flrt")


def _opening_frame(space: Space, opening: Opening) -> LocalFrame:
    """Frame at the foot of the left edge of an opening; outward is into the space."""
    local = space.wall_frame(opening.wall)
    return LocalFrame(local.point(space.left_of(opening), 0), local.axes)


def _add_reveal(mesh: MeshBuilder, library: Library, space: Space, opening: Opening) -> None:
    """Add the four sides of a hole through a wall."""
    local = _opening_frame(space, opening)
    paint = library["wall"].tinted(0.9, 0.9, 0.88)
    w, low, high = opening.width, opening.bottom, opening.top
    sides = [
        ((0, high, 0), (0, 0, -WALL_M), (0, low - high, 0)),
        ((w, high, 0), (0, 0, -WALL_M), (0, low - high, 0)),
        ((0, high, 0), (w, 0, 0), (0, 0, -WALL_M)),
    ]
    if opening.bottom > 0:
        sides.append(((0, low, 0), (w, 0, 0), (0, 0, -WALL_M)))
    for corner, u, v in sides:
        mesh.quads(local.point(*corner), local.vectors(u), local.vectors(v), paint, classes.WALL)


def _add_door_frame(
    mesh: MeshBuilder, library: Library, space: Space, opening: Opening, tone: np.ndarray
) -> None:
    """Add the casing around a door; a blind door also gets its leaf and handle."""
    local = _opening_frame(space, opening)
    steel = library["metal"].tinted(*tone)
    w, top = opening.width, opening.top
    for low, high in (
        ((-0.06, 0, 0), (0.02, top + 0.06, 0.025)),
        ((w - 0.02, 0, 0), (w + 0.06, top + 0.06, 0.025)),
        ((0.02, top - 0.02, 0), (w - 0.02, top + 0.06, 0.025)),
    ):
        box(mesh, local, low, high, steel, classes.DOOR, faces="flrtb")
    if opening.kind is OpeningKind.BLIND_DOOR:
        add_leaf(mesh, library, LocalFrame(local.point(0.02, 0, 0.012), local.axes), w - 0.04)


def add_leaf(mesh: MeshBuilder, library: Library, local: LocalFrame, width: float) -> None:
    """Add a door leaf with handles; ``local`` is at the foot of its hinge, right along it."""
    wood, steel = library["wood"], library["metal"].tinted(0.45, 0.45, 0.47)
    top = 2.05
    for out, left, wide in ((0.0, 0.0, width), (-0.04, width, -width)):
        corner, u = local.point(left, top, out), local.vectors([wide, 0, 0])
        mesh.quads(corner, u, local.vectors([0, -top, 0]), library["melamine"], classes.DOOR,
                   patch=library.leaves[0])  # fmt: skip
        side = 1 if out == 0.0 else -1
        near, far = sorted((out + 0.01 * side, out + 0.06 * side))
        box(
            mesh, local, (width - 0.19, 1.03, near), (width - 0.06, 1.055, far), steel, classes.DOOR
        )
        box(mesh, local, (width - 0.09, 0.95, near - 0.005), (width - 0.055, 1.1, near + 0.012),
            steel, classes.DOOR)  # fmt: skip
    box(mesh, local, (0, 0, -0.04), (width, top, 0), wood.tinted(0.5, 0.4, 0.3), classes.DOOR,
        faces="lrt")  # fmt: skip


def _add_window(mesh: MeshBuilder, library: Library, space: Space, opening: Opening) -> None:
    """Add a window's frame with a bar, a sill, and a radiator where there is room below."""
    local = _opening_frame(space, opening)
    white = library["metal"].tinted(0.82, 0.82, 0.8)
    w, low, high = opening.width, opening.bottom, opening.top
    back, front, bar = -WALL_M, -WALL_M + 0.06, 0.055
    bars = [
        ((0, low), (bar, high)), ((w - bar, low), (w, high)), ((0, high - bar), (w, high)),
        ((0, low), (w, low + bar)), ((w * 0.58, low), (w * 0.58 + bar, high)),
    ]  # fmt: skip
    for (x0, y0), (x1, y1) in bars:
        box(mesh, local, (x0, y0, back), (x1, y1, front), white, classes.WINDOW)
    if low < 0.6:
        return
    sill = library["melamine"].tinted(0.75, 0.74, 0.7)
    box(mesh, local, (-0.05, low - 0.03, -0.08), (w + 0.05, low, 0.09), sill, classes.WINDOW)
    if w > 0.9:
        for x in np.arange(0.1, w - 0.15, 0.11):
            box(mesh, local, (x, 0.15, 0.03), (x + 0.07, 0.72, 0.1), white, classes.FURNITURE,
                faces="flrt")  # fmt: skip


def _add_outside(mesh: MeshBuilder, library: Library, floor: FloorPlan) -> None:
    """Add houses around the floor and the ground in front of them."""
    rng = np.random.default_rng([*floor.key, 5])
    low = np.array([min(s.x0 for s in floor.spaces), min(s.y0 for s in floor.spaces)]) - 14
    high = np.array([max(s.x1 for s in floor.spaces), max(s.y1 for s in floor.spaces)]) + 14
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    around = Space(Use.CORRIDOR, x0, y0, x1, y1, 20.0, floor.key, floor.key)
    walls = library["concrete"]
    for wall in range(4):
        local = around.wall_frame(wall)
        for left in np.arange(0, around.wall_length(wall), FACADE_M[0]):
            top = 8.0 + rng.uniform(-3, 5)
            rect(mesh, local, left, top, *FACADE_M, walls, classes.OUTSIDE,
                 patch=library.facades[rng.integers(len(library.facades))])  # fmt: skip
    corner = [low[0], high[1], -7.0]
    ground = library["concrete"].tinted(0.4, 0.45, 0.35)
    mesh.quads(corner, [*(high - low) * (1, 0), 0], [*(low - high) * (0, 1), 0], ground,
               classes.OUTSIDE)  # fmt: skip
