"""Which furniture stands where in a space, and how it has moved by the time of a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.synthetic.indoor.furniture import MAKERS
from hloc_lite.synthetic.indoor.layout import NORTH, SOUTH, FloorPlan, Space, Use
from hloc_lite.synthetic.indoor.library import Library
from hloc_lite.synthetic.mesh import MeshBuilder
from hloc_lite.synthetic.shapes import LocalFrame
from hloc_lite.types import Float64

MOBILE = ("chair", "bin", "carton", "plant")
"""Kinds that people move; desks, shelves and cabinets stay where they are."""
_SIZES = {"desk": (1.6, 0.8), "bookcase": (0.92, 0.32), "cabinet": (0.9, 0.4), "sofa": (1.9, 0.8),
          "bench": (1.8, 0.72), "plant": (0.7, 0.7), "table": (1.6, 0.8)}  # fmt: skip
"""Width and depth on the floor, metres."""
_ALONG_WALLS = {
    Use.OFFICE: ("desk", "desk", "desk", "bookcase", "cabinet"),
    Use.MEETING: ("cabinet", "plant", "cabinet"),
    Use.LABORATORY: ("bench", "bench", "cabinet", "bookcase"),
    Use.LOUNGE: ("sofa", "sofa", "cabinet", "plant", "bookcase"),
    Use.LIBRARY: ("bookcase", "bookcase", "bookcase", "desk"),
    Use.CORRIDOR: ("cabinet", "plant", "sofa"),
}
_LOW = ("desk", "bench", "sofa", "plant", "table")
"""Kinds that fit below a window."""
_CLEAR_M = 0.05


@dataclass(frozen=True, eq=False)
class Piece:
    """Piece of furniture."""

    kind: str
    xy: Float64
    """(2,) centre of its foot, world."""
    right: Float64
    """(2,) unit vector along its front."""
    key: tuple[int, ...]
    """Seed of its look."""
    z: float = 0.0


def furnish(space: Space) -> list[Piece]:
    """Furniture of a space as the scanner finds it; twin rooms have the same."""
    rng = np.random.default_rng([*space.style_key, 20])
    pieces = _along_walls(rng, space)
    if space.use is Use.MEETING:
        pieces += _group(rng, space, "table", int(max(1, (space.x1 - space.x0 - 2.6) // 1.6)))
    if space.use is Use.LOUNGE:
        pieces += _group(rng, space, "table", 1)
    if space.use is Use.LIBRARY and space.y1 - space.y0 > 4.6:
        middle = np.array([(space.x0 + space.x1) / 2, (space.y0 + space.y1) / 2])
        for k in range(int((space.x1 - space.x0 - 2.4) // 0.95)):
            spot = middle + np.array([(k - 0.5) * 0.95 - 0.5, 0.0])
            for side in (1.0, -1.0):
                key = (*space.style_key, 21, k, int(side > 0))
                pieces.append(
                    Piece(
                        "bookcase", spot + np.array([0, -0.17 * side]), np.array([side, 0.0]), key
                    )
                )
    return pieces


def _along_walls(rng: np.random.Generator, space: Space) -> list[Piece]:
    is_corridor = space.use is Use.CORRIDOR
    pieces: list[Piece] = []
    for wall in range(4):
        local = space.wall_frame(wall)
        # the corners belong to the north and south walls
        margin = 0.3 if wall in (NORTH, SOUTH) else 1.0
        for left, width in space.free_stretches(wall, windows_too=True, margin=margin):
            x, end = left + rng.uniform(0, 0.3), left + width
            while x < end:
                kinds = _ALONG_WALLS[space.use]
                kind = kinds[rng.integers(len(kinds))]
                wide, deep = _SIZES[kind]
                fits = x + wide <= end and (kind in _LOW or _is_blank(space, wall, x, x + wide))
                if is_corridor and (rng.random() < 0.8 or deep > 0.45):
                    fits = False
                if fits:
                    key = (*space.style_key, 22, wall, len(pieces))
                    pieces += _placed(rng, kind, local, x + wide / 2, deep, key)
                x += (wide if fits else 0.5) + rng.gamma(1.2, 0.25)
        if not is_corridor and rng.random() < 0.4 and wall == SOUTH:
            spot = local.point(0.35, 0, 0.35)[:2]
            pieces.append(Piece("bin", spot, local.axes[:2, 0], (*space.style_key, 23, wall)))
    return pieces


def _is_blank(space: Space, wall: int, left: float, right: float) -> bool:
    """True if no opening is in this part of a wall."""
    return all(
        space.left_of(each) > right + 0.1 or space.left_of(each) + each.width < left - 0.1
        for each in space.openings_of(wall)
    )


def _placed(
    rng: np.random.Generator,
    kind: str,
    local: LocalFrame,
    x: float,
    deep: float,
    key: tuple[int, ...],
) -> list[Piece]:
    """A piece with its back to a wall, and what belongs to it."""
    right = local.axes[:2, 0]
    spot = local.point(x, 0, deep / 2 + _CLEAR_M)[:2]
    pieces = [Piece(kind, spot, right, key)]
    if kind == "desk":
        pieces.append(Piece("things", spot, right, (*key, 1), 0.742))
        chair = local.point(x + rng.uniform(-0.2, 0.2), 0, deep + 0.35)[:2]
        pieces.append(Piece("chair", chair, -_turned(right, rng.normal(0, 0.4)), (*key, 2)))
    return pieces


def _group(rng: np.random.Generator, space: Space, kind: str, count: int) -> list[Piece]:
    """A row of tables in the middle of a room with chairs around."""
    middle = np.array([(space.x0 + space.x1) / 2, (space.y0 + space.y1) / 2])
    pieces = []
    for k in range(count):
        spot = middle + np.array([(k - (count - 1) / 2) * 1.6, 0.0])
        key = (*space.style_key, 24)
        pieces.append(Piece(kind, spot, np.array([1.0, 0.0]), key))
        for side in (1.0, -1.0):
            for dx in (-0.4, 0.4):
                chair = spot + np.array([dx + rng.normal(0, 0.08), -side * rng.uniform(0.55, 0.8)])
                right = _turned(np.array([-side, 0.0]), rng.normal(0, 0.3))
                pieces.append(Piece("chair", chair, right, (*key, 25, k)))
    return pieces


def moved(pieces: Sequence[Piece], space: Space, rng: np.random.Generator) -> list[Piece]:
    """The same furniture at another time: chairs elsewhere, other things on desks, new cartons."""
    found = []
    for piece in pieces:
        if piece.kind == "things" and rng.random() < 0.4:
            found.append(replace(piece, key=(*piece.key, int(rng.integers(1 << 30)))))
        elif piece.kind not in MOBILE:
            found.append(piece)
        elif rng.random() < 0.88:
            xy = _inside(space, piece.xy + rng.normal(0, 0.35, 2))
            found.append(replace(piece, xy=xy, right=_turned(piece.right, rng.normal(0, 0.9))))
    for _ in range(rng.poisson(space.area / 22)):
        xy = np.array([rng.uniform(space.x0, space.x1), rng.uniform(space.y0, space.y1)])
        right = _turned(np.array([1.0, 0.0]), rng.uniform(0, 6.3))
        kind = ("carton", "chair", "carton", "bin")[rng.integers(4)]
        key = (*space.detail_key, 26, int(rng.integers(1 << 30)))
        found.append(Piece(kind, _inside(space, xy), right, key))
    return found


def _inside(space: Space, xy: Float64) -> Float64:
    return np.clip(xy, [space.x0 + 0.35, space.y0 + 0.35], [space.x1 - 0.35, space.y1 - 0.35])


def _turned(right: Float64, angle_rad: float) -> Float64:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([c * right[0] - s * right[1], s * right[0] + c * right[1]])


def add_furniture(
    mesh: MeshBuilder, library: Library, floor: FloorPlan, rng: np.random.Generator | None
) -> None:
    """Add the furniture of all spaces; ``rng`` moves it, None leaves it as it was scanned."""
    for space in floor.spaces:
        pieces = furnish(space)
        for piece in pieces if rng is None else moved(pieces, space, rng):
            local = LocalFrame.upright([*piece.xy, piece.z], piece.right)
            MAKERS[piece.kind](mesh, library, np.random.default_rng([*piece.key, 30]), local)
