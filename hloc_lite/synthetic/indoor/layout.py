"""Plan of a floor: rectangular spaces, their walls, and the openings in these.

World: x along the corridor, y across, z up, metres. The floor is at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

import numpy as np

from hloc_lite.synthetic.shapes import LocalFrame
from hloc_lite.types import Float64

WALL_M = 0.16
"""Thickness of a wall."""
DOOR_M = (0.95, 2.08)
"""Width and height of a door."""
NORTH, EAST, SOUTH, WEST = range(4)
"""Walls of a space, clockwise as seen from above."""


class Use(StrEnum):
    """Use of a space."""

    CORRIDOR = auto()
    OFFICE = auto()
    MEETING = auto()
    LABORATORY = auto()
    LOUNGE = auto()
    LIBRARY = auto()


class OpeningKind(StrEnum):
    """Kind of a place in a wall where something else is than wall."""

    PASSAGE = auto()
    """Open, as wide as a corridor."""
    DOOR = auto()
    BLIND_DOOR = auto()
    """Door that is never open, with nothing behind it; the wall goes through."""
    WINDOW = auto()


@dataclass(frozen=True)
class Opening:
    """Rectangle in a wall."""

    kind: OpeningKind
    wall: int
    low: float
    """Its lower coordinate along the wall, x or y of the world, metres."""
    width: float
    bottom: float
    top: float
    number: str = ""
    """Number of a door, on the side where its plate is; else empty."""


@dataclass(frozen=True)
class Space:
    """Room, or straight piece of a corridor."""

    use: Use
    x0: float
    y0: float
    x1: float
    y1: float
    height: float
    style_key: tuple[int, ...]
    """Seed of all that a twin room repeats."""
    detail_key: tuple[int, ...]
    """Seed of the small things that a twin room does not repeat."""
    openings: tuple[Opening, ...] = ()

    @property
    def area(self) -> float:
        """Square metres."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    def wall_length(self, wall: int) -> float:
        """Length of a wall, metres."""
        return self.x1 - self.x0 if wall in (NORTH, SOUTH) else self.y1 - self.y0

    def wall_frame(self, wall: int) -> LocalFrame:
        """Frame at the foot of a wall's left end; outward is into the space."""
        corners = ((self.x0, self.y1), (self.x1, self.y1), (self.x1, self.y0), (self.x0, self.y0))
        rights = ((1, 0), (0, -1), (-1, 0), (0, 1))
        return LocalFrame.upright((*corners[wall], 0.0), rights[wall])

    def left_of(self, opening: Opening) -> float:
        """Distance of an opening from the left end of its wall, metres."""
        end = opening.low + opening.width
        return (
            opening.low - self.x0,
            self.y1 - end,
            self.x1 - end,
            opening.low - self.y0,
        )[opening.wall]

    def openings_of(self, wall: int) -> list[Opening]:
        """Openings of a wall, from left to right."""
        return sorted((each for each in self.openings if each.wall == wall), key=self.left_of)

    def free_stretches(
        self, wall: int, *, windows_too: bool, margin: float
    ) -> list[tuple[float, float]]:
        """Parts of a wall without openings: (left, width) in metres.

        Args:
            wall: index of the wall.
            windows_too: True if the parts below windows count as free.
            margin: distance kept from openings and from the ends of the wall.
        """
        left, found = margin, []
        end = self.wall_length(wall) - margin
        for opening in self.openings_of(wall):
            if windows_too and opening.kind is OpeningKind.WINDOW:
                continue
            start = self.left_of(opening)
            found.append((left, start - margin - left))
            left = start + opening.width + margin
        found.append((left, end - left))
        return [(start, width) for start, width in found if width > 0.3]

    def contains(self, points: Float64, margin: float = 0.0) -> np.ndarray:
        """(N,) True for (N, 2) or (N, 3) points inside, or nearer than ``margin`` metres."""
        x, y = points[:, 0], points[:, 1]
        return (
            (x > self.x0 - margin) & (x < self.x1 + margin)
            & (y > self.y0 - margin) & (y < self.y1 + margin)
        )  # fmt: skip


@dataclass(frozen=True)
class FloorPlan:
    """Spaces of a floor; corridors come first."""

    name: str
    key: tuple[int, ...]
    """Seed of the floor."""
    spaces: tuple[Space, ...]
    number: int = 0
    """Index of the floor in its building."""

    def space_at(self, points: Float64) -> np.ndarray:
        """(N,) index of the space of (N, 2) or (N, 3) points, -1 outside.

        Points in a wall or a door belong to one of the spaces beside it.
        """
        found = np.full(len(points), -1)
        for margin in (WALL_M + 0.02, 0.0):
            for index, space in enumerate(self.spaces):
                found[space.contains(points, margin)] = index
        return found
