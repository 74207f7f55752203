"""Houses: facades with recessed windows and doors, relief and roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.synthetic import labels, paint, patches
from hloc_lite.synthetic.house_style import FOOT_M, Style, draw_style
from hloc_lite.synthetic.layout import KERB_M, Plan, Plot
from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import Material, MeshBuilder, TextureFrame
from hloc_lite.synthetic.relief import add_relief
from hloc_lite.synthetic.roofs import add_shell
from hloc_lite.synthetic.shapes import LocalFrame, box, rect
from hloc_lite.types import Float32


@dataclass(frozen=True)
class Opening:
    """Hole in a facade, in its local frame, metres."""

    left: float
    bottom: float
    width: float
    height: float
    kind: str
    """window, shop or door."""

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def top(self) -> float:
        return self.bottom + self.height


def plot_frame(plan: Plan, plot: Plot) -> LocalFrame:
    """Local frame of a plot.

    The origin is the left end of the facade at its highest ground; the axes point right along the
    facade, up, and outward to the street.
    """
    front = plot.frontage
    steps = plot.offset + np.linspace(0, plot.width, 5)
    line = front.start + steps[:, None] * front.right
    base = float(plan.ground(line).max()) + KERB_M
    return LocalFrame.upright([*line[0], base], front.right)


def add_house(
    mesh: MeshBuilder, library: Library, plan: Plan, plot: Plot, texels_per_m: float
) -> Style:
    """Add the house of a plot; returns its style."""
    rng = np.random.default_rng(plot.style_key)
    detail_rng = np.random.default_rng([*plot.detail_key, 7])
    style = draw_style(rng, plot.width, library)
    local = plot_frame(plan, plot)
    width, height = plot.width, style.height
    # painting has its own generator, so that the texel size does not change the geometry
    paint_rng = np.random.default_rng([*plot.style_key, 8])
    weathering = patches.wall_weathering(paint_rng, width, height + FOOT_M, texels_per_m)
    _paint_facade(paint_rng, weathering, style, width, texels_per_m)
    patch = mesh.atlas.add_patch(paint.to_patch(weathering))
    frame = TextureFrame(patch, local.point(0, height), width, height + FOOT_M)
    openings = [*_ground_openings(rng, style, width), *_upper_windows(style, width)]
    _add_wall(mesh, local, style, frame, openings, width)
    _add_reveals(mesh, local, style, openings)
    for opening in openings:
        _fill_opening(mesh, library, local, style, opening, texels_per_m, rng, detail_rng)
    add_relief(mesh, library, local, style, width, rng)
    corners = (plot.offset < 0.01, plot.offset + width > plot.frontage.length - 0.01)
    add_shell(mesh, library, local, style, width, corners, rng)
    return style


def _ground_openings(rng: np.random.Generator, style: Style, width: float) -> list[Opening]:
    """The door, and shop windows or windows beside it."""
    door_width, door_height = 1.15, 2.35
    if width < 3.0:
        return [Opening(width / 2 - 0.5, 0.05, min(1.0, width * 0.6), door_height, "door")]
    door_left = rng.uniform(0.4, width - 0.4 - door_width)
    openings = [Opening(door_left, 0.05, door_width, door_height, "door")]
    for start, end in ((0.0, door_left), (door_left + door_width, width)):
        room = end - start
        if room <= 1.6:
            continue
        count = max(1, int(room / (3.2 if style.shop else 2.4)))
        each = room / count
        for k in range(count):
            if style.shop:
                openings.append(Opening(start + k * each + 0.3, 0.55, each - 0.6, 2.1, "shop"))
            else:
                left = start + (k + 0.5) * each - style.window_width / 2
                openings.append(Opening(left, 0.95, style.window_width, 1.5, "window"))
    return openings


def _upper_windows(style: Style, width: float) -> list[Opening]:
    pitch = width / style.columns
    size = style.window_width, style.window_height
    return [
        Opening(
            (column + 0.5) * pitch - style.window_width / 2,
            style.ground_height + floor * style.floor_height + 0.85,
            *size,
            "window",
        )
        for floor in range(style.floors)
        for column in range(style.columns)
    ]


def _add_wall(
    mesh: MeshBuilder,
    local: LocalFrame,
    style: Style,
    frame: TextureFrame,
    openings: list[Opening],
    width: float,
) -> None:
    """Add the wall around the openings: bands between floors, piers between openings."""
    rows: dict[tuple[float, float], list[Opening]] = {}
    for opening in openings:
        key = (0.0, style.ground_height)
        if opening.bottom > style.ground_height:
            key = (opening.bottom, opening.top)
        rows.setdefault(key, []).append(opening)
    corners: list[tuple[float, float, float]] = []
    sizes: list[tuple[float, float]] = []

    def wall(left: float, bottom: float, right: float, top: float) -> None:
        if right - left > 1e-3 and top - bottom > 1e-3:
            corners.append((left, top, 0.0))
            sizes.append((right - left, top - bottom))

    level = -FOOT_M
    for (bottom, top), row in sorted(rows.items()):
        wall(0, level, width, bottom)
        cursor = 0.0
        for opening in sorted(row, key=lambda o: o.left):
            wall(cursor, bottom, opening.left, top)
            wall(opening.left, bottom, opening.right, opening.bottom)
            wall(opening.left, opening.top, opening.right, top)
            cursor = opening.right
        wall(cursor, bottom, width, top)
        level = top
    wall(0, level, width, style.height)
    size = np.array(sizes)
    us = np.column_stack([size[:, 0], np.zeros((len(size), 2))])
    vs = np.column_stack([np.zeros(len(size)), -size[:, 1], np.zeros(len(size))])
    mesh.quads(
        local.points(corners),
        local.vectors(us),
        local.vectors(vs),
        style.wall,
        labels.BUILDING,
        frame=frame,
    )


def _add_reveals(
    mesh: MeshBuilder, local: LocalFrame, style: Style, openings: list[Opening]
) -> None:
    """Add the four sides of each opening's recess."""
    deep = style.recess
    material = style.trim.tinted(*(0.7 * np.array(style.trim.tint)))
    for o in openings:
        reveal = [
            ((o.left, o.top, 0), (0, 0, -deep), (0, -o.height, 0)),
            ((o.right, o.top, -deep), (0, 0, deep), (0, -o.height, 0)),
            ((o.left, o.top, 0), (o.width, 0, 0), (0, 0, -deep)),
            ((o.left, o.bottom, -deep), (o.width, 0, 0), (0, 0, deep)),
        ]
        corner, u, v = (np.array(x, np.float64) for x in zip(*reveal, strict=True))
        mesh.quads(
            local.points(corner), local.vectors(u), local.vectors(v), material, labels.BUILDING
        )


