"""Builds a town: meshes of its parts, which each pass combines, and their texture atlas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.optional_dependencies import require_extra
from hloc_lite.synthetic.atlas import Atlas, AtlasBuilder
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.facade_details import add_posters, add_scaffold, add_shop_front
from hloc_lite.synthetic.ground import add_manholes, build_ground, build_lawn
from hloc_lite.synthetic.houses import add_house, plot_frame
from hloc_lite.synthetic.layout import KERB_M, Plan, Plot, PlotKind
from hloc_lite.synthetic.materials import Library, make_library
from hloc_lite.synthetic.mesh import Mesh, MeshBuilder, join_meshes
from hloc_lite.synthetic.movers import add_movers
from hloc_lite.synthetic.planning import make_plan
from hloc_lite.synthetic.props import (
    add_fence,
    add_garden_wall,
    add_lamp,
    add_post_sign,
    add_traffic_light,
    add_tree,
    parking_side,
    sidewalk_point,
)
from hloc_lite.types import Float64

PASSES: Mapping[str, tuple[str, ...]] = {
    "map0": ("static", "summer", "signs_before", "movers_map0"),
    "map1": ("static", "summer", "signs_before", "movers_map1"),
    "day": ("static", "summer", "signs_before", "movers_day"),
    "night": ("static", "summer", "signs_before", "movers_night"),
    "changed": ("static", "autumn", "signs_after", "works", "movers_changed"),
}
"""Capture pass -> parts present in it. The map images are taken in two passes."""


@dataclass(frozen=True, eq=False)
class Town:
    """Meshes and textures of a town."""

    config: TownConfig
    plan: Plan
    atlas: Atlas
    parts: Mapping[str, Mesh]
    lamps: Float64
    """(L, 3) positions of the street lamps, world."""

    def mesh(self, pass_name: str) -> Mesh:
        """Mesh of the town in a pass of ``PASSES``."""
        return join_meshes([self.parts[part] for part in PASSES[pass_name]])


def require_town_extra() -> None:
    """Check that the packages that render a town are installed.

    Raises:
        MissingDependencyError: a package of the extra ``town`` is missing.
    """
    require_extra("town", "a rendered town")


def build_town(config: TownConfig, near: Float64 | None = None) -> Town:
    """Build the town of a config's seed.

    The geometry depends on the seed only. Textures are coarser in proportion for images less than
    1024 pixels wide.

    Args:
        config: seed and image size.
        near: (N, 2) points; facades within 28 m of one have 2.3 cm texels, others 8 cm. None: all
            have 2.3 cm texels.

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
    add_manholes(parts["static"], library, plan)
    if plan.park:
        build_lawn(parts["summer"], library, plan, frame, (0.42, 0.62, 0.2))
        build_lawn(parts["autumn"], library, plan, frame, (1.1, 1.12, 1.2))
    for plot in plan.plots:
        _build_plot(parts, library, plan, plot, near, detail)
    lamps = _add_street_furniture(parts, library, plan)
    for name in names:
        if name.startswith("movers_"):
            add_movers(parts[name], library, plan, names.index(name))
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
    """Add the house, garden or park fence of a plot."""
    static = parts["static"]
    rng = np.random.default_rng([*plot.detail_key, 3])
    local = plot_frame(plan, plot)
    if plot.kind is PlotKind.PARK:
        add_fence(static, library, plan, plot.frontage)
        for share in (0.2, 0.5, 0.8):
            spot = plot.frontage.start + share * plot.width * plot.frontage.right
            spot = spot - rng.uniform(3, 6) * plot.frontage.outward
            _add_tree(parts, library, plan, rng, spot)
        return
    if plot.kind is PlotKind.GARDEN:
        add_garden_wall(static, library, rng, local, plot.width)
        spot = local.point(plot.width / 2, 0, -3.0)[:2]
        _add_tree(parts, library, plan, rng, spot)
        return
    middle = local.point(plot.width / 2, 0)[:2]
    fine = near is None or bool((np.linalg.norm(near - middle, axis=1) < 28).any())
    style = add_house(static, library, plan, plot, detail * (44.0 if fine else 12.0))
    if style.shop:
        for part, season in (("signs_before", 0), ("signs_after", 1)):
            key = plot.style_key if season == 0 else plot.detail_key
            shop_rng = np.random.default_rng([*key, 40 + season])
            add_shop_front(parts[part], library, shop_rng, local, style, plot.width, detail)
    for part, season in (("signs_before", 0), ("signs_after", 1)):
        poster_rng = np.random.default_rng([*plot.detail_key, 50 + season])
        add_posters(parts[part], library, library.posters[season], poster_rng, local, plot.width)
    if np.random.default_rng([*plot.detail_key, 60]).random() < 0.22:
        add_scaffold(parts["works"], library, rng, local, style, plot.width)


def _add_tree(
    parts: Mapping[str, MeshBuilder],
    library: Library,
    plan: Plan,
    rng: np.random.Generator,
    spot: Float64,
    height: float | None = None,
) -> None:
    foot = np.array([*spot, float(plan.ground(spot)) + KERB_M])
    tall = rng.uniform(7.0, 10.0) if height is None else height
    add_tree(parts["static"], parts["summer"], parts["autumn"], library, rng, foot, tall)


def _add_street_furniture(
    parts: Mapping[str, MeshBuilder], library: Library, plan: Plan
) -> list[Float64]:
    """Add lamps, trees and signs along the streets; returns the positions of the lamps."""
    lamps = []
    static = parts["static"]
    for number, street in enumerate(plan.streets):
        rng = np.random.default_rng([plan.seed, 31, number])
        count = max(2, round((street.length - 14) / 13))
        walk = street.carriageway_half_width + 0.35
        for k, along in enumerate(np.linspace(8.5, street.length - 8.5, count)):
            side = 1 if (k + number) % 2 else -1
            foot = sidewalk_point(plan, street, along, side * walk)
            lamps.append(add_lamp(static, library, foot, -side * street.left))
        if rng.random() < 0.7:
            side = -parking_side(plan, street)
            for along in np.arange(12.0, street.length - 11, rng.uniform(9, 13)):
                spot = street.start + (along + rng.uniform(-1, 1)) * street.direction
                spot = spot + side * (walk + 0.15) * street.left
                _add_tree(parts, library, plan, rng, spot, rng.uniform(5.5, 7.5))
        for along, facing in ((7.6, -1), (street.length - 7.6, 1)):
            side = -facing
            foot = sidewalk_point(plan, street, along, side * walk)
            if rng.random() < 0.35:
                add_traffic_light(static, library, foot, -facing * street.direction)
            else:
                add_post_sign(static, library, rng, foot, -facing * street.direction)
        for _ in range(rng.integers(1, 4)):
            side = rng.choice([-1, 1])
            foot = sidewalk_point(plan, street, rng.uniform(10, street.length - 10), side * walk)
            add_post_sign(static, library, rng, foot, -side * street.direction)
    return lamps
