"""A town: everything that stands in it, in parts that conditions and passes put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.optional_dependencies import require_extra
from hloc_lite.synthetic import labels, paint
from hloc_lite.synthetic.atlas import Atlas, AtlasBuilder, Rect
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.ground import build_ground, build_lawn, manholes
from hloc_lite.synthetic.houses import Style, build_house, plot_frame
from hloc_lite.synthetic.layout import KERB_M, Plan, Plot, PlotKind, Street, make_plan
from hloc_lite.synthetic.materials import Library, make_library
from hloc_lite.synthetic.mesh import Frame, Material, Mesh, MeshBuilder, joined
from hloc_lite.synthetic.props import (
    car,
    fence,
    garden_wall,
    lamp,
    parking_side,
    person,
    post_sign,
    traffic_light,
    tree,
)
from hloc_lite.synthetic.shapes import Local, box, rect, tube
from hloc_lite.types import Float64

PASSES: Mapping[str, tuple[str, ...]] = {
    "map0": ("static", "summer", "signs_before", "movers_map0"),
    "map1": ("static", "summer", "signs_before", "movers_map1"),
    "day": ("static", "summer", "signs_before", "movers_day"),
    "night": ("static", "summer", "signs_before", "movers_night"),
    "changed": ("static", "autumn", "signs_after", "works", "movers_changed"),
}
"""Pass -> the parts that stand in the town then. The map is taken in two passes."""


@dataclass(frozen=True, eq=False)
class Town:
    config: TownConfig
    plan: Plan
    atlas: Atlas
    parts: Mapping[str, Mesh]
    lamps: Float64
    """(L, 3) street lights."""

    def mesh(self, pass_name: str) -> Mesh:
        """All that stands in the town in a pass of ``PASSES``."""
        return joined([self.parts[part] for part in PASSES[pass_name]])


def require_town_extra() -> None:
    """Check that the packages that render a town are installed.

    Raises:
        MissingDependencyError: a package of the extra ``town`` is missing.
    """
    require_extra("town", "a rendered town")


def build_town(config: TownConfig, near: Float64 | None = None) -> Town:
    """The town of a config's seed.

    Facades within 28 m of a point of ``near`` (N, 2) get 2.3 cm texels, others 8 cm; None: all
    fine. Images less than 1024 pixels wide get coarser textures in proportion; the geometry is
    always the same.

    Raises:
        MissingDependencyError: a package of the extra ``town`` is missing.
    """
    require_town_extra()
    plan = make_plan(config.seed)
    detail = float(np.clip(config.width / 1024, 0.25, 1))
    atlas = AtlasBuilder()
    library = make_library(config.seed, atlas)
    names = sorted({part for parts in PASSES.values() for part in parts})
    parts = {name: MeshBuilder(atlas) for name in names}
    frame = build_ground(parts["static"], library, plan, detail)
    manholes(parts["static"], library, plan)
    if plan.park:
        build_lawn(parts["summer"], library, plan, frame, (0.42, 0.62, 0.2))
        build_lawn(parts["autumn"], library, plan, frame, (1.1, 1.12, 1.2))
    for plot in plan.plots:
        _build_plot(parts, library, plan, plot, near, detail)
    lamps = _street_furniture(parts, library, plan, frame)
    for name in names:
        if name.startswith("movers_"):
            _movers(parts[name], library, plan, list(names).index(name))
    return Town(
        config,
        plan,
        atlas.build(),
        {name: builder.build() for name, builder in parts.items()},
        np.array(lamps),
    )


def _build_plot(
    parts: Mapping[str, MeshBuilder],
    library: Library,
    plan: Plan,
    plot: Plot,
    near: Float64 | None,
    detail: float,
) -> None:
    static = parts["static"]
    rng = np.random.default_rng([*plot.own_key, 3])
    local = plot_frame(plan, plot)
    if plot.kind is PlotKind.PARK:
        fence(static, library, plan, plot.frontage)
        for share in (0.2, 0.5, 0.8):
            spot = plot.frontage.start + share * plot.width * plot.frontage.right
            spot = spot - rng.uniform(3, 6) * plot.frontage.outward
            _tree(parts, library, plan, rng, spot)
        return
    if plot.kind is PlotKind.GARDEN:
        garden_wall(static, library, rng, local, plot.width)
        spot = local.point(plot.width / 2, 0, -3.0)[:2]
        _tree(parts, library, plan, rng, spot)
        return
    middle = local.point(plot.width / 2, 0)[:2]
    fine = near is None or bool((np.linalg.norm(near - middle, axis=1) < 28).any())
    style = build_house(static, library, plan, plot, detail * (44.0 if fine else 12.0))
    if style.shop:
        for part, season in (("signs_before", 0), ("signs_after", 1)):
            key = plot.style_key if season == 0 else plot.own_key
            shop_rng = np.random.default_rng([*key, 40 + season])
            _shop_front(parts[part], library, shop_rng, local, style, plot.width, detail)
    for part, season in (("signs_before", 0), ("signs_after", 1)):
        poster_rng = np.random.default_rng([*plot.own_key, 50 + season])
        _posters(parts[part], library, library.posters[season], poster_rng, local, plot.width)
    if np.random.default_rng([*plot.own_key, 60]).random() < 0.22:
        _scaffold(parts["works"], library, rng, local, style, plot.width)


def _tree(
    parts: Mapping[str, MeshBuilder],
    library: Library,
    plan: Plan,
    rng: np.random.Generator,
    spot: Float64,
    height: float | None = None,
) -> None:
    foot = np.array([*spot, float(plan.ground(spot)) + KERB_M])
    tall = rng.uniform(7.0, 10.0) if height is None else height
    tree(parts["static"], parts["summer"], parts["autumn"], library, rng, foot, tall)


def _shop_front(
    mesh: MeshBuilder,
    library: Library,
    rng: np.random.Generator,
    local: Local,
    style: Style,
    width: float,
    detail: float,
) -> None:
    """A lettered board over the shop, perhaps a hanging sign, perhaps an awning."""
    plain = library["metal"]
    length = float(min(width - 0.5, rng.uniform(2.5, 6.5)))
    if length < 1.2:
        return
    left = rng.uniform(0.2, width - 0.2 - length)
    tall = rng.uniform(0.45, 0.62)
    bottom = 2.72
    size_px = int(length * 130 * detail), int(tall * 130 * detail)
    name = paint.shop_name(rng)
    board = mesh.atlas.add_patch(paint.sign(paint.branch(rng), *size_px, name))
    low, high = (left, bottom, 0.0), (left + length, bottom + tall, 0.12)
    box(mesh, local, low, high, plain.tinted(0.1, 0.1, 0.1), labels.BUILDING, faces="lrtb")
    lit = Material(plain.tile, plain.metres, (1.0, 1.0, 1.0), 0.5 if rng.random() < 0.5 else 0.0)
    rect(
        mesh, local, left, bottom + tall, length, tall, lit, labels.BUILDING, out=0.12, patch=board
    )
    if rng.random() < 0.6:
        size = rng.uniform(0.5, 0.8)
        x = rng.uniform(0.2, width - 0.3)
        patch = mesh.atlas.add_patch(
            paint.sign(paint.branch(rng), 96, 96, paint.shop_name(rng).split()[0])
        )
        for side, turn in ((-0.03, 1), (0.03, -1)):
            corner = local.point(x + side, 3.4 + size, 0.15 if turn > 0 else 0.15 + size)
            mesh.quads(
                corner,
                local.vectors([0, 0, turn * size]),
                local.vectors([0, -size, 0]),
                plain,
                labels.BUILDING,
                patch=patch,
            )
        rod = library["metal"].tinted(0.03, 0.03, 0.03)
        start, end = local.point(x, 3.42 + size, 0), local.point(x, 3.42 + size, 0.2 + size)
        tube(mesh, start, end, 0.02, rod, labels.BUILDING)
    if rng.random() < 0.4:
        cloth = mesh.atlas.add_patch(paint.stripes(paint.branch(rng), int(length * 60), 64))
        mesh.quads(
            local.point(left, bottom, 0.06),
            local.vectors([length, 0, 0]),
            local.vectors([0, -0.45, 1.15]),
            library["fabric"],
            labels.BUILDING,
            patch=cloth,
        )
        mesh.quads(
            local.point(left, bottom - 0.45, 1.21),
            local.vectors([length, 0, 0]),
            local.vectors([0, -0.2, 0]),
            library["fabric"],
            labels.BUILDING,
            patch=cloth,
        )


def _posters(
    mesh: MeshBuilder,
    library: Library,
    choice: tuple[Rect, ...],
    rng: np.random.Generator,
    local: Local,
    width: float,
) -> None:
    for _ in range(rng.poisson(1.8)):
        wide = rng.uniform(0.35, 0.85)
        tall = wide * 1.42
        left = rng.uniform(0.1, max(0.15, width - wide - 0.1))
        patch = choice[rng.integers(len(choice))]
        top = rng.uniform(1.3 + tall / 2, 2.1)
        rect(
            mesh,
            local,
            left,
            top,
            wide,
            tall,
            library["metal"],
            labels.BUILDING,
            out=rng.uniform(0.012, 0.03),
            patch=patch,
        )


def _scaffold(
    mesh: MeshBuilder,
    library: Library,
    rng: np.random.Generator,
    local: Local,
    style: Style,
    width: float,
) -> None:
    """Tubes, planks and, above, a tarpaulin in front of a facade."""
    steel, planks = (
        library["metal"].tinted(0.35, 0.36, 0.37),
        library["wood"].tinted(0.5, 0.4, 0.28),
    )
    tarp = library["fabric"].tinted(*(rng.uniform(0.25, 0.7) * rng.uniform(0.5, 1.2, 3)))
    top = style.height + 0.8
    xs = np.linspace(0.1, width - 0.1, max(2, int(width / 2.2) + 1))
    for x in xs:
        for out in (0.45, 1.25):
            tube(
                mesh,
                local.point(x, -0.5, out),
                local.point(x, top, out),
                0.03,
                steel,
                labels.POLE,
                sides=5,
            )
    levels = np.arange(2.1, top, 2.0)
    for level in levels:
        box(
            mesh,
            local,
            (0.1, level, 0.42),
            (width - 0.1, level + 0.06, 1.25),
            planks,
            labels.UNKNOWN,
        )
        for rail in (0.5, 1.0):
            start, end = (
                local.point(0.1, level + rail, 1.28),
                local.point(width - 0.1, level + rail, 1.28),
            )
            tube(mesh, start, end, 0.025, steel, labels.POLE, sides=5)
    covered = levels[rng.integers(1, max(2, len(levels) - 1)) :]
    if len(covered):
        rect(mesh, local, 0.1, top, width - 0.2, top - covered[0], tarp, labels.UNKNOWN, out=1.32)


def _street_furniture(
    parts: Mapping[str, MeshBuilder], library: Library, plan: Plan, frame: Frame
) -> list[Float64]:
    lamps = []
    static = parts["static"]
    for number, street in enumerate(plan.streets):
        rng = np.random.default_rng([plan.seed, 31, number])
        count = max(2, round((street.length - 14) / 13))
        walk = street.carriageway_half_width + 0.35
        for k, along in enumerate(np.linspace(8.5, street.length - 8.5, count)):
            side = 1 if (k + number) % 2 else -1
            lamps.append(
                lamp(
                    static,
                    library,
                    _walk_point(plan, street, along, side * walk),
                    -side * street.left,
                )
            )
        if rng.random() < 0.7:
            side = -parking_side(plan, street)
            for along in np.arange(12.0, street.length - 11, rng.uniform(9, 13)):
                spot = street.start + (along + rng.uniform(-1, 1)) * street.direction
                spot = spot + side * (walk + 0.15) * street.left
                _tree(parts, library, plan, rng, spot, rng.uniform(5.5, 7.5))
        for along, facing in ((7.6, -1), (street.length - 7.6, 1)):
            side = -facing
            foot = _walk_point(plan, street, along, side * walk)
            if rng.random() < 0.35:
                traffic_light(static, library, foot, -facing * street.direction)
            else:
                post_sign(static, library, rng, foot, -facing * street.direction)
        for _ in range(rng.integers(1, 4)):
            side = rng.choice([-1, 1])
            foot = _walk_point(plan, street, rng.uniform(10, street.length - 10), side * walk)
            post_sign(static, library, rng, foot, -side * street.direction)
    return lamps


def _walk_point(plan: Plan, street: Street, along: float, across: float) -> Float64:
    xy = street.start + along * street.direction + across * street.left
    return np.array([*xy, float(plan.ground(xy)) + KERB_M])


def _movers(mesh: MeshBuilder, library: Library, plan: Plan, pass_idx: int) -> None:
    """Cars along the kerbs and people on the sidewalks, other ones in every pass."""
    for number, street in enumerate(plan.streets):
        rng = np.random.default_rng([plan.seed, 32, number, pass_idx])
        side = parking_side(plan, street)
        across = side * (street.carriageway_half_width - 1.05)
        for along in np.arange(11.5, street.length - 11, 5.6):
            if rng.random() < 0.55:
                continue
            spot = along + rng.uniform(-0.5, 0.5)
            xy = street.start + spot * street.direction + across * street.left
            foot = np.array([*xy, float(plan.ground(xy))])
            heading = street.direction * (1 if rng.random() < 0.8 else -1)
            car(mesh, library, rng, foot, heading)
        for _ in range(rng.poisson(street.length / 14)):
            where = rng.choice([-1, 1]) * (street.half_width - rng.uniform(0.6, 1.6))
            foot = _walk_point(plan, street, rng.uniform(4, street.length - 4), where)
            person(mesh, library, rng, foot, street.direction * rng.choice([-1, 1]))
