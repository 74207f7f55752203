"""Generates the plan of a town from a seed."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic.layout import (
    COLUMNS,
    PITCH_M,
    ROWS,
    SIDEWALK_M,
    TWIN_EDGES,
    TWIN_LENGTH_M,
    Edge,
    Frontage,
    Node,
    Plan,
    Plot,
    PlotKind,
    Street,
)
from hloc_lite.types import Float64


def make_plan(seed: int) -> Plan:
    """Make the plan of a seed."""
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
                plots += [_park_plot(side, seed, k) for k, side in enumerate(sides)]
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
    # the twin streets are parallel and equally long
    nodes[2, 1] = nodes[1, 1] + nodes[2, 0] - nodes[1, 0]
    return nodes


def _edges() -> list[Edge]:
    along = [((i, j), (i + 1, j)) for j in range(ROWS) for i in range(COLUMNS - 1)]
    across = [((i, j), (i, j + 1)) for i in range(COLUMNS) for j in range(ROWS - 1)]
    return along + across


def _block_frontages(
    i: int, j: int, streets: dict[Edge, Street], nodes: dict[Node, Float64]
) -> list[Frontage]:
    """Four sides of a block, each left to right as seen from its street."""
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
    """Far sides of the boundary streets; they overlap at their ends to close the view."""
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
        if side == 1:  # its direction runs left to right as seen from the street
            sides.append(Frontage(street, side, line[0], line[1], kerb[0], kerb[1]))
        else:
            sides.append(Frontage(street, side, line[1], line[0], kerb[1], kerb[0]))
    return sides


def _edge_key(edge: Edge) -> int:
    (i0, j0), (i1, j1) = edge
    return ((i0 * 16 + j0) * 16 + i1) * 16 + j1


def _park_plot(side: Frontage, seed: int, index: int) -> Plot:
    key = (seed, 5, index)
    return Plot(PlotKind.PARK, side, 0.0, side.length, key, key)


def _plots(side: Frontage, seed: int) -> list[Plot]:
    """Fill a frontage with plots; the middles of the twin streets have the same seed."""
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
    detail_key: tuple[int, ...],
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
        keys = (*style_key, index + 1), (*detail_key, index + 1)
        plots.append(Plot(kind, side, offset, float(width), *keys))
    return plots
