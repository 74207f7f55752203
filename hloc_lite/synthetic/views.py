"""Camera poses of a town: the map's walk through the streets, and the queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.cameras import cam_from_img
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.layout import KERB_M, TWIN_EDGES, Edge, Plan, Street
from hloc_lite.synthetic.props import parking_side
from hloc_lite.synthetic.raycasting import RaycastScene
from hloc_lite.synthetic.visibility import View, covisible_share, is_valid_view
from hloc_lite.types import Camera, Float64, Rigid3

END_M = 3.0
"""Distance between the walk and the ends of a street."""
MAX_TRIES = 400
MIN_COVISIBLE_SHARE = 0.6
"""Share of a query's static surface that at least two map images must see."""


@dataclass(frozen=True, eq=False)
class Walk:
    """Stretch of a street covered by the map, metres from its start."""

    street: Street
    start: float
    end: float


def plan_walks(plan: Plan, config: TownConfig) -> tuple[list[Walk], float]:
    """Choose the streets that ``num_map`` images cover, those near the twin streets first.

    Returns:
        The walks, and the spacing of the camera positions, metres. It shrinks if there are more
        images than streets.
    """
    edges = _edges_by_distance(plan)
    needed = config.num_map * config.station_spacing_m / 2
    lengths = {edge: plan.street(edge).length - 2 * END_M for edge in edges}
    spacing = config.station_spacing_m * min(1.0, sum(lengths.values()) / needed)
    needed = config.num_map * spacing / 2
    walks = []
    for edge in edges:
        if needed < 1e-6:
            break
        street = plan.street(edge)
        length = min(lengths[edge], needed)
        walks.append(Walk(street, END_M, END_M + length))
        needed -= length
    return walks, spacing


def _edges_by_distance(plan: Plan) -> list[Edge]:
    """Order the streets: the loop with the twin streets, then the streets connected to it."""
    loop: list[Edge] = [TWIN_EDGES[0], ((2, 0), (2, 1)), TWIN_EDGES[1], ((1, 0), (1, 1))]
    reached = {node for edge in loop for node in edge}
    rest = [street.edge for street in plan.streets if street.edge not in loop]
    while rest:
        connected = next(edge for edge in rest if edge[0] in reached or edge[1] in reached)
        rest.remove(connected)
        loop.append(connected)
        reached.update(connected)
    return loop


def map_points(walks: list[Walk]) -> Float64:
    """(N, 2) world points along the walks, about 5 m apart."""
    points = []
    for walk in walks:
        steps = np.linspace(walk.start, walk.end, max(2, int((walk.end - walk.start) / 5) + 1))
        points.append(walk.street.start + steps[:, None] * walk.street.direction)
    return np.concatenate(points)


def map_cameras(config: TownConfig) -> tuple[Camera, Camera]:
    """Cameras of the map, one for each direction of the walk."""
    w, h = config.width, config.height
    first = Camera("SIMPLE_RADIAL", w, h, np.array([0.76 * w, w / 2, h / 2, -0.04]))
    second = Camera("PINHOLE", w, h, np.array([0.7 * w, 0.7 * w, 0.502 * w, 0.497 * h]))
    return first, second


