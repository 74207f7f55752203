"""Houses with relief: recessed windows and doors, ledges, balconies, awnings, signs, roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.synthetic import labels, paint
from hloc_lite.synthetic.layout import KERB_M, Plan, Plot
from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import Material, MeshBuilder, TextureFrame
from hloc_lite.synthetic.shapes import LocalFrame, box, rect, tube

DEPTH_M = 9.0
PLASTER_TINTS = (
    (0.95, 0.86, 0.66),
    (0.9, 0.72, 0.45),
    (0.85, 0.83, 0.78),
    (0.62, 0.68, 0.6),
    (0.8, 0.55, 0.42),
    (0.66, 0.72, 0.78),
    (0.92, 0.9, 0.86),
    (0.78, 0.66, 0.6),
    (0.72, 0.42, 0.32),
)
"""Cream, ochre, grays, sage, terracotta, pale blue, white, clay, red: linear."""
CORNER_INSET_M = 2.4
FOOT_M = 1.2
"""How far walls reach below the ground line: the terrain is not flat."""


@dataclass(frozen=True)
class Style:
    """What a house looks like; all metres."""

    floors: int
    ground_height: float
    floor_height: float
    columns: int
    window_width: float
    window_height: float
    recess: float
    wall: Material
    trim: Material
    shop: bool
    balconies: bool
    shutters: bool
    shutter_tone: tuple[float, float, float]
    gable: bool
    quoins: bool
    string_courses: bool
    pilasters: bool

    @property
    def height(self) -> float:
        return self.ground_height + self.floors * self.floor_height + 0.5


def draw_style(rng: np.random.Generator, width: float, library: Library) -> Style:
    names = ["brick", "brick_photo", "plaster", "plaster", "plaster", "stone"]
    name = names[rng.integers(len(names))]
    tint = rng.uniform(0.6, 1.05) * (1 + rng.uniform(-0.1, 0.1, 3))
    if name == "plaster":
        tint = tint * np.array(PLASTER_TINTS[rng.integers(len(PLASTER_TINTS))])
    wall = library[name].tinted(*np.clip(tint, 0.12, 1.1))
    light = rng.uniform(0.55, 0.95)
    pitch = rng.uniform(2.0, 3.1)
    return Style(
        floors=int(rng.integers(2, 5)),
        ground_height=rng.uniform(3.4, 4.2),
        floor_height=rng.uniform(2.9, 3.4),
        columns=max(1, int((width - 0.8) / pitch)),
        window_width=rng.uniform(0.9, 1.3),
        window_height=rng.uniform(1.4, 1.9),
        recess=rng.uniform(0.14, 0.3),
        wall=wall,
        trim=library["plaster"].tinted(light, light * 0.97, light * 0.9),
        shop=bool(rng.random() < 0.55),
        balconies=bool(rng.random() < 0.3),
        shutters=bool(rng.random() < 0.3),
        shutter_tone=tuple(rng.uniform(0.05, 0.3, 3)),
        gable=bool(rng.random() < 0.25),
        quoins=bool(rng.random() < 0.35),
        string_courses=bool(rng.random() < 0.7),
        pilasters=bool(rng.random() < 0.25),
    )


def plot_frame(plan: Plan, plot: Plot) -> LocalFrame:
    """Local frame of a plot: right along the facade from its left end, up from its highest
    ground, outward to the street."""
    front = plot.frontage
    steps = plot.offset + np.linspace(0, plot.width, 5)
    line = front.start + steps[:, None] * front.right
    base = float(plan.ground(line).max()) + KERB_M
    return LocalFrame.upright([*line[0], base], front.right)


def build_house(
    mesh: MeshBuilder, library: Library, plan: Plan, plot: Plot, texels_per_m: float
) -> Style:
    """Adds a house; returns its style."""
    rng = np.random.default_rng(plot.style_key)
    own = np.random.default_rng([*plot.own_key, 7])
    style = draw_style(rng, plot.width, library)
    local = plot_frame(plan, plot)
    width, height = plot.width, style.height
    # painting draws from its own generator: finer texels must not change the geometry
    brush = np.random.default_rng([*plot.style_key, 8])
    weathering = paint.wall_weathering(brush, width, height + FOOT_M, texels_per_m)
    _paint_facade(brush, weathering, style, width, texels_per_m)
    patch = mesh.atlas.add_patch(paint.as_patch(weathering))
    frame = TextureFrame(patch, local.point(0, height), width, height + FOOT_M)
    openings = _ground_openings(rng, style, width)
    pitch = width / style.columns
    for floor in range(style.floors):
        bottom = style.ground_height + floor * style.floor_height + 0.85
        for column in range(style.columns):
            left = (column + 0.5) * pitch - style.window_width / 2
            openings.append(
                Opening(left, bottom, style.window_width, style.window_height, "window")
            )
    _wall_with_openings(mesh, local, style, frame, openings, width)
    for opening in openings:
        _fill_opening(mesh, library, local, style, opening, texels_per_m, rng, own)
    _relief(mesh, library, local, style, width, rng)
    corners = (plot.offset < 0.01, plot.offset + width > plot.frontage.length - 0.01)
    _shell(mesh, library, local, style, width, corners, rng)
    return style


@dataclass(frozen=True)
class Opening:
    left: float
    bottom: float
    width: float
    height: float
    kind: str


def _ground_openings(rng: np.random.Generator, style: Style, width: float) -> list[Opening]:
    door_width, door_height = 1.15, 2.35
    if width < 3.0:
        return [Opening(width / 2 - 0.5, 0.05, min(1.0, width * 0.6), door_height, "door")]
    door_left = rng.uniform(0.4, width - 0.4 - door_width)
    openings = [Opening(door_left, 0.05, door_width, door_height, "door")]
    for start, end in ((0.0, door_left), (door_left + door_width, width)):
        room = end - start
        if style.shop and room > 1.6:
            count = max(1, int(room / 3.2))
            each = room / count
            for k in range(count):
                left = start + k * each + 0.3
                openings.append(Opening(left, 0.55, each - 0.6, 2.1, "shop"))
        elif room > 1.6:
            count = max(1, int(room / 2.4))
            each = room / count
            for k in range(count):
                left = start + (k + 0.5) * each - style.window_width / 2
                openings.append(Opening(left, 0.95, style.window_width, 1.5, "window"))
    return openings


def _wall_with_openings(
    mesh: MeshBuilder,
    local: LocalFrame,
    style: Style,
    frame: TextureFrame,
    openings: list[Opening],
    width: float,
) -> None:
    """Bands between floors, piers between openings; the openings' reveals."""
    rows: dict[tuple[float, float], list[Opening]] = {}
    for opening in openings:
        key = (0.0, style.ground_height)
        if opening.bottom > style.ground_height:
            key = (opening.bottom, opening.bottom + opening.height)
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
            right = opening.left + opening.width
            wall(opening.left, bottom, right, opening.bottom)
            wall(opening.left, opening.bottom + opening.height, right, top)
            cursor = right
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
    deep = style.recess
    for o in openings:
        top, right = o.bottom + o.height, o.left + o.width
        reveal = [
            ((o.left, top, 0), (0, 0, -deep), (0, -o.height, 0)),
            ((right, top, -deep), (0, 0, deep), (0, -o.height, 0)),
            ((o.left, top, 0), (o.width, 0, 0), (0, 0, -deep)),
            ((o.left, o.bottom, -deep), (o.width, 0, 0), (0, 0, deep)),
        ]
        corner, u, v = (np.array(x, np.float64) for x in zip(*reveal, strict=True))
        material = style.trim.tinted(*(0.7 * np.array(style.trim.tint)))
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
    own: np.random.Generator,
) -> None:
    glow = 0.0
    if opening.kind == "window":
        patch = library.windows[rng.integers(len(library.windows))]
        glow = float(rng.uniform(0.25, 0.9)) if rng.random() < 0.22 else 0.0
    elif opening.kind == "shop":
        texels = max(24.0, 1.8 * texels_per_m)
        size = int(opening.width * texels), int(opening.height * texels)
        patch = mesh.atlas.add_patch(paint.shop_window(paint.branch(rng), *size))
        glow = 0.8 if rng.random() < 0.6 else 0.1
    else:
        patch = library.doors[own.integers(len(library.doors))]
    glass = Material(library["metal"].tile, 1.5, (1.0, 1.0, 1.0), glow)
    top = opening.bottom + opening.height
    args = (opening.left, top, opening.width, opening.height, glass, labels.BUILDING)
    rect(mesh, local, *args, out=-style.recess, patch=patch)
    right = opening.left + opening.width
    if opening.kind == "door":
        low = (opening.left - 0.15, -FOOT_M, 0.0)
        box(
            mesh,
            local,
            low,
            (right + 0.15, opening.bottom, 0.35),
            library["stone"],
            labels.SIDEWALK,
        )
        return
    low = (opening.left - 0.08, opening.bottom - 0.09, 0.0)
    box(mesh, local, low, (right + 0.08, opening.bottom, 0.1), style.trim, labels.BUILDING)
    if opening.kind == "window" and style.shutters and opening.bottom > style.ground_height:
        wood = library["wood"].tinted(*style.shutter_tone)
        half = opening.width / 2 - 0.04
        for left in (opening.left - half - 0.03, right + 0.03):
            corner = (left, opening.bottom, 0.0)
            box(mesh, local, corner, (left + half, top, 0.05), wood, labels.BUILDING, faces="flrtb")


