"""The plan of a town: streets on a bent grid, blocks between them, plots along the blocks.

World: x east, y north, z up, metres. Two parallel streets have the same facades.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

import numpy as np

from hloc_lite.types import Float64

COLUMNS, ROWS = 5, 3
"""Crossings east-west and north-south: eight blocks inside."""
PITCH_M = (46.0, 40.0)
SIDEWALK_M = 2.2
KERB_M = 0.12
TWIN_EDGES = (((1, 0), (2, 0)), ((1, 1), (2, 1)))
TWIN_LENGTH_M = 26.0
"""The middle of the twin streets that is alike; the ends give them away."""

Node = tuple[int, int]
Edge = tuple[Node, Node]


class PlotKind(StrEnum):
    HOUSE = auto()
    GARDEN = auto()
    """A gap behind a wall, with a tree."""
    PARK = auto()
    """A fence with lawn and trees behind it."""


@dataclass(frozen=True, eq=False)
class Street:
    edge: Edge
    start: Float64
    """(2,) world."""
    end: Float64
    half_width: float
    """From the centre line to the facades."""
    cobbled: bool

    @property
    def length(self) -> float:
        return float(np.linalg.norm(self.end - self.start))

    @property
    def direction(self) -> Float64:
        return (self.end - self.start) / self.length

    @property
    def left(self) -> Float64:
        """(2,) unit normal to the left of ``direction``."""
        return np.array([-self.direction[1], self.direction[0]])

    @property
    def carriageway_half_width(self) -> float:
        return self.half_width - SIDEWALK_M


@dataclass(frozen=True, eq=False)
class Frontage:
    """One side of a street: the building line, seen from the street from left to right."""

    street: Street
    side: int
    """+1 left of the street's direction, -1 right."""
    start: Float64
    """(2,)"""
    end: Float64
    kerb_start: Float64
    """(2,) where the sidewalk before it meets the carriageway."""
    kerb_end: Float64

    @property
    def length(self) -> float:
        return float(np.linalg.norm(self.end - self.start))

    @property
    def right(self) -> Float64:
        """(2,) unit, along the facade."""
        return (self.end - self.start) / self.length

    @property
    def outward(self) -> Float64:
        """(2,) unit, towards the street."""
        return np.array([self.right[1], -self.right[0]])


@dataclass(frozen=True, eq=False)
class Plot:
    kind: PlotKind
    frontage: Frontage
    offset: float
    """From the frontage's start, metres."""
    width: float
    style_key: tuple[int, ...]
    """Seeds all that repeats in the twin street."""
    own_key: tuple[int, ...]
    """Seeds the small details that do not."""


@dataclass(frozen=True, eq=False)
class Plan:
    seed: int
    nodes: dict[Node, Float64]
    streets: tuple[Street, ...]
    frontages: tuple[Frontage, ...]
    plots: tuple[Plot, ...]
    park: tuple[Float64, ...]
    """Corners of the park block, in order."""
    phases: Float64
    """(3,) of the terrain's waves."""

    def ground(self, xy: Float64) -> Float64:
        """(...,) height of the carriageway at (..., 2) points."""
        x, y = xy[..., 0], xy[..., 1]
        p = self.phases
        return (
            0.45 * np.sin(x / 31 + p[0])
            + 0.4 * np.sin(y / 27 + p[1])
            + 0.12 * np.sin((x + y) / 13 + p[2])
        )

    def street(self, edge: Edge) -> Street:
        return next(street for street in self.streets if street.edge == edge)


def make_plan(seed: int) -> Plan:
    """The plan of a seed."""
    rng = np.random.default_rng([seed, 1])
    nodes = _nodes(rng)
    streets = tuple(
        Street(
            edge,
            nodes[edge[0]],
            nodes[edge[1]],
            half_width=5.6 if edge in TWIN_EDGES else float(rng.uniform(5.0, 6.4)),
            cobbled=edge not in TWIN_EDGES and bool(rng.random() < 0.35),
        )
        for edge in _edges()
    )
    by_edge = {street.edge: street for street in streets}
    park_block = (int(rng.integers(0, COLUMNS - 1)), 1)
    if park_block[0] == 1:
        park_block = (0, 1)
    frontages: list[Frontage] = []
    plots: list[Plot] = []
    park: tuple[Float64, ...] = ()
    for i in range(COLUMNS - 1):
        for j in range(ROWS - 1):
            sides = _block_frontages(i, j, by_edge, nodes)
            frontages += sides
            if (i, j) == park_block:
                park = tuple(side.start for side in sides)
                plots += [_whole(side, PlotKind.PARK, seed, k) for k, side in enumerate(sides)]
            else:
                plots += [plot for side in sides for plot in _plots(side, seed)]
    for side in _outer_frontages(by_edge):
        frontages.append(side)
        plots += _plots(side, seed)
    phases = rng.uniform(0, 2 * np.pi, 3)
    return Plan(seed, nodes, streets, tuple(frontages), tuple(plots), park, phases)


def _nodes(rng: np.random.Generator) -> dict[Node, Float64]:
    nodes = {}
    for i in range(COLUMNS):
        for j in range(ROWS):
            jitter = rng.uniform(-3.5, 3.5, 2)
            nodes[i, j] = np.array([i * PITCH_M[0], j * PITCH_M[1]]) + jitter
    # the twin streets are parallel and of one length
    nodes[2, 1] = nodes[1, 1] + nodes[2, 0] - nodes[1, 0]
    return nodes


