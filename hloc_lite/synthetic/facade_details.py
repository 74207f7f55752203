"""Things on facades that change with the season: shop signs, posters, scaffolds."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic import labels, paint, patches
from hloc_lite.synthetic.atlas import Rect
from hloc_lite.synthetic.houses import Style
from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import Material, MeshBuilder
from hloc_lite.synthetic.shapes import LocalFrame, box, quad, rect, tube


def add_shop_front(
    mesh: MeshBuilder,
    library: Library,
    rng: np.random.Generator,
    local: LocalFrame,
    style: Style,
    width: float,
    detail: float,
) -> None:
    """Add a lettered board, and at random a hanging sign and an awning."""
    plain = library["metal"]
    length = float(min(width - 0.5, rng.uniform(2.5, 6.5)))
    if length < 1.2:
        return
    left = rng.uniform(0.2, width - 0.2 - length)
    tall = rng.uniform(0.45, 0.62)
    bottom = 2.72
    size_px = int(length * 130 * detail), int(tall * 130 * detail)
    name = paint.shop_name(rng)
    board = mesh.atlas.add_patch(patches.shop_sign(paint.spawn_rng(rng), *size_px, name))
    low, high = (left, bottom, 0.0), (left + length, bottom + tall, 0.12)
    box(mesh, local, low, high, plain.tinted(0.1, 0.1, 0.1), labels.BUILDING, faces="lrtb")
    lit = Material(plain.tile, plain.metres, (1.0, 1.0, 1.0), 0.5 if rng.random() < 0.5 else 0.0)
    rect(mesh, local, left, bottom + tall, length, tall, lit, labels.BUILDING,
         out=0.12, patch=board)  # fmt: skip
    if rng.random() < 0.6:
        _add_hanging_sign(mesh, plain, rng, local, width)
    if rng.random() < 0.4:
        cloth = mesh.atlas.add_patch(patches.stripes(paint.spawn_rng(rng), int(length * 60), 64))
        for corner, down in (
            ((left, bottom, 0.06), (0, -0.45, 1.15)),
            ((left, bottom - 0.45, 1.21), (0, -0.2, 0)),
        ):
            quad(mesh, local, corner, (length, 0, 0), down, library["fabric"],
                 label=labels.BUILDING, patch=cloth)  # fmt: skip


def _add_hanging_sign(
    mesh: MeshBuilder, metal: Material, rng: np.random.Generator, local: LocalFrame, width: float
) -> None:
    """Add a sign perpendicular to the facade."""
    size = rng.uniform(0.5, 0.8)
    x = rng.uniform(0.2, width - 0.3)
    sign_rng = paint.spawn_rng(rng)
    name = paint.shop_name(rng).split()[0]
    patch = mesh.atlas.add_patch(patches.shop_sign(sign_rng, 96, 96, name))
    for side, turn in ((-0.03, 1), (0.03, -1)):
        corner = (x + side, 3.4 + size, 0.15 if turn > 0 else 0.15 + size)
        quad(mesh, local, corner, (0, 0, turn * size), (0, -size, 0), metal,
             label=labels.BUILDING, patch=patch)  # fmt: skip
    start, end = local.point(x, 3.42 + size, 0), local.point(x, 3.42 + size, 0.2 + size)
    tube(mesh, start, end, 0.02, metal.tinted(0.03, 0.03, 0.03), labels.BUILDING)


def add_posters(
    mesh: MeshBuilder,
    library: Library,
    posters: tuple[Rect, ...],
    rng: np.random.Generator,
    local: LocalFrame,
    width: float,
) -> None:
    """Add posters at eye level."""
    for _ in range(rng.poisson(1.8)):
        wide = rng.uniform(0.35, 0.85)
        tall = wide * 1.42
        left = rng.uniform(0.1, max(0.15, width - wide - 0.1))
        patch = posters[rng.integers(len(posters))]
        top = rng.uniform(1.3 + tall / 2, 2.1)
        out = rng.uniform(0.012, 0.03)
        rect(mesh, local, left, top, wide, tall, library["metal"], labels.BUILDING,
             out=out, patch=patch)  # fmt: skip


def add_scaffold(
    mesh: MeshBuilder,
    library: Library,
    rng: np.random.Generator,
    local: LocalFrame,
    style: Style,
    width: float,
) -> None:
    """Add tubes and planks in front of a facade, and a tarpaulin over the upper part."""
    steel = library["metal"].tinted(0.35, 0.36, 0.37)
    planks = library["wood"].tinted(0.5, 0.4, 0.28)
    tarp = library["fabric"].tinted(*(rng.uniform(0.25, 0.7) * rng.uniform(0.5, 1.2, 3)))
    top = style.height + 0.8
    xs = np.linspace(0.1, width - 0.1, max(2, int(width / 2.2) + 1))
    for x in xs:
        for out in (0.45, 1.25):
            ends = local.point(x, -0.5, out), local.point(x, top, out)
            tube(mesh, *ends, 0.03, steel, labels.POLE, sides=5)
    levels = np.arange(2.1, top, 2.0)
    for level in levels:
        low, high = (0.1, level, 0.42), (width - 0.1, level + 0.06, 1.25)
        box(mesh, local, low, high, planks, labels.UNKNOWN)
        for rail in (0.5, 1.0):
            start, end = (local.point(x, level + rail, 1.28) for x in (0.1, width - 0.1))
            tube(mesh, start, end, 0.025, steel, labels.POLE, sides=5)
    covered = levels[rng.integers(1, max(2, len(levels) - 1)) :]
    if len(covered):
        rect(mesh, local, 0.1, top, width - 0.2, top - covered[0], tarp, labels.UNKNOWN, out=1.32)