def _paint_facade(
    rng: np.random.Generator, image: paint.Float32, style: Style, width: float, scale: float
) -> None:
    """Painted ground floor, quoins, soot under the ledges; in place."""
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
    if width > 5 and style.floors >= 3 and rng.random() < 0.3:  # a painted old advertisement
        tall, wide = int(0.9 * scale), int((width - 1.5) * scale)
        top = row(style.ground_height + style.floor_height * 2 + 0.6)
        mask = paint.text_mask(paint.shop_name(rng), paint.FONTS[1], tall, wide)
        region = image[top : top + tall, int(0.7 * scale) : int(0.7 * scale) + wide]
        paint.blend(region, 0.6 * mask[: region.shape[0], : region.shape[1]], (45, 42, 55))


def _relief(
    mesh: MeshBuilder,
    library: Library,
    local: LocalFrame,
    style: Style,
    width: float,
    rng: np.random.Generator,
) -> None:
    """Cornice, string courses, balconies, pilasters, a downpipe, small boxes."""
    top = style.height
    box(mesh, local, (0, top - 0.35, 0), (width, top - 0.12, 0.22), style.trim, labels.BUILDING)
    box(mesh, local, (0, top - 0.12, 0), (width, top + 0.06, 0.38), style.trim, labels.BUILDING)
    if style.string_courses:
        for floor in range(style.floors):
            level = style.ground_height + floor * style.floor_height
            box(
                mesh,
                local,
                (0, level - 0.06, 0),
                (width, level + 0.1, 0.09),
                style.trim,
                labels.BUILDING,
                faces="flrtb",
            )
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
    tube(
        mesh,
        local.point(x, -0.3, 0.09),
        local.point(x, top - 0.3, 0.09),
        0.055,
        gray,
        labels.BUILDING,
    )
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


