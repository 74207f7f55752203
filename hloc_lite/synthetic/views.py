"""Where the photographer stands: the map's walk through the streets, and the queries' places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.cameras import bearings, cam_from_img, img_from_cam
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.synthetic import labels
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.layout import KERB_M, TWIN_EDGES, Edge, Plan, Street
from hloc_lite.synthetic.props import parking_side
from hloc_lite.synthetic.raycasting import Stage
from hloc_lite.types import Bool, Camera, Float64, Rigid3

END_M = 3.0
"""The walk stops this short of a street's end."""
MAX_TRIES = 400
MIN_COVISIBLE_SHARE = 0.6
"""Of a query's pixels on what stands still, seen by at least two map images."""
MAX_VIEW_ANGLE_DEG = 50.0
"""Between the rays of two views of a point: beyond, features rarely match."""
MAX_SCALE_RATIO = 2.5


@dataclass(frozen=True, eq=False)
class View:
    name: str
    """Relative to images/."""
    pass_name: str
    camera: Camera
    cam_from_world: Rigid3


@dataclass(frozen=True, eq=False)
class Walk:
    """A stretch of a street that the map covers."""

    street: Street
    start: float
    end: float


def plan_walks(plan: Plan, config: TownConfig) -> tuple[list[Walk], float]:
    """The streets that ``num_map`` images cover, nearest to the twin streets first, and the
    spacing of the stations; spacing shrinks when there are more images than streets."""
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
    """The loop around the block between the twin streets, then what connects to it."""
    loop: list[Edge] = [TWIN_EDGES[0], ((2, 0), (2, 1)), TWIN_EDGES[1], ((1, 0), (1, 1))]
    reached = {node for edge in loop for node in edge}
    rest = [street.edge for street in plan.streets if street.edge not in loop]
    while rest:
        following = next(edge for edge in rest if edge[0] in reached or edge[1] in reached)
        rest.remove(following)
        loop.append(following)
        reached.update(following)
    return loop


def map_points(walks: list[Walk]) -> Float64:
    """(N, 2) points along the walks, about 5 m apart."""
    points = []
    for walk in walks:
        steps = np.linspace(walk.start, walk.end, max(2, int((walk.end - walk.start) / 5) + 1))
        points.append(walk.street.start + steps[:, None] * walk.street.direction)
    return np.concatenate(points)


def map_cameras(config: TownConfig) -> tuple[Camera, Camera]:
    """The map's two cameras: one for each direction of the walk."""
    w, h = config.width, config.height
    first = Camera("SIMPLE_RADIAL", w, h, np.array([0.76 * w, w / 2, h / 2, -0.04]))
    second = Camera("PINHOLE", w, h, np.array([0.7 * w, 0.7 * w, 0.502 * w, 0.497 * h]))
    return first, second


