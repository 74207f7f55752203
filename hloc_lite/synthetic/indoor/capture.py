"""Where scans and photos are taken: stations of the scanner, cutouts, and hand-held queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.cameras import bearings
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.synthetic.indoor import classes
from hloc_lite.synthetic.indoor.building import Building
from hloc_lite.synthetic.indoor.condition import SCANNED, Condition, Person
from hloc_lite.synthetic.indoor.config import PHIS_DEG, THETAS_DEG
from hloc_lite.synthetic.indoor.layout import FloorPlan, Space
from hloc_lite.synthetic.indoor.lighting import InteriorScene
from hloc_lite.synthetic.raycasting import MeshScene
from hloc_lite.synthetic.visibility import sphere_directions
from hloc_lite.types import Camera, Float64, Rigid3

PANORAMA_FROM_SCAN = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""Axes of a panorama (x right, y down, z forward at heading 0) from those of a scan (z up)."""
CUTOUT_FOV_DEG = 60.0
PHONE_FOCAL_SHARE = 28 / 36
"""Focal length of a phone photo over its longer side."""
MAX_TRIES = 400
MIN_SEEN_SHARE = 0.6
"""Share of a query's view that a scan must have seen from a similar place."""
PEOPLE_SHARE = 0.6
"""Share of the queries with people in the way."""
OCCLUSION = (0.05, 0.3)
"""Least and largest share of a photo that people cover, where there are people."""
_GRID = (16, 12)


@dataclass(frozen=True, eq=False)
class Shot:
    """Image that is planned, and the state of the floor when it is taken."""

    name: str
    """Image name, relative to images/."""
    floor_idx: int
    camera: Camera
    cam_from_world: Rigid3
    condition: Condition


def cutout_camera(width: int, height: int) -> Camera:
    """Camera of all cutouts."""
    focal = width / 2 / np.tan(np.radians(CUTOUT_FOV_DEG) / 2)
    return Camera("SIMPLE_PINHOLE", width, height, np.array([focal, width / 2, height / 2]))


def cam_from_scan(theta_deg: int, phi_deg: int) -> Float64:
    """(3, 3) rotation of a cutout with a heading and an elevation."""
    heading = exp_so3([0, np.radians(theta_deg), 0])
    rotation: Float64 = exp_so3([np.radians(phi_deg), 0, 0]) @ heading @ PANORAMA_FROM_SCAN
    return rotation


def scan_shots(building: Building, scene: InteriorScene, floor_idx: int) -> list[Shot]:
    """The cutouts of all scans of a floor, 36 of each station."""
    config, floor = building.config, building.floors[floor_idx]
    camera = cutout_camera(config.width, config.height)
    shots = []
    for number, (space, share) in enumerate(_stations(floor, config.num_scans), start=1):
        rng = np.random.default_rng([*floor.key, 50, number])
        scan_from_world = _scan_pose(scene, space, share, rng)
        scan = f"{number:03d}"
        for theta in THETAS_DEG:
            for phi in PHIS_DEG:
                turn = Rigid3(cam_from_scan(theta, phi), np.zeros(3))
                name = f"map/{floor.name}/{scan}/DUC_cutout_{scan}_{theta}_{phi}.jpg"
                pose = turn.compose(scan_from_world)
                shots.append(Shot(name, floor_idx, camera, pose, SCANNED))
    return shots


def _stations(floor: FloorPlan, count: int) -> list[tuple[Space, float]]:
    """(space, place along its longer side in 0..1) of each scan: large spaces have several."""
    numbers = np.zeros(len(floor.spaces), int)
    areas = np.array([space.area for space in floor.spaces])
    for _ in range(count):
        numbers[np.argmax(areas / (1 + numbers * (numbers + 1)))] += 1
    return [
        (space, (k + 0.5) / number)
        for space, number in zip(floor.spaces, numbers.tolist(), strict=True)
        for k in range(number)
    ]