def _edges() -> list[Edge]:
    along = [((i, j), (i + 1, j)) for j in range(ROWS) for i in range(COLUMNS - 1)]
    across = [((i, j), (i, j + 1)) for i in range(COLUMNS) for j in range(ROWS - 1)]
    return along + across


def _block_frontages(
    i: int, j: int, streets: dict[Edge, Street], nodes: dict[Node, Float64]
) -> list[Frontage]:
    """The four sides of a block, walked clockwise: from left to right for who stands outside."""
    south = streets[(i, j), (i + 1, j)]
    north = streets[(i, j + 1), (i + 1, j + 1)]
    west = streets[(i, j), (i, j + 1)]
    east = streets[(i + 1, j), (i + 1, j + 1)]
    order = [(south, 1), (east, 1), (north, -1), (west, -1)]
    corners = {}
    for inset in (0.0, SIDEWALK_M):
        lines = [_offset_line(street, side, inset) for street, side in order]
        corners[inset] = [_intersection(lines[k - 1], lines[k]) for k in range(4)]
    sides = []
    for k, (street, side) in enumerate(order):
        following = (k + 1) % 4
        sides.append(
            Frontage(
                street,
                side,
                corners[0.0][k],
                corners[0.0][following],
                corners[SIDEWALK_M][k],
                corners[SIDEWALK_M][following],
            )
        )
    return sides


def _offset_line(street: Street, side: int, inset: float) -> tuple[Float64, Float64]:
    return street.start + side * street.left * (street.half_width - inset), street.direction


def _intersection(a: tuple[Float64, Float64], b: tuple[Float64, Float64]) -> Float64:
    (p, d), (q, e) = a, b
    t = np.linalg.solve(np.stack([d, -e], axis=1), q - p)[0]
    return p + t * d


def _outer_frontages(streets: dict[Edge, Street]) -> list[Frontage]:
    """The far sides of the boundary streets, lapping over at their ends to close the views."""
    sides = []
    last_column, last_row = COLUMNS - 1, ROWS - 1
    for street in streets.values():
        (i0, j0), (i1, j1) = street.edge
        if j0 == j1 == 0 or i0 == i1 == last_column:
            side = -1
        elif j0 == j1 == last_row or i0 == i1 == 0:
            side = 1
        else:
            continue
        ends = []
        for node, node_xy, sign in (
            (street.edge[0], street.start, -1),
            (street.edge[1], street.end, 1),
        ):
            corner = node[0] in (0, last_column) and node[1] in (0, last_row)
            reach = 5.2 if corner else 0.6
            ends.append(node_xy + sign * street.direction * reach)
        normal = side * street.left
        line = [end + normal * street.half_width for end in ends]
        kerb = [end + normal * (street.half_width - SIDEWALK_M) for end in ends]
        if side == 1:  # from the street, its direction runs from left to right
            sides.append(Frontage(street, side, line[0], line[1], kerb[0], kerb[1]))
        else:
            sides.append(Frontage(street, side, line[1], line[0], kerb[1], kerb[0]))
    return sides


def _edge_key(edge: Edge) -> int:
    (i0, j0), (i1, j1) = edge
    return ((i0 * 16 + j0) * 16 + i1) * 16 + j1


def _whole(side: Frontage, kind: PlotKind, seed: int, index: int) -> Plot:
    key = (seed, 5, index)
    return Plot(kind, side, 0.0, side.length, key, key)


def _plots(side: Frontage, seed: int) -> list[Plot]:
    """Fills a frontage with plots; the twin streets' middles come from the same seed."""
    key = (seed, 2, _edge_key(side.street.edge), side.side + 1)
    if side.street.edge not in TWIN_EDGES:
        return _fill(side, 0.0, side.length, key, key)
    twin_key = (seed, 3, side.side + 1)
    middle = (side.street.start + side.street.end) / 2
    start = float((middle - side.start) @ side.right) - TWIN_LENGTH_M / 2
    end = start + TWIN_LENGTH_M
    return [
        *_fill(side, 0.0, start, (*key, 0), (*key, 0)),
        *_fill(side, start, end, twin_key, (*key, 1)),
        *_fill(side, end, side.length, (*key, 2), (*key, 2)),
    ]


def _fill(
    side: Frontage,
    start: float,
    end: float,
    style_key: tuple[int, ...],
    own_key: tuple[int, ...],
) -> list[Plot]:
    total = end - start
    if total < 1.0:
        return []
    rng = np.random.default_rng([*style_key, 0])
    count = max(1, round(total / rng.uniform(8.5, 11.5)))
    shares = rng.uniform(0.75, 1.25, count)
    widths = shares / shares.sum() * total
    plots = []
    for index, width in enumerate(widths):
        inner = 0 < index < count - 1
        garden = inner and rng.random() < 0.12
        kind = PlotKind.GARDEN if garden else PlotKind.HOUSE
        offset = start + float(widths[:index].sum())
        keys = (*style_key, index + 1), (*own_key, index + 1)
        plots.append(Plot(kind, side, offset, float(width), *keys))
    return plots