def map_views(config: TownConfig, plan: Plan, stages: dict[str, Stage]) -> list[View]:
    """Up one side of each covered street and down the other, looking along and at the facades."""
    walks, spacing = plan_walks(plan, config)
    cameras = map_cameras(config)
    stations = [
        (walk, step, turn)
        for walk in walks
        for turn in (0, 1)
        for step in np.arange(walk.start + spacing / 2, walk.end + 1e-9, spacing)
    ]
    while len(stations) < config.num_map:  # rounding of the stretches
        walk, step, turn = stations[len(stations) % max(1, len(stations) // 2) * 2]
        stations.append((walk, step + spacing / 2, turn))
    views = []
    for number, (walk, step, turn) in enumerate(stations[: config.num_map]):
        rng = np.random.default_rng([config.seed, 70, number])
        stage = stages[f"map{turn}"]
        for attempt in range(MAX_TRIES):
            pose = _map_pose(plan, walk.street, float(step), turn, number, rng)
            if good_view(stage, cameras[turn], pose, strict=attempt < MAX_TRIES // 2):
                break
        views.append(View(f"map/{number:04d}.jpg", f"map{turn}", cameras[turn], pose))
    return views


def _map_pose(
    plan: Plan, street: Street, step: float, turn: int, number: int, rng: np.random.Generator
) -> Rigid3:
    free = -parking_side(plan, street)
    across = free * (2.1 if turn == 0 else -0.2) + rng.normal(0, 0.25)
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
    """cam_from_world of a camera ``up`` metres over the ground; yaw counter-clockwise from
    east, pitch up, roll clockwise as seen through the camera."""
    center = np.array([*xy, float(plan.ground(xy)) + up])
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    level = np.cos(pitch)
    forward = np.array([level * np.cos(yaw), level * np.sin(yaw), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    rotation = exp_so3([0, 0, -np.radians(roll_deg)]) @ np.stack([right, down, forward])
    return Rigid3(rotation, -rotation @ center)


def good_view(stage: Stage, camera: Camera, pose: Rigid3, strict: bool = True) -> bool:
    """Not in or at something solid, and with enough of the town in sight."""
    around = _sphere_directions()
    center = np.ascontiguousarray(np.broadcast_to(pose.center.astype(np.float32), around.shape))
    if stage.distance(center, around).min() < 0.5:
        return False
    distance, surface = _grid_hits(stage, camera, pose, 16, 12)[:2]
    hit = surface >= 0
    if not strict:
        return bool(hit.mean() > 0.2)
    what = stage.mesh.labels[surface[hit]]
    moving = np.isin(what, labels.MOVING).sum() / surface.size
    close = (distance[hit] < 2.0).sum() / surface.size
    leaves = (what == labels.VEGETATION).sum() / surface.size
    built = np.isin(what, [labels.BUILDING, labels.WALL, labels.FENCE]).sum() / surface.size
    far_enough = float(np.median(distance[hit])) > 3.5 if hit.any() else False
    return bool(
        far_enough and moving < 0.3 and close < 0.12 and leaves < 0.45 and 0.22 < built < 0.9
    )


def _sphere_directions() -> np.ndarray:
    golden = np.pi * (3 - np.sqrt(5))
    k = np.arange(64)
    z = 1 - (2 * k + 1) / 64
    radius = np.sqrt(1 - z**2)
    points = [radius * np.cos(golden * k), radius * np.sin(golden * k), z]
    return np.stack(points, axis=1).astype(np.float32)


def _grid_hits(stage: Stage, camera: Camera, pose: Rigid3, columns: int, rows: int):  # type: ignore[no-untyped-def]
    """Ray lengths, surfaces and world points of a grid of pixels."""
    x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    pixels = np.stack([x.ravel() * camera.width, y.ravel() * camera.height], axis=1)
    rays = bearings(camera, pixels) @ pose.rotation
    directions = np.ascontiguousarray(rays, np.float32)
    origins = np.ascontiguousarray(np.broadcast_to(pose.center, rays.shape), np.float32)
    surface = stage.hit(origins, directions)
    distance = stage.distance(origins, directions)
    return distance, surface, pose.center + rays * distance[:, None]


def query_views(
    config: TownConfig, plan: Plan, stages: dict[str, Stage], mapped: list[View], condition: str
) -> list[View]:
    """Queries of a condition: other places, heights, rolls and lenses than the map's, within
    what the map has seen."""
    walks, _ = plan_walks(plan, config)
    lengths = np.array([walk.end - walk.start for walk in walks])
    stage = stages[condition]
    tag = {"day": 0, "night": 1, "changed": 2}[condition]
    views = []
    for number in range(config.num_queries):
        rng = np.random.default_rng([config.seed, 80, tag, number])
        best: tuple[float, Camera, Rigid3] | None = None
        for attempt in range(MAX_TRIES):
            walk = walks[rng.choice(len(walks), p=lengths / lengths.sum())]
            camera = _query_camera(config, rng)
            pose = _query_pose(plan, walk, rng)
            if not good_view(stage, camera, pose):
                continue
            share = covisible_share(stage, camera, pose, mapped)
            if best is None or share > best[0]:
                best = (share, camera, pose)
            if share >= MIN_COVISIBLE_SHARE or (attempt > 60 and best[0] > 0.4):
                break
        if best is None:
            raise HlocLiteError(
                f"no free place for a query found in {MAX_TRIES} tries in the town of seed "
                f"{config.seed}; choose another seed or more map images"
            )
        views.append(View(f"query/{condition}/{number:04d}.jpg", condition, best[1], best[2]))
    return views


def _query_camera(config: TownConfig, rng: np.random.Generator) -> Camera:
    """A lens whose distortion can be undone over the whole image."""
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
    free = -parking_side(plan, street)
    step = rng.uniform(walk.start, walk.end)
    on_sidewalk = rng.random() < 0.3
    across = free * (
        street.half_width - rng.uniform(1.0, 1.7) if on_sidewalk else rng.uniform(-1.2, 3.0)
    )
    xy = street.start + step * street.direction + across * street.left
    up = rng.uniform(1.2, 2.5) + (KERB_M if on_sidewalk else 0.0)
    heading = np.degrees(np.arctan2(street.direction[1], street.direction[0]))
    yaw = heading + 180 * rng.integers(2) + np.clip(rng.normal(0, 32), -75, 75)
    roll = rng.normal(0, 6) if rng.random() < 0.85 else rng.choice([-1, 1]) * rng.uniform(12, 25)
    return camera_pose(plan, xy, up, yaw, rng.normal(4, 5), roll)


def covisible_share(stage: Stage, camera: Camera, pose: Rigid3, mapped: list[View]) -> float:
    """Share of the query's still surfaces that at least two map images see alike: unoccluded, at
    a similar scale, and from a similar side."""
    distance, surface, points = _grid_hits(stage, camera, pose, 16, 12)
    still = surface >= 0
    still[still] = ~np.isin(stage.mesh.labels[surface[still]], labels.MOVING)
    still &= distance < 60
    points, distance = points[still], distance[still]
    if len(points) < 20:
        return 0.0
    seen = np.zeros(len(points), int)
    for view in mapped:
        if np.linalg.norm(view.cam_from_world.center - pose.center) > 30:
            continue
        idxs = _seen_alike(camera, pose, view, points, distance)
        seen[idxs[_unoccluded(stage, view.cam_from_world.center, points[idxs])]] += 1
    return float((seen >= 2).mean())


def _seen_alike(
    camera: Camera, pose: Rigid3, view: View, points: Float64, distance: Float64
) -> np.ndarray:
    pixels = img_from_cam(view.camera, view.cam_from_world.apply(points))
    with np.errstate(invalid="ignore"):
        inside = ((pixels > 0) & (pixels < (view.camera.width, view.camera.height))).all(axis=1)
    to_map, to_query = view.cam_from_world.center - points, pose.center - points
    reach = np.linalg.norm(to_map, axis=1)
    cosine = (to_map * to_query).sum(axis=1) / np.maximum(reach * distance, 1e-9)
    scale = (view.camera.params[0] / reach) / (camera.params[0] / distance)
    similar = (scale < MAX_SCALE_RATIO) & (scale > 1 / MAX_SCALE_RATIO)
    return np.flatnonzero(inside & similar & (cosine > np.cos(np.radians(MAX_VIEW_ANGLE_DEG))))


def _unoccluded(stage: Stage, center: Float64, points: Float64) -> Bool:
    rays = points - center
    origins = np.ascontiguousarray(np.broadcast_to(center, rays.shape), np.float32)
    length = stage.distance(origins, np.ascontiguousarray(rays, np.float32))
    return length > 0.99
