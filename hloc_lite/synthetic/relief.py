"""Relief of a facade: ledges, pilasters, balconies, downpipes, boxes."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic import labels
from hloc_lite.synthetic.house_style import Style
from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import Material, MeshBuilder
from hloc_lite.synthetic.shapes import LocalFrame, box, tube


def add_relief(
    mesh: MeshBuilder,
    library: Library,
    local: LocalFrame,
    style: Style,
    width: float,
    rng: np.random.Generator,
) -> None:
    """Add cornice, string courses, balconies, pilasters, a downpipe and small boxes."""
    top = style.height
    box(mesh, local, (0, top - 0.35, 0), (width, top - 0.12, 0.22), style.trim, labels.BUILDING)
    box(mesh, local, (0, top - 0.12, 0), (width, top + 0.06, 0.38), style.trim, labels.BUILDING)
    if style.string_courses:
        for floor in range(style.floors):
            level = style.ground_height + floor * style.floor_height
            low, high = (0.0, level - 0.06, 0.0), (width, level + 0.1, 0.09)
            box(mesh, local, low, high, style.trim, labels.BUILDING, faces="flrtb")
    if style.pilasters and width > 4:
        for k in range(style.columns + 1):
            x = float(np.clip(k * width / style.columns, 0.2, width - 0.2))
            low, high = (x - 0.17, style.ground_height, 0.0), (x + 0.17, top - 0.35, 0.1)
            box(mesh, local, low, high, style.trim, labels.BUILDING, faces="flr")
    if style.balconies and width > 4:
        dark = library["metal"].tinted(0.03, 0.03, 0.035)
        pitch = width / style.columns
        for floor in range(style.floors):
            for column in range(style.columns):
                if rng.random() < 0.5:
                    continue
                x0, x1 = column * pitch + 0.25, (column + 1) * pitch - 0.25
                level = style.ground_height + floor * style.floor_height + 0.2
                low, high = (x0, level - 0.14, 0.0), (x1, level, 0.85)
                box(mesh, local, low, high, library["plaster"], labels.BUILDING)
                _railing(mesh, local, x0, x1, level, dark)
    x = rng.uniform(0.12, 0.3)
    gray = library["metal"].tinted(0.28, 0.29, 0.3)
    pipe = local.point(x, -0.3, 0.09), local.point(x, top - 0.3, 0.09)
    tube(mesh, *pipe, 0.055, gray, labels.BUILDING)
    for _ in range(rng.integers(1, 4)):  # meters, vents, lamps
        a, b = rng.uniform(0.4, max(0.5, width - 0.7)), rng.uniform(1.3, style.height - 1.0)
        size = rng.uniform(0.15, 0.4, 2)
        tone = rng.uniform(0.2, 0.9)
        high = (a + size[0], b + size[1], rng.uniform(0.08, 0.25))
        plate = library["metal"].tinted(tone, tone, tone)
        box(mesh, local, (a, b, 0.0), high, plate, labels.BUILDING, faces="flrtb")


def _railing(
    mesh: MeshBuilder, local: LocalFrame, x0: float, x1: float, level: float, iron: Material
) -> None:
    box(mesh, local, (x0, level + 0.95, 0.8), (x1, level + 1.0, 0.85), iron, labels.BUILDING)
    count = max(2, int((x1 - x0) / 0.16))
    for x in np.linspace(x0, x1 - 0.025, count):
        low, high = (float(x), level, 0.81), (float(x) + 0.025, level + 0.95, 0.835)
        box(mesh, local, low, high, iron, labels.BUILDING, faces="flr")
    for x in (x0, x1 - 0.03):
        for level_up in (0.35, 0.65, 0.95):
            low, high = (x, level + level_up, 0.0), (x + 0.03, level + level_up + 0.05, 0.85)
            box(mesh, local, low, high, iron, labels.BUILDING, faces="lrt")