def map_views(config: TownConfig, plan: Plan, scenes: dict[str, RaycastScene]) -> list[View]:
    """Plan the map images: along each covered street and back, looking ahead and at the facades."""
    walks, spacing = plan_walks(plan, config)
    cameras = map_cameras(config)
    stations = [
        (walk, step, turn)
        for walk in walks
        for turn in (0, 1)
        for step in np.arange(walk.start + spacing / 2, walk.end + 1e-9, spacing)
    ]
    while len(stations) < config.num_map:  # rounding left too few
        walk, step, turn = stations[len(stations) % max(1, len(stations) // 2) * 2]
        stations.append((walk, step + spacing / 2, turn))
    views = []
    for number, (walk, step, turn) in enumerate(stations[: config.num_map]):
        rng = np.random.default_rng([config.seed, 70, number])
        scene = scenes[f"map{turn}"]
        for attempt in range(MAX_TRIES):
            pose = _map_pose(plan, walk.street, float(step), turn, number, rng)
            if is_valid_view(scene, cameras[turn], pose, strict=attempt < MAX_TRIES // 2):
                break
        views.append(View(f"map/{number:04d}.jpg", f"map{turn}", cameras[turn], pose))
    return views


def _map_pose(
    plan: Plan, street: Street, step: float, turn: int, number: int, rng: np.random.Generator
) -> Rigid3:
    free_side = -parking_side(plan, street)
    across = free_side * (2.1 if turn == 0 else -0.2) + rng.normal(0, 0.25)
    step = step + rng.normal(0, 0.2)
    xy = street.start + step * street.direction + across * street.left
    up = rng.uniform(1.5, 1.9)
    oblique = (0.0, 38.0, -38.0)[number % 3] + rng.normal(0, 5)
    yaw = np.degrees(np.arctan2(street.direction[1], street.direction[0])) + 180 * turn + oblique
    pitch = rng.normal(5, 2.5)
    return camera_pose(plan, xy, up, yaw, pitch, rng.normal(0, 1.2))


def camera_pose(
    plan: Plan, xy: Float64, up: float, yaw_deg: float, pitch_deg: float, roll_deg: float
) -> Rigid3:
    """cam_from_world of a camera ``up`` metres above the ground.

    Yaw is counter-clockwise from east, pitch upward, roll clockwise as seen through the camera.
    """
    center = np.array([*xy, float(plan.ground(xy)) + up])
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    level = np.cos(pitch)
    forward = np.array([level * np.cos(yaw), level * np.sin(yaw), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    rotation = exp_so3([0, 0, -np.radians(roll_deg)]) @ np.stack([right, down, forward])
    return Rigid3(rotation, -rotation @ center)


def query_views(
    config: TownConfig,
    plan: Plan,
    scenes: dict[str, RaycastScene],
    mapped: list[View],
    condition: str,
) -> list[View]:
    """Plan the queries of a condition.

    Positions, heights, rolls and lenses differ from the map's; the scene is covered by map images.

    Raises:
        HlocLiteError: no free position is found.
    """
    walks, _ = plan_walks(plan, config)
    lengths = np.array([walk.end - walk.start for walk in walks])
    scene = scenes[condition]
    tag = {"day": 0, "night": 1, "changed": 2}[condition]
    views = []
    for number in range(config.num_queries):
        rng = np.random.default_rng([config.seed, 80, tag, number])
        best: tuple[float, Camera, Rigid3] | None = None
        for attempt in range(MAX_TRIES):
            walk = walks[rng.choice(len(walks), p=lengths / lengths.sum())]
            camera = _query_camera(config, rng)
            pose = _query_pose(plan, walk, rng)
            if not is_valid_view(scene, camera, pose):
                continue
            share = covisible_share(scene, camera, pose, mapped)
            if best is None or share > best[0]:
                best = (share, camera, pose)
            if share >= MIN_COVISIBLE_SHARE or (attempt > 60 and best[0] > 0.4):
                break
        if best is None:
            raise HlocLiteError(
                f"no free position for a query found in {MAX_TRIES} tries in the town of seed "
                f"{config.seed}: choose another seed or more map images"
            )
        views.append(View(f"query/{condition}/{number:04d}.jpg", condition, best[1], best[2]))
    return views


def _query_camera(config: TownConfig, rng: np.random.Generator) -> Camera:
    """Draw a camera whose distortion can be undone in the whole image."""
    w, h = config.width, config.height
    border = np.array([[0, 0], [w, 0], [0, h], [w, h], [w / 2, 0], [0, h / 2]], np.float64)
    while True:
        camera = _draw_camera(config, rng)
        uv = cam_from_img(camera, border)
        if np.isfinite(uv).all() and np.abs(uv).max() < 2.2:
            return camera


def _draw_camera(config: TownConfig, rng: np.random.Generator) -> Camera:
    w, h = config.width, config.height
    focal = 0.5 * w / np.tan(np.radians(rng.uniform(50, 86)) / 2)
    cx, cy = w / 2 * rng.uniform(0.985, 1.015), h / 2 * rng.uniform(0.985, 1.015)
    wide = focal < 0.8 * w
    if rng.random() < 0.5:
        k = rng.uniform(-0.16, -0.04) if wide else rng.uniform(-0.1, 0.08)
        return Camera("SIMPLE_RADIAL", w, h, np.array([focal, cx, cy, k]))
    k1 = rng.uniform(-0.15, -0.04) if wide else rng.uniform(-0.1, 0.06)
    k2 = rng.uniform(0.0, 0.03)
    p1, p2 = rng.uniform(-0.0015, 0.0015, 2)
    params = [focal, focal * rng.uniform(0.995, 1.005), cx, cy, k1, k2, p1, p2]
    return Camera("OPENCV", w, h, np.array(params))


def _query_pose(plan: Plan, walk: Walk, rng: np.random.Generator) -> Rigid3:
    street = walk.street
    free_side = -parking_side(plan, street)
    step = rng.uniform(walk.start, walk.end)
    on_sidewalk = rng.random() < 0.3
    across = free_side * (
        street.half_width - rng.uniform(1.0, 1.7) if on_sidewalk else rng.uniform(-1.2, 3.0)
    )
    xy = street.start + step * street.direction + across * street.left
    up = rng.uniform(1.2, 2.5) + (KERB_M if on_sidewalk else 0.0)
    heading = np.degrees(np.arctan2(street.direction[1], street.direction[0]))
    yaw = heading + 180 * rng.integers(2) + np.clip(rng.normal(0, 32), -75, 75)
    roll = rng.normal(0, 6) if rng.random() < 0.85 else rng.choice([-1, 1]) * rng.uniform(12, 25)
    return camera_pose(plan, xy, up, yaw, rng.normal(4, 5), roll)