def _scan_pose(
    scene: InteriorScene, space: Space, share: float, rng: np.random.Generator
) -> Rigid3:
    """scan_from_world of a tripod that stands free, nearly level."""
    size = np.array([space.x1 - space.x0, space.y1 - space.y0])
    long = int(np.argmax(size))
    best, most = np.zeros(3), -1.0
    for _ in range(24):
        place = np.array([0.5, 0.5]) + rng.normal(0, 0.08, 2)
        place[long] = share + rng.normal(0, 0.06)
        xy = np.array([space.x0, space.y0]) + np.clip(place, 0.1, 0.9) * size
        center = np.array([*xy, rng.uniform(1.5, 1.7)])
        clearance = _clearance(scene, center)
        if clearance > most:
            best, most = center, clearance
        if most > 0.7:
            break
    tilt = rng.normal(0, 0.004, 2)
    rotation = exp_so3([*tilt, 0]) @ exp_so3([0, 0, rng.uniform(-np.pi, np.pi)])
    return Rigid3(rotation, -rotation @ best)


def _clearance(scene: InteriorScene, center: Float64) -> float:
    """Distance of the nearest surface, at most that of the floor."""
    directions = sphere_directions()
    origins = np.broadcast_to(center.astype(np.float32), directions.shape)
    return float(scene.distance(np.ascontiguousarray(origins), directions).min())


def query_shots(
    building: Building, scenes: Sequence[InteriorScene], mapped: Sequence[Shot]
) -> list[Shot]:
    """Plan the phone photos; they are spread evenly over the floors.

    Raises:
        HlocLiteError: no free position is found.
    """
    stations = [
        np.unique([s.cam_from_world.center for s in mapped if s.floor_idx == k], axis=0)
        for k in range(len(building.floors))
    ]
    shots = []
    for number in range(building.config.num_queries):
        floor_idx = number % len(building.floors)
        rng = np.random.default_rng([building.config.seed, 60, number])
        condition = _query_condition(rng, number, building.config.query_width)
        scene = building.scene(floor_idx, condition)
        view = _query_view(building, floor_idx, scene, scenes[floor_idx], stations[floor_idx], rng)
        floor = building.floors[floor_idx]
        name = f"query/{floor.name}/{number:04d}.jpg"
        shot = Shot(name, floor_idx, *view, condition)
        if rng.random() < PEOPLE_SHARE:
            shot = _with_people(building, scene, shot, rng)
        shots.append(shot)
    return shots


def _query_condition(rng: np.random.Generator, number: int, width: int) -> Condition:
    """Draw the time of day; each photo has its own furniture and doors."""
    blur = float(rng.uniform(0, width / 350)) if rng.random() < 0.4 else 0.0
    kind = rng.random()
    if kind < 0.2:  # sunny, nobody switched the lamps on
        return Condition((61, number), 0.0, float(rng.uniform(0.9, 1.6)), blur)
    if kind < 0.5:  # evening
        return Condition((61, number), float(rng.uniform(0.7, 1.0)), 0.01, blur)
    return Condition(
        (61, number), float(rng.uniform(0.75, 1.0)), float(rng.uniform(0.3, 1.3)), blur
    )


def _query_view(
    building: Building,
    floor_idx: int,
    scene: InteriorScene,
    scanned: InteriorScene,
    stations: Float64,
    rng: np.random.Generator,
) -> tuple[Camera, Rigid3]:
    """Draw cameras until one is free, sees enough that has structure, and what scans have seen."""
    floor = building.floors[floor_idx]
    areas = np.array([space.area for space in floor.spaces])
    best, most = None, 0.0
    for attempt in range(MAX_TRIES):
        space = floor.spaces[rng.choice(len(areas), p=areas / areas.sum())]
        camera = _phone(building.config.query_width, is_portrait=rng.random() < 0.2)
        pose = _hand_held(rng, space)
        if _clearance(scene, pose.center) < 0.4:
            continue
        distance, surface, points = grid_hits(scene, camera, pose)
        hit = surface >= 0
        found = np.where(hit, scene.mesh.labels[np.where(hit, surface, 0)], 0)
        structured = (hit & ~np.isin(found, classes.FEATURELESS)).mean()
        if np.median(distance[hit]) < 1.7 or (distance[hit] < 0.8).mean() > 0.15:
            continue
        share = _seen_share(scanned, stations, points[hit], distance[hit])
        share *= min(1.0, structured / 0.12)
        if best is None or share > most:
            best, most = (camera, pose), share
        if most >= MIN_SEEN_SHARE or (attempt > 60 and most > 0.4):
            break
    if best is None:
        raise HlocLiteError(
            f"no free position for a query found in {MAX_TRIES} tries on floor {floor.name} of the "
            f"building of seed {building.config.seed}: choose another seed"
        )
    return best