def _shell(
    mesh: MeshBuilder,
    library: Library,
    local: LocalFrame,
    style: Style,
    width: float,
    corners: tuple[bool, bool],
    rng: np.random.Generator,
) -> None:
    """Side and back walls, the roof, chimneys.

    At a block's corner they stand back, or they would cover the neighbour's facade around it.
    """
    top = style.height
    x0, x1 = 0.01 + CORNER_INSET_M * corners[0], width - 0.01 - CORNER_INSET_M * corners[1]
    if x1 - x0 < 0.5:
        return
    back = library.blind_walls[rng.integers(len(library.blind_walls))]
    rect(
        mesh,
        local,
        x0,
        top,
        x1 - x0,
        top + FOOT_M,
        style.wall,
        labels.BUILDING,
        out=-DEPTH_M,
        patch=back,
    )
    for near, far in ((0.01 + 0.3 * corners[0], x0), (width - 0.01 - 0.3 * corners[1], x1)):
        blind = library.blind_walls[rng.integers(len(library.blind_walls))]
        mesh.quads(
            local.point(near, top, -0.05),
            local.vectors([far - near, 0, 0.05 - DEPTH_M]),
            local.vectors([0, -top - FOOT_M, 0]),
            style.wall,
            labels.BUILDING,
            patch=blind,
        )
    tiles = library["roof"].tinted(*(rng.uniform(0.5, 1.0) * np.array([1.0, 0.85, 0.8])))
    rise = rng.uniform(2.2, 4.0)
    if style.gable:
        middle = (x0 + x1) / 2
        gable = local.points([[x0, top, -0.02], [x1, top, -0.02], [middle, top + rise, -0.02]])
        mesh.triangles(gable[None], style.wall, labels.BUILDING)
        for x in (x0, x1):
            mesh.quads(
                local.point(middle, top + rise, 0.25),
                local.vectors([0, 0, -DEPTH_M - 0.25]),
                local.vectors([(x - middle) * 1.05, -rise * 1.05, 0]),
                tiles,
                labels.BUILDING,
            )
    else:
        half = DEPTH_M / 2
        mesh.quads(
            local.point(x0, top + rise, -half),
            local.vectors([x1 - x0, 0, 0]),
            local.vectors([0, -rise * 1.08, half * 1.08]),
            tiles,
            labels.BUILDING,
        )
        mesh.quads(
            local.point(x1, top + rise, -half),
            local.vectors([x0 - x1, 0, 0]),
            local.vectors([0, -rise, -half]),
            tiles,
            labels.BUILDING,
        )
        for x in (x0, x1):
            ends = [[x, top, 0], [x, top, -DEPTH_M], [x, top + rise, -half]]
            mesh.triangles(local.points(ends)[None], style.wall, labels.BUILDING)
        if x1 - x0 > 4 and rng.random() < 0.5:  # a dormer
            x = rng.uniform(x0 + 0.8, x1 - 2.2)
            low, high = (x, top + 0.4, -2.4), (x + 1.4, top + 1.9, -0.6)
            box(mesh, local, low, high, style.trim, labels.BUILDING, faces="lrt")
            pane = library.windows[rng.integers(len(library.windows))]
            rect(
                mesh,
                local,
                x,
                top + 1.9,
                1.4,
                1.5,
                Material(library["metal"].tile, 1.5),
                labels.BUILDING,
                out=-0.6,
                patch=pane,
            )
    for _ in range(rng.integers(1, 3)):
        x, out = rng.uniform(x0 + 0.3, max(x0 + 0.4, x1 - 1.0)), -rng.uniform(2.5, 5.0)
        low, high = (x, top, out - 0.6), (x + 0.7, top + rise + 0.9, out)
        box(mesh, local, low, high, library["brick"], labels.BUILDING, faces="flrkt")
