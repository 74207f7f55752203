"""One small rendered scene on disk, for the tests that run the examples and the documentation.

Files and folders have the names that the documentation uses:

IMAGES/            photos to map: 12, along one side of a street, with EXIF focal length
MODEL/             their cameras and poses, a COLMAP model without points
QUERIES/           photos to localize, by day and night
queries.txt, gt.txt, and queries_CONDITION.txt, gt_CONDITION.txt
LABELS/, DEPTH/    label and depth maps of all photos
MASKS/             masks of the photos to map
photo.jpg          one of the queries, without EXIF
left.jpg, right.jpg  photos of a rig: the right camera is 0.4 m beside the left one, turned to the
                   right by 20 degrees
FRAMES/            a walk along the street, with odometry.txt: name and cam_from_last_cam
cameras.txt, map_images.txt, gps.csv, config.toml  lists that some options take
MAP/               the map of IMAGES with the poses of MODEL, default settings

The views of the map are an easy case of structure from motion: one camera, known focal length, much
overlap and parallax. Mapping from scratch then takes seconds and succeeds.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from hloc_lite.config import Config
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.hloc_lists import write_poses, write_queries
from hloc_lite.geometry.geodesy import Geodetic, geodetic_from_enu
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.dataset import render_views
from hloc_lite.synthetic.planning import make_plan
from hloc_lite.synthetic.town import Town, build_town
from hloc_lite.synthetic.views import Walk, camera_pose, map_points, plan_walks
from hloc_lite.synthetic.visibility import View
from hloc_lite.types import Camera, Rigid3

SIZE = (320, 240)
CAMERA = Camera("PINHOLE", *SIZE, np.array([240.0, 240.0, 160.0, 120.0]))
"""Intrinsics of all photos: 27 mm at full frame, as EXIF says it."""
CONDITIONS = ("day", "night")
NUM_IMAGES, NUM_QUERIES, NUM_FRAMES = 12, 4, 5
SPACING_M = 1.0
YAWS_DEG = (48.0, 66.0, 57.0)
"""From the direction of the street towards the facades, in turn."""
RIGHT_FROM_LEFT = Rigid3(
    Rotation.from_euler("y", -20, degrees=True).as_matrix(),
    -Rotation.from_euler("y", -20, degrees=True).apply([0.4, 0, 0]),
)
CAM_FROM_LAST = Rigid3(np.eye(3), np.array([-0.4, 0.0, -0.2]))
"""Odometry of the walk: 0.4 m to the right and 0.2 m forward from frame to frame."""
ORIGIN = Geodetic(48.2, 16.37, 180.0)
"""Where gps.csv puts the town's origin."""

_finished: list[Path] = []


def small_scene(folder: Path) -> Path:
    """The folder of the scene, made once per test run; ``folder`` is used by the first call."""
    if not _finished:
        make_scene(folder)
        _finished.append(folder)
    return _finished[0]


def copy_scene(scene: Path, folder: Path, *, with_map: bool = True) -> Path:
    """A copy to work in, with or without MAP."""
    ignored = None if with_map else shutil.ignore_patterns("MAP")
    shutil.copytree(scene, folder, dirs_exist_ok=True, ignore=ignored)
    return folder


def make_scene(folder: Path) -> None:
    """Render the scene, and build its map with the default settings."""
    config = TownConfig(num_map=NUM_IMAGES, width=SIZE[0], height=SIZE[1])
    (walk, *_), _ = plan_walks(make_plan(config.seed), config)
    town = build_town(config, near=map_points([walk]))
    mapped = [_view(town, walk, "map0", number) for number in range(NUM_IMAGES)]
    queries = [
        _view(town, walk, condition, number)
        for condition in CONDITIONS
        for number in range(NUM_QUERIES)
    ]
    single = _rig_and_walk(mapped[4].cam_from_world)
    for _ in render_views(folder, town, [*mapped, *queries, *single], True, True):
        pass
    (folder / "labels").rename(folder / "LABELS")
    (folder / "depth").rename(folder / "DEPTH")
    _sort_photos(folder, mapped, queries, single)
    model = _model(mapped)
    write_model(folder / "MODEL", model)
    _write_lists(folder, mapped, queries, single)
    _write_masks(folder, mapped)
    build_map(
        folder / "IMAGES",
        Config(),
        inputs=MapInputs(reference=model),
        output=folder / "MAP",
        weights=WeightsStore(offline=True),
    )


