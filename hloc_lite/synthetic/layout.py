"""Plan of a town: streets on an irregular grid, blocks between them, plots along the blocks.

World: x east, y north, z up, metres. Two parallel streets (the twin streets) have the same facades.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

import numpy as np

from hloc_lite.types import Float64

COLUMNS, ROWS = 5, 3
"""Crossings in each direction; they enclose eight blocks."""
PITCH_M = (46.0, 40.0)
SIDEWALK_M = 2.2
KERB_M = 0.12
TWIN_EDGES = (((1, 0), (2, 0)), ((1, 1), (2, 1)))
TWIN_LENGTH_M = 26.0
"""Length of the identical middle of the twin streets; their ends differ."""

Node = tuple[int, int]
Edge = tuple[Node, Node]


class PlotKind(StrEnum):
    """Use of a plot."""

    HOUSE = auto()
    GARDEN = auto()
    """Gap between houses: a wall with a tree behind it."""
    PARK = auto()
    """Fence with lawn and trees behind it."""


@dataclass(frozen=True, eq=False)
class Street:
    """Straight street between two crossings."""

    edge: Edge
    start: Float64
    """(2,) world."""
    end: Float64
    half_width: float
    """Distance of the facades from the centre line."""
    cobbled: bool

    @property
    def length(self) -> float:
        return float(np.linalg.norm(self.end - self.start))

    @property
    def direction(self) -> Float64:
        return (self.end - self.start) / self.length

    @property
    def left(self) -> Float64:
        """(2,) unit vector to the left of ``direction``."""
        return np.array([-self.direction[1], self.direction[0]])

    @property
    def carriageway_half_width(self) -> float:
        return self.half_width - SIDEWALK_M


@dataclass(frozen=True, eq=False)
class Frontage:
    """Building line on one side of a street, left to right as seen from the street."""

    street: Street
    side: int
    """+1 left of the street's direction, -1 right of it."""
    start: Float64
    """(2,) world."""
    end: Float64
    kerb_start: Float64
    """(2,) start of the kerb in front, between sidewalk and carriageway."""
    kerb_end: Float64

    @property
    def length(self) -> float:
        return float(np.linalg.norm(self.end - self.start))

    @property
    def right(self) -> Float64:
        """(2,) unit vector along the facade."""
        return (self.end - self.start) / self.length

    @property
    def outward(self) -> Float64:
        """(2,) unit vector towards the street."""
        return np.array([self.right[1], -self.right[0]])


@dataclass(frozen=True, eq=False)
class Plot:
    """Part of a frontage with one house, garden or park fence."""

    kind: PlotKind
    frontage: Frontage
    offset: float
    """Distance from the start of the frontage, metres."""
    width: float
    style_key: tuple[int, ...]
    """Seed of everything that is repeated in the twin street."""
    detail_key: tuple[int, ...]
    """Seed of the small details that are not repeated."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Streets, frontages and plots of a town."""

    seed: int
    nodes: dict[Node, Float64]
    streets: tuple[Street, ...]
    frontages: tuple[Frontage, ...]
    plots: tuple[Plot, ...]
    park: tuple[Float64, ...]
    """Corners of the park, in order."""
    phases: Float64
    """(3,) phases of the terrain's waves, rad."""

    def ground(self, xy: Float64) -> Float64:
        """(...,) height of the ground at (..., 2) points."""
        x, y = xy[..., 0], xy[..., 1]
        p = self.phases
        return (
            0.45 * np.sin(x / 31 + p[0])
            + 0.4 * np.sin(y / 27 + p[1])
            + 0.12 * np.sin((x + y) / 13 + p[2])
        )

    def street(self, edge: Edge) -> Street:
        return next(street for street in self.streets if street.edge == edge)
