"""``Scene``: everything that the page shows, as frozen arrays in the coordinates of the viewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.maps.map import Map
from hloc_lite.maps.units import length_text
from hloc_lite.types import Camera, Float32, Float64, LocalizationResult, Rigid3, Status, UInt8
from hloc_lite.viz.colors import LegendRow, legend, query_colours
from hloc_lite.viz.config import ViewConfig
from hloc_lite.viz.ellipsoids import Ellipsoids, make_ellipsoids
from hloc_lite.viz.frame import SCENE_DISTANCE, ViewerFrame, choose_frame
from hloc_lite.viz.frusta import Frusta, make_frusta, rotations_of
from hloc_lite.viz.points import PointCloud, map_points
from hloc_lite.viz.queries import QueryMark, check_same_map, join_truth

START_DISTANCE = 0.6 * SCENE_DISTANCE
"""Distance of the first view from cameras that all stand in one place."""
LOOK_AHEAD = 0.15 * SCENE_DISTANCE
"""Distance of the middle of the first view from the central camera: more lies before it."""
MAX_START_DISTANCE = 4 * SCENE_DISTANCE
"""Greatest distance of the first view from its centre: of a long street one sees a part."""
FAR_MARGIN = 4.0
"""Far plane over the extent of the scene, so that one can step back."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Content of the page."""

    title: str
    frame: ViewerFrame
    metres_per_unit: float | None
    """Metres per map unit; None if unknown."""
    points: PointCloud
    map_cameras: Frusta
    queries: tuple[QueryMark, ...]
    typical_camera: Camera
    """Intrinsics drawn for poses that come without."""
    notes: tuple[str, ...] = ()
    """Sentences about what is odd or left out."""

    def with_query(self, query: QueryMark) -> Scene:
        """Scene with one more query; one of the same name is replaced."""
        others = [each for each in self.queries if each.name != query.name]
        return replace(self, queries=(*others, query))

    def without_queries(self, names: Collection[str]) -> Scene:
        """Scene without the queries of these names."""
        return replace(self, queries=tuple(q for q in self.queries if q.name not in names))


@dataclass(frozen=True, eq=False)
class QueryLayer:
    """Drawn parts of some queries."""

    rows: tuple[int, ...]
    """Row of ``Scene.queries`` of each frustum."""
    frusta: Frusta
    colours: UInt8
    """(N, 3) of the frusta."""
    ellipsoids: Ellipsoids
    """``rows`` of it are those of the frusta."""
    truth: Frusta
    error_lines: Float32
    """(L, 2, 3) from the estimated to the true centre, units of the viewer."""


@dataclass(frozen=True, eq=False)
class StartView:
    """First view of the scene, in the viewer."""

    position: Float64
    look_at: Float64
    up: Float64
    near: float
    far: float


def build_scene(
    sfm_map: Map,
    results: Sequence[LocalizationResult] = (),
    truth: Mapping[str, Rigid3] | None = None,
    config: ViewConfig | None = None,
    title: str = "",
) -> Scene:
    """Make the scene of a map, of results in it, and of their true poses.

    Raises:
        HlocLiteError: the results are of another map, or have no name in common with the truth.
        FormatError: the map's surface is damaged.
    """
    config = config or ViewConfig()
    model = sfm_map.model
    note = check_same_map(results, model)
    frame = choose_frame(sfm_map)
    cameras = [model.cameras[image.camera_id] for image in model.images]
    frusta = make_frusta(
        [image.name for image in model.images],
        [image.cam_from_world for image in model.images],
        cameras,
        frame,
    )
    points = map_points(sfm_map, frame, config.max_points, config.seed)
    typical = cameras[0] if cameras else Camera("SIMPLE_PINHOLE", 4, 3, np.array([4.0, 2.0, 1.5]))
    queries = join_truth(results, truth)
    notes = (note,) if note else ()
    return Scene(title, frame, sfm_map.metres_per_unit, points, frusta, queries, typical, notes)


