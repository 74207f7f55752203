"""Things fixed to walls and ceilings: posters, boards, plates, signs, switches, extinguishers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import numpy as np

from hloc_lite.synthetic.atlas import Rect
from hloc_lite.synthetic.indoor import classes, prints
from hloc_lite.synthetic.indoor.config import FLOORS
from hloc_lite.synthetic.indoor.layout import FloorPlan, OpeningKind, Space, Use
from hloc_lite.synthetic.indoor.library import (
    BOARD_M,
    NOTE_M,
    POSTER_M,
    WHITEBOARD_M,
    Library,
)
from hloc_lite.synthetic.mesh import MeshBuilder
from hloc_lite.synthetic.shapes import LocalFrame, ball, box, rect, tube

NAMES = (
    "Weber", "Rossi", "Lindqvist", "Okafor", "Tanaka", "Novak", "Silva", "Dubois", "Haddad",
    "Meyer", "Kim", "Larsen",
)  # fmt: skip


def add_fittings(mesh: MeshBuilder, library: Library, floor: FloorPlan) -> None:
    """Add what hangs on the walls and ceilings of all spaces."""
    # every other poster hangs only once, the others may hang in several places
    unique = cycle(library.posters[1 + 2 * floor.number :: 2 * len(FLOORS)])
    for space in floor.spaces:
        style = np.random.default_rng([*space.style_key, 10])
        own = np.random.default_rng([*space.detail_key, 11])
        for wall in range(4):
            for left, width in space.free_stretches(wall, windows_too=False, margin=0.25):
                # twin rooms have half of their prints in common
                _decorate(mesh, library, style, own, unique, space, wall, left, width)
        _add_by_doors(mesh, library, own, space)
        _add_to_ceiling(mesh, library, style, space)


def _decorate(
    mesh: MeshBuilder,
    library: Library,
    style: np.random.Generator,
    own: np.random.Generator,
    unique: Iterator[Rect],
    space: Space,
    wall: int,
    left: float,
    width: float,
) -> None:
    """Hang boards, posters and notes along a free stretch of wall, with plain parts between."""
    local = space.wall_frame(wall)
    x, end = left + style.uniform(0, 0.6), left + width
    boards = space.use in (Use.MEETING, Use.OFFICE, Use.LABORATORY)
    has_whiteboard = not boards or style.random() < 0.4
    while x + POSTER_M[0] < end:
        kind, size = style.random(), (POSTER_M[0], POSTER_M[1])
        if not has_whiteboard and x + WHITEBOARD_M[0] < end:
            _hang(
                mesh, library, local, x, 2.05, WHITEBOARD_M, _pick(style, own, library.whiteboards)
            )
            has_whiteboard, size = True, WHITEBOARD_M
        elif kind < 0.18 and x + BOARD_M[0] < end:
            _hang(mesh, library, local, x, 1.95, BOARD_M, _pick(style, own, library.boards))
            size = BOARD_M
        elif kind < (0.7 if space.use is Use.CORRIDOR else 0.5):
            scale = float(style.choice([0.7, 1.0, 1.0, 1.25]))
            size = (POSTER_M[0] * scale, POSTER_M[1] * scale)
            framed = style.random() < 0.3
            shared = library.posters[2 * style.integers(len(library.posters) // 2)]
            patch = shared if style.random() < 0.5 else next(unique)
            _hang(mesh, library, local, x, 1.55 + size[1] / 2, size, patch, framed=framed)
        elif own.random() < 0.35:
            top = own.uniform(1.4, 1.8)
            spot = LocalFrame(local.point(x, 0), local.axes)
            rect(mesh, spot, 0, top, *NOTE_M, library["melamine"], classes.PRINT, out=0.004,
                 patch=_pick(own, own, library.notes))  # fmt: skip
        x += size[0] + style.gamma(1.5, 0.5)


def _pick(style: np.random.Generator, own: np.random.Generator, patches: tuple[Rect, ...]) -> Rect:
    """Draw a print; half of those in twin rooms are the same."""
    alike, is_alike = patches[style.integers(len(patches))], style.random() < 0.5
    return alike if is_alike else patches[own.integers(len(patches))]


def _hang(
    mesh: MeshBuilder,
    library: Library,
    local: LocalFrame,
    left: float,
    top: float,
    size: tuple[float, float],
    patch: Rect,
    framed: bool = True,
) -> None:
    """Hang a print on a wall, with an aluminium frame around or flat as paper."""
    wide, tall = size
    out = 0.022 if framed else 0.005
    if framed:
        edge = library["metal"].tinted(0.5, 0.5, 0.52)
        low, high = (left - 0.02, top - tall - 0.02, 0.0), (left + wide + 0.02, top + 0.02, 0.02)
        box(mesh, local, low, high, edge, classes.PRINT, faces="flrtb")
    rect(mesh, local, left, top, wide, tall, library["melamine"], classes.PRINT, out=out,
         patch=patch)  # fmt: skip


def _add_by_doors(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, space: Space
) -> None:
    """Add number plates, exit signs, switches and fire extinguishers beside doors."""
    grey = library["metal"].tinted(0.8, 0.8, 0.78)
    for opening in space.openings:
        if opening.kind not in (OpeningKind.DOOR, OpeningKind.BLIND_DOOR):
            continue
        local = space.wall_frame(opening.wall)
        left, right = space.left_of(opening), space.left_of(opening) + opening.width
        if opening.number:
            size = (round(0.16 * library.px_per_m * 1.3), round(0.11 * library.px_per_m * 1.3))
            name = f"{NAMES[rng.integers(len(NAMES))]}, {NAMES[rng.integers(len(NAMES))]}"
            patch = mesh.atlas.add_patch(prints.plate(opening.number, name, *size))
            rect(mesh, local, right + 0.12, 1.62, 0.16, 0.11, library["melamine"], classes.PRINT,
                 out=0.008, patch=patch)  # fmt: skip
        else:
            low, high = (right + 0.14, 1.05, 0), (right + 0.22, 1.13, 0.01)
            box(mesh, local, low, high, grey, classes.WALL)
        if space.use is Use.CORRIDOR and rng.random() < 0.3:
            _add_extinguisher(mesh, library, local, left - 0.35)
        if not opening.number and space.use is Use.CORRIDOR:
            rect(mesh, local, (left + right) / 2 - 0.15, 2.4, 0.3, 0.15, library["melamine"],
                 classes.PRINT, out=0.03, patch=library.exit_sign)  # fmt: skip


def _add_extinguisher(mesh: MeshBuilder, library: Library, local: LocalFrame, right: float) -> None:
    """Add a red cylinder on a wall and its sign above."""
    if right < 0.2:
        return
    red, black = (
        library["metal"].tinted(0.55, 0.02, 0.02),
        library["metal"].tinted(0.02, 0.02, 0.02),
    )
    foot, neck = local.point(right, 0.55, 0.1), local.point(right, 1.0, 0.1)
    tube(mesh, foot, neck, 0.075, red, classes.FURNITURE, sides=10)
    ball(mesh, neck, [0.075, 0.075, 0.06], red, classes.FURNITURE, sides=10)
    tube(mesh, neck, local.point(right, 1.12, 0.1), 0.02, black, classes.FURNITURE)
    tube(mesh, local.point(right, 1.1, 0.1), local.point(right + 0.09, 0.7, 0.12), 0.012, black,
         classes.FURNITURE)  # fmt: skip
    rect(mesh, local, right - 0.08, 1.75, 0.16, 0.16, library["melamine"], classes.PRINT,
         out=0.006, patch=library.fire_sign)  # fmt: skip


def _add_to_ceiling(
    mesh: MeshBuilder, library: Library, rng: np.random.Generator, space: Space
) -> None:
    """Add smoke detectors and air outlets, and in some corridors a cable tray."""
    white, grey = library["metal"].tinted(0.85, 0.85, 0.83), library["metal"].tinted(0.3, 0.3, 0.3)
    for _ in range(1 + int(space.area / 14)):
        x, y = (
            rng.uniform(space.x0 + 0.4, space.x1 - 0.4),
            rng.uniform(space.y0 + 0.4, space.y1 - 0.4),
        )
        centre = np.array([x, y, space.height])
        if rng.random() < 0.5:
            ball(mesh, centre, [0.06, 0.06, 0.05], white, classes.CEILING, sides=9)
            continue
        local = LocalFrame.upright(centre, (1.0, 0.0))
        for k in range(5):
            low, high = (-0.25, -0.012, -0.25 + 0.1 * k), (0.25, 0.0, -0.19 + 0.1 * k)
            box(mesh, local, low, high, grey if k % 2 else white, classes.CEILING)
    if space.use is Use.CORRIDOR and rng.random() < 0.5:
        local = space.wall_frame(0)
        length = space.wall_length(0)
        low, high = (0, space.height - 0.3, 0.02), (length, space.height - 0.22, 0.2)
        box(mesh, local, low, high, grey, classes.FURNITURE)