def _view(town: Town, walk: Walk, pass_name: str, number: int) -> View:
    """A photo of the map, or a query between these."""
    is_query = pass_name in CONDITIONS
    rng = np.random.default_rng([7, *pass_name.encode(), number])
    street = walk.street
    step = walk.start + SPACING_M * (2.5 * number + 1.3 if is_query else number)
    across = -1.0 + rng.normal(0, 0.3)
    xy = street.start + step * street.direction + across * street.left
    heading = np.degrees(np.arctan2(street.direction[1], street.direction[0]))
    yaw = heading + YAWS_DEG[number % 3] + rng.normal(0, 4 if is_query else 1)
    roll = rng.normal(0, 4 if is_query else 1)
    pose = camera_pose(town.plan, xy, 1.7 + rng.normal(0, 0.15), yaw, 5.0, roll)
    folder = f"query/{pass_name}" if is_query else "map"
    return View(f"{folder}/{number:04d}.jpg", pass_name, CAMERA, pose)


def _rig_and_walk(start: Rigid3) -> list[View]:
    """Photos of a rig and of a walk, beside a photo of the map."""
    pose = Rigid3(np.eye(3), np.array([0.2, 0.1, -0.3])).compose(start)
    views = [
        View("left.jpg", "day", CAMERA, pose),
        View("right.jpg", "day", CAMERA, RIGHT_FROM_LEFT.compose(pose)),
    ]
    for number in range(NUM_FRAMES):
        views.append(View(f"FRAMES/{number:04d}.jpg", "day", CAMERA, pose))
        pose = CAM_FROM_LAST.compose(pose)
    return views


def _sort_photos(folder: Path, mapped: list[View], queries: list[View], single: list[View]) -> None:
    """From images/NAME to the folder of each kind; only the map's photos get EXIF."""
    for part, views in (("IMAGES", mapped), ("QUERIES", queries), ("", single)):
        for view in views:
            target = folder / part / view.name
            target.parent.mkdir(parents=True, exist_ok=True)
            (folder / "images" / view.name).rename(target)
            if part == "IMAGES":
                _add_exif(target)
    shutil.rmtree(folder / "images")
    shutil.copy(folder / "QUERIES" / queries[0].name, folder / "photo.jpg")
    for kind in ("LABELS", "DEPTH"):
        shutil.copy(folder / kind / f"{queries[0].name}.png", folder / kind / "photo.jpg.png")


def _add_exif(path: Path) -> None:
    """Write camera and focal length into a JPEG, whose pixels stay as they are."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "hloc_lite", "rendered"  # make, model
    details = exif.get_ifd(0x8769)
    focal_mm = float(CAMERA.params[0] * 36 / SIZE[0])
    details[0x920A], details[0xA405] = focal_mm, round(focal_mm)  # and at full frame
    content, block = path.read_bytes(), exif.tobytes()
    start = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    path.write_bytes(content[:2] + start + content[2:])


def _model(views: list[View]) -> SfmModel:
    images = [
        SfmImage(number, view.name, 1, view.cam_from_world, np.zeros((0, 2)), np.zeros(0, np.int64))
        for number, view in enumerate(views, start=1)
    ]
    no_points = np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0)
    return SfmModel({1: CAMERA}, tuple(images), *no_points)


def _write_lists(folder: Path, mapped: list[View], queries: list[View], single: list[View]) -> None:
    for condition in (*CONDITIONS, ""):
        chosen = [view for view in queries if f"query/{condition}" in view.name]
        suffix = f"_{condition}.txt" if condition else ".txt"
        write_queries(folder / f"queries{suffix}", {view.name: CAMERA for view in chosen})
        write_poses(folder / f"gt{suffix}", {view.name: view.cam_from_world for view in chosen})
    write_queries(folder / "cameras.txt", {view.name: CAMERA for view in mapped})
    frames = [view.name.removeprefix("FRAMES/") for view in single if "FRAMES/" in view.name]
    write_poses(folder / "odometry.txt", dict.fromkeys(frames[1:], CAM_FROM_LAST))
    names = "".join(f"{view.name}\n" for view in mapped)
    (folder / "map_images.txt").write_text(names, encoding="utf-8")
    lines = ["name,latitude,longitude,height"]
    for view in mapped:
        position = geodetic_from_enu(view.cam_from_world.center, ORIGIN)
        lines.append(",".join([view.name, *(f"{number:.9f}" for number in position)]))
    (folder / "gps.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "config.toml").write_text("[pose]\nmax_error_px = 8\n", encoding="utf-8")


def _write_masks(folder: Path, mapped: list[View]) -> None:
    """Masks that ignore the lowest tenth of each photo."""
    mask = np.full(SIZE[::-1], 255, np.uint8)
    mask[-SIZE[1] // 10 :] = 0
    for view in mapped:
        target = folder / "MASKS" / f"{view.name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), mask)
