"""Truth of retrieval from known poses and depth: which map images see what a query sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.config import DepthConfig
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.depth_images import DepthFolder
from hloc_lite.formats.hloc_lists import read_poses, read_queries
from hloc_lite.geometry.cameras import cam_from_img, img_from_cam
from hloc_lite.types import Bool, Camera, Float32, Float64, Rigid3

GRID = 12
"""Points along each side of a query that are looked for: 144 give a share to 4 percent."""
MIN_SHARE = 0.2
"""Share of a query's points that a right map image sees: with less, matching often fails."""
MAX_DEPTH_RATIO = 1.1
"""A point this much farther away than the depth there is hidden; slanted surfaces differ less."""


@dataclass(frozen=True, eq=False)
class PosedView:
    """A photo with pose, camera and depth."""

    name: str
    camera: Camera
    cam_from_world: Rigid3
    depths: Float32 | None
    """(h, w) depth along the axis, NaN where unknown; None if there is no depth image."""


@dataclass(frozen=True, eq=False)
class PosedFolder:
    """Folder of a rendered town, or of a case with ``map_images.txt``, ``model`` and ``gt.txt``."""

    root: Path
    map_views: tuple[PosedView, ...]
    queries: dict[str, tuple[PosedView, ...]]
    """Condition -> its queries with truth."""

    @property
    def has_depth(self) -> bool:
        """True if photos have depth images."""
        return any(view.depths is not None for view in self.map_views)


def read_posed_folder(root: Path) -> PosedFolder:
    """Read the poses, cameras and depth images of a folder. Raises FormatError."""
    depth = DepthFolder(root / "depth", DepthConfig()) if (root / "depth").is_dir() else None

    def view(name: str, camera: Camera, pose: Rigid3) -> PosedView:
        found = depth.load(name, (camera.width, camera.height)) if depth else None
        return PosedView(name, camera, pose, None if found is None else found.depths)

    model = read_model(root / "model")
    mapped = tuple(
        view(image.name, model.cameras[image.camera_id], image.cam_from_world)
        for image in model.images
    )
    queries = {}
    for listed in sorted(root.glob("queries*.txt")):
        condition = listed.stem.removeprefix("queries").strip("_")
        poses = read_poses(root / f"gt{listed.stem.removeprefix('queries')}.txt")
        cameras = read_queries(listed)
        queries[condition] = tuple(
            view(name, camera, poses[name]) for name, camera in cameras.items() if name in poses
        )
    return PosedFolder(root, mapped, queries)


def right_images(query: PosedView, map_views: tuple[PosedView, ...]) -> Iterator[str]:
    """Names of the map images that see at least ``MIN_SHARE`` of a query's points.

    Those of photos without depth are none.
    """
    points = _world_points(query)
    if len(points):
        for view in map_views:
            if _is_seen(points, view).mean() >= MIN_SHARE:
                yield view.name


def _world_points(view: PosedView) -> Float64:
    """(N, 3) world points of a grid of pixels with depth."""
    if view.depths is None:
        return np.zeros((0, 3))
    height, width = view.depths.shape
    rows = ((np.arange(GRID) + 0.5) * height / GRID).astype(int)
    columns = ((np.arange(GRID) + 0.5) * width / GRID).astype(int)
    y, x = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
    z = view.depths[y, x].astype(np.float64)
    scale = (view.camera.width / width, view.camera.height / height)
    pixels = np.stack([(x + 0.5) * scale[0], (y + 0.5) * scale[1]], axis=1)
    rays = np.concatenate([cam_from_img(view.camera, pixels), np.ones((len(z), 1))], axis=1)
    points = rays * z[:, None]
    known = np.isfinite(points).all(axis=1) & (z > 0)
    return view.cam_from_world.inverse().apply(points[known])


def _is_seen(points: Float64, view: PosedView) -> Bool:
    """(N,) True for world points that a view has in front of it, not hidden."""
    if view.depths is None:
        return np.zeros(len(points), bool)
    in_cam = view.cam_from_world.apply(points)
    pixels = img_from_cam(view.camera, in_cam)
    height, width = view.depths.shape
    with np.errstate(invalid="ignore"):
        x = np.floor(pixels[:, 0] * width / view.camera.width)
        y = np.floor(pixels[:, 1] * height / view.camera.height)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (in_cam[:, 2] > 0)
    seen = np.zeros(len(points), bool)
    there = view.depths[y[inside].astype(int), x[inside].astype(int)]
    seen[inside] = in_cam[inside, 2] <= MAX_DEPTH_RATIO * there  # NaN: unknown, not seen
    return seen