def _phone(width: int, *, is_portrait: bool) -> Camera:
    """Camera of a query: 4:3, upright or not, 28 mm at full frame."""
    long, short = width, width * 3 // 4
    w, h = (short, long) if is_portrait else (long, short)
    return Camera("SIMPLE_PINHOLE", w, h, np.array([PHONE_FOCAL_SHARE * long, w / 2, h / 2]))


def _hand_held(rng: np.random.Generator, space: Space) -> Rigid3:
    """cam_from_world of a photo at the height of a chest or an eye, not quite level."""
    xy = [rng.uniform(space.x0 + 0.3, space.x1 - 0.3), rng.uniform(space.y0 + 0.3, space.y1 - 0.3)]
    center = np.array([*xy, rng.uniform(1.15, 1.8)])
    yaw, pitch, roll = rng.uniform(-np.pi, np.pi), rng.normal(-0.05, 0.14), rng.normal(0, 0.07)
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    axes = np.stack([right, np.cross(forward, right), forward])
    rotation = exp_so3([0, 0, roll]) @ axes
    return Rigid3(rotation, -rotation @ center)


def grid_hits(
    scene: MeshScene, camera: Camera, pose: Rigid3
) -> tuple[Float64, np.ndarray, Float64]:
    """Ray lengths, surfaces (-1: none) and world points at a grid of pixels."""
    x, y = np.meshgrid(*((np.arange(n) + 0.5) / n for n in _GRID))
    pixels = np.stack([x.ravel() * camera.width, y.ravel() * camera.height], axis=1)
    rays = bearings(camera, pixels) @ pose.rotation
    origins = np.ascontiguousarray(np.broadcast_to(pose.center, rays.shape), np.float32)
    directions = np.ascontiguousarray(rays, np.float32)
    distance = scene.distance(origins, directions).astype(np.float64)
    return distance, scene.hit(origins, directions), pose.center + rays * distance[:, None]


def _seen_share(
    scanned: InteriorScene, stations: Float64, points: Float64, distance: Float64
) -> float:
    """Share of the points that a scan has seen, from not too far and not too aslant."""
    seen = np.zeros(len(points), bool)
    for station in stations:
        rays = points - station
        reach = np.linalg.norm(rays, axis=1)
        near = np.flatnonzero((reach < 3.0 * distance) & (reach > distance / 3.0) & ~seen)
        if not len(near):
            continue
        origins = np.ascontiguousarray(np.broadcast_to(station, (len(near), 3)), np.float32)
        free = scanned.distance(origins, np.ascontiguousarray(rays[near], np.float32))
        seen[near] = (free > 0.98) & (free < 1.02)
    return float(seen.mean())


def _with_people(
    building: Building, scene: InteriorScene, shot: Shot, rng: np.random.Generator
) -> Shot:
    """Put up to three people into the view until they cover a share within ``OCCLUSION``.

    The photo stays without people where there is no room for them.
    """
    camera, pose = shot.camera, shot.cam_from_world
    found, behind, covered = shot, grid_hits(scene, camera, pose)[0], 0.0
    for _ in range(12):
        angle = rng.uniform(-0.42, 0.42)
        forward = pose.rotation[2, :2] / np.linalg.norm(pose.rotation[2, :2])
        c, s = np.cos(angle), np.sin(angle)
        towards = np.array([c * forward[0] - s * forward[1], s * forward[0] + c * forward[1]])
        xy = pose.center[:2] + rng.uniform(1.3, 4.5) * towards
        if _clearance(scene, np.array([*xy, 1.1])) < 0.3 or not _inside(building, shot, xy):
            continue
        person = Person(
            float(xy[0]),
            float(xy[1]),
            float(rng.uniform(-np.pi, np.pi)),
            int(rng.integers(1 << 30)),
        )
        people = (*found.condition.people, person)
        tried = replace(found, condition=replace(shot.condition, people=people))
        alone = MeshScene(building.people(people), scene.atlas, scene.lamps, scene.light)
        in_front, surface, _ = grid_hits(alone, camera, pose)
        share = float(((surface >= 0) & (in_front < behind)).mean())
        if share <= OCCLUSION[1]:
            found, covered = tried, share
        if covered >= OCCLUSION[0] or len(found.condition.people) == 3:
            break
    return found if covered >= OCCLUSION[0] else shot


def _inside(building: Building, shot: Shot, xy: Float64) -> bool:
    spaces = building.floors[shot.floor_idx].spaces
    return any(bool(space.contains(xy[None], -0.2)[0]) for space in spaces)
