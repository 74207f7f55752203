"""Lamps in ceilings and windows in walls: their bodies, and the light that they send out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.synthetic.indoor import classes
from hloc_lite.synthetic.indoor.layout import FloorPlan, OpeningKind, Space, Use
from hloc_lite.synthetic.indoor.library import Library
from hloc_lite.synthetic.mesh import MeshBuilder
from hloc_lite.types import Float32, Float64, Int32

LAMP_SPACING_M = 2.4
CEILING_GRID_M = 0.6
LAMP_POWER, WINDOW_POWER = 3.0, 1.3
"""Irradiance at 1 m below a lamp, and at 1 m from a square metre of window at overcast noon."""
LAMP_BOUNCE, DAY_BOUNCE = 0.34, 0.9
"""Light from walls and floor: in a lit room, and per square metre of window and floor."""
DAYLIGHT, LAMPLIGHT = 0, 1
"""Channels of light, in the order of ``SurfaceView.light_at``."""


@dataclass(frozen=True, eq=False)
class Emitters:
    """Lamps and windows of a floor that send out light."""

    position: Float32
    """(E, 3) world."""
    normal: Float32
    """(E, 3) main direction."""
    power: Float32
    """(E,)."""
    channel: Int32
    """(E,) DAYLIGHT or LAMPLIGHT."""
    space: Int32
    """(E,) index of the space that is lit."""
    bounce: Float32
    """(S, 2) light from all directions in each space, for both channels."""


def lamp_positions(space: Space) -> Float64:
    """(L, 3) centres of the lamps of a space, on the grid of its ceiling."""

    def grid(low: float, high: float) -> Float64:
        count = max(1, round((high - low) / LAMP_SPACING_M))
        spots = (np.arange(count) + 0.5) / count * (high - low)
        return low + (np.floor(spots / CEILING_GRID_M) + 0.5) * CEILING_GRID_M

    x, y = np.meshgrid(grid(space.x0, space.x1), grid(-space.y1, -space.y0))
    return np.stack([x.ravel(), -y.ravel(), np.full(x.size, space.height)], axis=1)


def lit_spaces(floor: FloorPlan, share: float, rng: np.random.Generator) -> np.ndarray:
    """(S,) True for the spaces whose lamps are on."""
    lit: np.ndarray = rng.random(len(floor.spaces)) < share
    return lit


def add_lamps(mesh: MeshBuilder, library: Library, floor: FloorPlan, lit: np.ndarray) -> None:
    """Add square panels in the ceilings; those of lit spaces shine."""
    glow = replace(library["melamine"], tint=(0.9, 0.9, 0.88), emission=3.0)
    edge = library["metal"].tinted(0.5, 0.5, 0.5)
    for space, is_lit in zip(floor.spaces, lit, strict=True):
        panel = replace(glow, emission=3.0 if is_lit else 0.0)
        slim = space.use is Use.CORRIDOR
        half = np.array([0.28, 0.14 if slim else 0.28])
        for position in lamp_positions(space):
            for size, drop, material in ((half + 0.02, 0.006, edge), (half, 0.012, panel)):
                corner = position - [size[0], -size[1], drop]
                mesh.quads(
                    corner, [2 * size[0], 0, 0], [0, -2 * size[1], 0], material, classes.LAMP
                )


def emitters_of(floor: FloorPlan, lit: np.ndarray) -> Emitters:
    """Emitters of a floor: the lamps of lit spaces, and two points of each window."""
    rows: list[tuple[Float64, Float64, float, int, int]] = []
    bounce = np.zeros((len(floor.spaces), 2), np.float32)
    down = np.array([0.0, 0.0, -1.0])
    for index, space in enumerate(floor.spaces):
        if lit[index]:
            share = 0.8 if space.use is Use.CORRIDOR else 1.0
            for position in lamp_positions(space):
                rows.append((position + 0.07 * down, down, LAMP_POWER * share, LAMPLIGHT, index))
            bounce[index, LAMPLIGHT] = LAMP_BOUNCE
        glass = 0.0
        for opening in space.openings:
            if opening.kind is not OpeningKind.WINDOW:
                continue
            local, left = space.wall_frame(opening.wall), space.left_of(opening)
            area = opening.width * (opening.top - opening.bottom)
            glass += area
            middle = (opening.bottom + opening.top) / 2
            for part in (0.3, 0.82):
                spot = local.point(left + part * opening.width, middle, 0.12)
                rows.append((spot, local.axes[:, 2], WINDOW_POWER * area / 2, DAYLIGHT, index))
        bounce[index, DAYLIGHT] = DAY_BOUNCE * glass / space.area
    position, normal, power, channel, owner = zip(*rows, strict=True)
    return Emitters(
        np.array(position, np.float32), np.array(normal, np.float32), np.array(power, np.float32),
        np.array(channel, np.int32), np.array(owner, np.int32), bounce,
    )  # fmt: skip
