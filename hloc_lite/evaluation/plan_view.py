"""Plan view of the map: points, map images, true and estimated cameras in the ground plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from hloc_lite.evaluation.evaluate import Evaluation
from hloc_lite.evaluation.figures import INK, PALETTE, add_legend, figure_svg, label_axes, new_axes
from hloc_lite.evaluation.plan_regions import far_regions, nearest_region
from hloc_lite.evaluation.records import QueryRecord
from hloc_lite.evaluation.thresholds import DistanceUnit
from hloc_lite.geometry.ground_plane import ground_axes, plan_limits
from hloc_lite.geometry.up_direction import approximate_up
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float64, Rigid3

MAX_POINTS = 20000
"""Map points drawn; more would only make the picture heavier."""
WIDTH_IN = 12.0
"""Width at which the lettering is as large as that of the curves, of which two fill the page."""


@dataclass(frozen=True, eq=False)
class PlanQuery:
    """Estimated and true pose of a query, as far as they are known."""

    estimated: Rigid3 | None
    true: Rigid3 | None


def plan_values(
    records: Sequence[QueryRecord],
    evaluation: Evaluation | None,
    model: SfmModel | None,
    unit: DistanceUnit,
) -> dict[str, Any] | None:
    """Values of the template for the plan view; None without any pose."""
    true = {}
    if evaluation is not None:
        true = {n: pose for poses in evaluation.conditions.values() for n, pose in poses.items()}
    queries = [PlanQuery(record.cam_from_world, true.get(record.name)) for record in records]
    points = model.xyz if model else np.zeros((0, 3))
    map_poses = [image.cam_from_world for image in model.images] if model else []
    plans = _plans_of_regions(points, map_poses, queries, unit)
    if not plans:
        return None
    return {
        "svgs": [svg for svg, _ in plans],
        "outside": sum(outside for _, outside in plans),
        "num_points": len(points),
        "thinned": len(points) > MAX_POINTS,
    }


def _plans_of_regions(
    points: Float64,
    map_poses: Sequence[Rigid3],
    queries: Sequence[PlanQuery],
    unit: DistanceUnit,
) -> list[tuple[str, int]]:
    """A plan for each part of the map that stands far from the others, the largest first.

    A query is drawn where its estimated pose is, or else its true one.
    """
    middles = far_regions(_centers(map_poses))
    if len(middles) < 2:
        plan = plan_view_svg(points, map_poses, queries, unit)
        return [] if plan is None else [plan]
    known = [query for query in queries if query.estimated or query.true]
    shown = [pose for query in known if (pose := query.estimated or query.true)]
    of_points, of_map, of_queries = (
        nearest_region(xyz, middles) for xyz in (points, _centers(map_poses), _centers(shown))
    )
    plans = [
        plan_view_svg(
            points[of_points == region],
            [pose for pose, own in zip(map_poses, of_map, strict=True) if own == region],
            [query for query, own in zip(known, of_queries, strict=True) if own == region],
            unit,
        )
        for region in range(len(middles))
    ]
    return [plan for plan in plans if plan is not None]


def plan_view_svg(
    points: Float64,
    map_poses: Sequence[Rigid3],
    queries: Sequence[PlanQuery],
    unit: DistanceUnit,
) -> tuple[str, int] | None:
    """Draw the plan view.

    Args:
        points: (M, 3) map points, world.
        map_poses: cam_from_world of the map images.
        queries: poses of the queries.
        unit: unit of the axis labels.

    Returns:
        SVG and the number of estimated cameras outside the view; None without any pose.
    """
    true = [query.true for query in queries if query.true is not None]
    estimated = [query.estimated for query in queries if query.estimated is not None]
    trusted = [*map_poses, *(true or estimated)]
    if not trusted:
        return None
    plan_from_world, low, high = _plan_frame(points, trusted)
    size = high - low

    def project(poses: Sequence[Rigid3]) -> Float64:
        return _centers(poses) @ plan_from_world.T

    figure, axes = new_axes(WIDTH_IN, float(np.clip(WIDTH_IN * size[1] / size[0], 4.0, 9.0)))
    step = max(1, -(-len(points) // MAX_POINTS))
    drawn = points[::step] @ plan_from_world.T
    axes.scatter(
        drawn[:, 0], drawn[:, 1], s=1.2, color="#8a8a8a", alpha=0.35, linewidths=0, rasterized=True
    )
    length = 0.02 * float(size.max())
    _draw_cameras(axes, map_poses, plan_from_world, 0.6 * length, "#999999", "map images", 0.6)
    _draw_cameras(axes, true, plan_from_world, length, PALETTE[0], "true", 1.6)
    for query in queries:
        if query.true is not None and query.estimated is not None:
            ends = project([query.true, query.estimated])
            axes.plot(*ends.T, color=PALETTE[1], linewidth=0.8, alpha=0.8)
    _draw_cameras(axes, estimated, plan_from_world, length, PALETTE[1], "estimated", 1.0)
    failed = [query.true for query in queries if query.true is not None and not query.estimated]
    if failed:
        axes.plot(
            *project(failed).T,
            linestyle="none", marker="x", color=INK, markersize=8, markeredgewidth=1.6,
            label="not localized (true pose)",
        )  # fmt: skip
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    name = unit.symbol if unit.length == 1 else "map units"
    label_axes(axes, name, name)
    add_legend(axes, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0)
    svg = figure_svg(figure, "Plan view of the map with true and estimated cameras")
    outside = ((project(estimated) < low) | (project(estimated) > high)).any(axis=1)
    return svg, int(outside.sum())


def _plan_frame(points: Float64, poses: Sequence[Rigid3]) -> tuple[Float64, Float64, Float64]:
    """(2, 3) plan axes in the world, and the (2,) lower and upper corner of the view."""
    everywhere = np.concatenate([points, _centers(poses)])
    plan_from_world = ground_axes(approximate_up(poses), everywhere)
    low, high = plan_limits(points @ plan_from_world.T, _centers(poses) @ plan_from_world.T)
    size = high - low
    if size[1] > size[0]:  # the page is wider than high
        plan_from_world = np.stack([plan_from_world[1], -plan_from_world[0]])
        low, high = np.array([low[1], -high[0]]), np.array([high[1], -low[0]])
    return plan_from_world, low, high


def _draw_cameras(
    axes: Axes,
    poses: Sequence[Rigid3],
    plan_from_world: Float64,
    length: float,
    color: str,
    label: str,
    width: float,
) -> None:
    """Draw each camera as a wedge that opens in its viewing direction."""
    if not poses:
        return
    wedges = []
    for pose in poses:
        # a 50 degree field of view, as most phones have
        corners = np.array([[-0.47, 0, 1.0], [0, 0, 0], [0.47, 0, 1.0]]) * length
        world = pose.inverse().apply(corners)
        wedges.append((world @ plan_from_world.T)[[0, 1, 2, 0]])
    axes.add_collection(LineCollection(wedges, colors=color, linewidths=width, label=label))


def _centers(poses: Sequence[Rigid3]) -> Float64:
    return np.array([pose.center for pose in poses]).reshape(-1, 3)
