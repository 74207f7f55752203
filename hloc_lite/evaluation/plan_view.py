"""The map from above: points, true and estimated cameras, in the plane of the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from hloc_lite.evaluation.figures import INK, PALETTE, add_legend, label_axes, new_axes, svg_of
from hloc_lite.evaluation.thresholds import DistanceUnit
from hloc_lite.geometry.ground_plane import ground_axes, plan_limits
from hloc_lite.geometry.up_direction import approximate_up
from hloc_lite.types import Float64, Rigid3

MAX_POINTS = 20000
"""Points drawn; more only makes the picture heavier."""


WIDTH_IN = 12.0
"""So that its letters come out as large as those of the curves, of which two fill the page."""


@dataclass(frozen=True, eq=False)
class PlanQuery:
    """A query's poses, as far as they are known."""

    estimated: Rigid3 | None
    true: Rigid3 | None


def plan_view_svg(
    points: Float64,
    map_poses: Sequence[Rigid3],
    queries: Sequence[PlanQuery],
    unit: DistanceUnit,
) -> tuple[str, int] | None:
    """The plan as SVG, and how many estimated cameras lie outside of it; None if nothing is there.

    Args:
        points: (M, 3) map points, world.
        map_poses: cam_from_world of the map images.
        queries: what is known of each query.
        unit: of the axes; the scale bar of a map without metric scale.
    """
    true = [query.true for query in queries if query.true is not None]
    estimated = [query.estimated for query in queries if query.estimated is not None]
    trusted = [*map_poses, *(true or estimated)]
    if not trusted:
        return None
    everywhere = np.concatenate([points, _centers(trusted)])
    axes_2x3 = ground_axes(approximate_up(trusted), everywhere)
    low, high = plan_limits(points @ axes_2x3.T, _centers(trusted) @ axes_2x3.T)
    size = high - low
    if size[1] > size[0]:  # pages are wider than high
        axes_2x3 = np.stack([axes_2x3[1], -axes_2x3[0]])
        low, high = np.array([low[1], -high[0]]), np.array([high[1], -low[0]])
        size = size[::-1]
    outside = sum(
        bool((_flat(p, axes_2x3) < low).any() or (_flat(p, axes_2x3) > high).any())
        for p in estimated
    )

    figure, axes = new_axes(WIDTH_IN, float(np.clip(WIDTH_IN * size[1] / size[0], 4.0, 9.0)))
    step = max(1, -(-len(points) // MAX_POINTS))
    flat = points[::step] @ axes_2x3.T
    axes.scatter(
        flat[:, 0], flat[:, 1], s=1.2, color="#8a8a8a", alpha=0.35, linewidths=0, rasterized=True
    )
    length = 0.02 * float(size.max())
    _draw_cameras(axes, map_poses, axes_2x3, 0.6 * length, "#999999", "map images", 0.6)
    _draw_cameras(axes, true, axes_2x3, length, PALETTE[0], "true", 1.6)
    for query in queries:
        if query.true is not None and query.estimated is not None:
            ends = np.stack([_flat(query.true, axes_2x3), _flat(query.estimated, axes_2x3)])
            axes.plot(*ends.T, color=PALETTE[1], linewidth=0.8, alpha=0.8)
    _draw_cameras(axes, estimated, axes_2x3, length, PALETTE[1], "estimated", 1.0)
    failed = [query.true for query in queries if query.true is not None and not query.estimated]
    if failed:
        axes.plot(
            *np.array([_flat(pose, axes_2x3) for pose in failed]).T,
            linestyle="none", marker="x", color=INK, markersize=8, markeredgewidth=1.6,
            label="not localized (true place)",
        )  # fmt: skip
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    name = unit.symbol if unit.symbol != "%" else "map units"
    label_axes(axes, name, name)
    add_legend(axes, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0)
    return svg_of(figure, "Plan view of the map with true and estimated cameras"), outside


def _draw_cameras(
    axes: Axes,
    poses: Sequence[Rigid3],
    axes_2x3: Float64,
    length: float,
    color: str,
    label: str,
    width: float,
) -> None:
    """Each camera as a wedge that opens where it looks."""
    if not poses:
        return
    wedges = []
    for pose in poses:
        # a 50 degree field of view, as most phones have
        corners = np.array([[-0.47, 0, 1.0], [0, 0, 0], [0.47, 0, 1.0]]) * length
        world = pose.inverse().apply(corners)
        wedges.append((world @ axes_2x3.T)[[0, 1, 2, 0]])
    axes.add_collection(LineCollection(wedges, colors=color, linewidths=width, label=label))


def _centers(poses: Sequence[Rigid3]) -> Float64:
    return np.array([pose.center for pose in poses]).reshape(-1, 3)


def _flat(pose: Rigid3, axes_2x3: Float64) -> Float64:
    return np.asarray(axes_2x3 @ pose.center)