def _fill_opening(
    mesh: MeshBuilder,
    library: Library,
    local: LocalFrame,
    style: Style,
    opening: Opening,
    texels_per_m: float,
    rng: np.random.Generator,
    detail_rng: np.random.Generator,
) -> None:
    """Add the pane or door of an opening with its sill, step and shutters."""
    glow = 0.0
    if opening.kind == "window":
        patch = library.windows[rng.integers(len(library.windows))]
        glow = float(rng.uniform(0.25, 0.9)) if rng.random() < 0.22 else 0.0
    elif opening.kind == "shop":
        texels = max(24.0, 1.8 * texels_per_m)
        size = int(opening.width * texels), int(opening.height * texels)
        patch = mesh.atlas.add_patch(patches.shop_window(paint.spawn_rng(rng), *size))
        glow = 0.8 if rng.random() < 0.6 else 0.1
    else:
        patch = library.doors[detail_rng.integers(len(library.doors))]
    glass = Material(library["metal"].tile, 1.5, (1.0, 1.0, 1.0), glow)
    extent = (opening.left, opening.top, opening.width, opening.height)
    rect(mesh, local, *extent, glass, labels.BUILDING, out=-style.recess, patch=patch)
    if opening.kind == "door":
        low, high = (
            (opening.left - 0.15, -FOOT_M, 0.0),
            (opening.right + 0.15, opening.bottom, 0.35),
        )
        box(mesh, local, low, high, library["stone"], labels.SIDEWALK)
        return
    low = (opening.left - 0.08, opening.bottom - 0.09, 0.0)
    box(mesh, local, low, (opening.right + 0.08, opening.bottom, 0.1), style.trim, labels.BUILDING)
    if opening.kind == "window" and style.shutters and opening.bottom > style.ground_height:
        wood = library["wood"].tinted(*style.shutter_tone)
        half = opening.width / 2 - 0.04
        for left in (opening.left - half - 0.03, opening.right + 0.03):
            low, high = (left, opening.bottom, 0.0), (left + half, opening.top, 0.05)
            box(mesh, local, low, high, wood, labels.BUILDING, faces="flrtb")


def _paint_facade(
    rng: np.random.Generator, image: Float32, style: Style, width: float, scale: float
) -> None:
    """Paint the ground floor, quoins and soot under the ledges, in place."""
    height = image.shape[0]

    def row(up: float) -> int:
        return int((style.height - up) * scale)

    if rng.random() < 0.5:
        tone = np.array(paint.random_colour(rng, 60, 105, 0.14), np.float32) / 100
        image[row(style.ground_height) : row(0.0)] *= tone
    if rng.random() < 0.6:
        image[row(0.5) : height] *= rng.uniform(0.55, 0.8)
    if style.quoins:
        step = 0.42
        for k in range(int(style.height / step)):
            reach = int((0.55 if k % 2 else 0.34) * scale)
            rows = slice(max(0, row((k + 1) * step) + 1), row(k * step))
            stone = rng.uniform(1.1, 1.3)
            image[rows, :reach] *= stone
            image[rows, -reach:] *= stone
    for floor in range(style.floors + 1):
        level = style.ground_height + floor * style.floor_height
        top = max(0, row(level))
        fade = np.linspace(0.62, 1, max(2, int(0.45 * scale)), dtype=np.float32)
        band = image[top : top + len(fade)]
        band *= fade[: len(band), None, None]
    if width > 5 and style.floors >= 3 and rng.random() < 0.3:  # an old painted advertisement
        tall, wide = int(0.9 * scale), int((width - 1.5) * scale)
        top = row(style.ground_height + style.floor_height * 2 + 0.6)
        mask = paint.text_mask(paint.shop_name(rng), paint.FONTS[1], tall, wide)
        region = image[top : top + tall, int(0.7 * scale) : int(0.7 * scale) + wide]
        paint.blend(region, 0.6 * mask[: region.shape[0], : region.shape[1]], (45, 42, 55))