def query_layer(scene: Scene, rows: Sequence[int]) -> QueryLayer:
    """Frusta, ellipsoids, true cameras and error lines of the queries of some rows."""
    chosen = [(row, scene.queries[row]) for row in rows]
    drawn = [(row, query, pose) for row, query in chosen if (pose := query.shown_pose) is not None]
    results = [query.result for _, query, _ in drawn]
    poses = [None if result.pose is None else result.pose for result in results]
    frusta = make_frusta(
        [query.name for _, query, _ in drawn],
        [pose for _, _, pose in drawn],
        [scene.typical_camera if pose is None else pose.camera for pose in poses],
        scene.frame,
    )
    true = [(query, query.true_pose) for _, query in chosen if query.true_pose is not None]
    cameras = [q.result.pose.camera if q.result.pose else scene.typical_camera for q, _ in true]
    lines = [
        (query.result.pose.cam_from_world.center, pose.center)
        for query, pose in true
        if query.result.pose is not None
    ]
    return QueryLayer(
        tuple(row for row, _, _ in drawn),
        frusta,
        query_colours(results),
        make_ellipsoids(poses, scene.frame),
        make_frusta([q.name for q, _ in true], [pose for _, pose in true], cameras, scene.frame),
        scene.frame.from_world(np.array(lines, np.float64).reshape(-1, 2, 3)),
    )


def start_view(scene: Scene, up: Float64 | None = None) -> StartView:
    """View from above and behind the central camera, over most of the cameras around it."""
    up = scene.frame.up if up is None else np.asarray(up, np.float64)
    all_centers = scene.map_cameras.centers.astype(np.float64)
    distances = np.linalg.norm(all_centers, axis=1)
    spread = float(np.quantile(distances, 0.8)) if len(distances) else 0.0
    distance = min(spread, MAX_START_DISTANCE) + START_DISTANCE
    backward = _level(-_mean_viewing_direction(scene), up)
    position = distance * (0.75 * backward + 0.66 * up)
    look_at = -LOOK_AHEAD * backward
    extent = max(
        float(distances.max(initial=0)),
        float(np.quantile(np.abs(scene.points.xyz), 0.999)) if len(scene.points) else 0.0,
        distance,
    )
    far = max(1000.0, FAR_MARGIN * extent)
    near = max(0.01, far * 1e-5)  # a depth buffer of 24 bits resolves about this ratio
    return StartView(position, look_at, up, near, far)


def counts_text(scene: Scene) -> list[str]:
    """Lines on what is shown, with counts."""
    points = scene.points
    kind = "landmarks" if points.source == "landmarks" else "points of the surface"
    shown, kind = (
        (len(points), kind) if points.triangles is None else (len(points.triangles), "triangles")
    )
    share = "" if shown == points.num_all else f" of {points.num_all:,}"
    lines = [f"{shown:,}{share} {kind}, {len(scene.map_cameras):,} map cameras"]
    if scene.queries:
        counts = Counter(query.result.status for query in scene.queries)
        listed = ", ".join(f"{counts[s]} {status_text(s)}" for s in Status if counts[s])
        lines.append(f"{len(scene.queries)} queries: {listed}")
        errors = [query.errors for query in scene.queries]
        known = np.array([error for error in errors if error is not None]).reshape(-1, 2)
        if len(known):
            middle = np.median(known, axis=0)
            distance = length_text(float(middle[0]), scene.metres_per_unit)
            lines.append(f"{len(known)} with truth: median error {distance}, {middle[1]:.3g}°")
    return [*lines, *scene.notes]


def status_text(status: Status) -> str:
    """Status for people: ``too few matches``."""
    return status.value.replace("_", " ")


def scene_legend(scene: Scene) -> list[LegendRow]:
    """Legend of the colours that occur."""
    posed = [query.result for query in scene.queries if query.result.pose is not None]
    return legend(
        confidence=any(result.confidence is not None for result in posed),
        without_confidence=any(result.confidence is None for result in posed),
        fallback=any(
            q.result.pose is None and q.result.fallback is not None for q in scene.queries
        ),
        truth=any(query.true_pose is not None for query in scene.queries),
        errors=any(query.errors is not None for query in scene.queries),
    )


def _mean_viewing_direction(scene: Scene) -> Float64:
    """(3,) sum of the viewing directions of the map cameras, world."""
    if len(scene.map_cameras) == 0:
        return np.array([1.0, 0.0, 0.0])
    mean: Float64 = rotations_of(scene.map_cameras).apply([0, 0, 1]).mean(axis=0)
    return mean


def _level(direction: Float64, up: Float64) -> Float64:
    """(3,) horizontal unit vector nearest to a direction; any one if that is vertical."""
    for candidate in (direction, np.eye(3)[np.argmin(np.abs(up))]):
        flat = candidate - (candidate @ up) * up
        length = float(np.linalg.norm(flat))
        if length > 1e-3:
            return np.asarray(flat / length)
    raise AssertionError("an axis is never parallel to up")
