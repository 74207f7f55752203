"""Structure-from-motion scene: registered images, their points, and what an image observes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hloc_lite.display import html_table
from hloc_lite.errors import ShapeError
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.types import NO_POINT, Camera, Float64, Int64, Rigid3, UInt8, freeze_field


@dataclass(frozen=True, eq=False)
class SfmImage:
    """Registered map image: name, pose, camera id, and the map point of each keypoint."""

    image_id: int
    name: str
    camera_id: int
    cam_from_world: Rigid3
    keypoints: Float64 | None
    """(N, 2) pixels; None in compact maps, which keep only the points that each image observes.
    ``keypoints_of`` returns the pixels in both cases."""
    point3D_idxs: Int64
    """(N,) rows of ``SfmModel.xyz``, ``NO_POINT`` where a keypoint has no point."""
    frame_id: int | None = None
    """Id of the images that a rig of several cameras took with this one; None if it is alone."""

    def __post_init__(self) -> None:
        freeze_field(self, "point3D_idxs", np.int64, None)
        if self.keypoints is not None:
            freeze_field(self, "keypoints", np.float64, len(self.point3D_idxs), 2)
        elif self.point3D_idxs.min(initial=0) < 0:
            raise ShapeError(
                f"SfmImage {self.name!r}: without keypoints every row must be a map point"
            )


@dataclass(frozen=True, eq=False)
class SfmModel:
    """Structure-from-motion model in arrays; the tracks are ``point3D_idxs`` of the images."""

    cameras: Mapping[int, Camera]
    images: tuple[SfmImage, ...]
    """Sorted by name."""
    point3D_ids: Int64
    """(M,) COLMAP point ids, ascending."""
    xyz: Float64
    """(M, 3) world, map units."""
    rgb: UInt8
    """(M, 3)."""
    errors_px: Float64
    """(M,) mean reprojection errors; NaN or negative where unknown."""
    reference_cameras: frozenset[int] = frozenset()
    """Ids of the cameras whose frame is that of their rig; of other rigs it is that of any."""

    def __post_init__(self) -> None:
        freeze_field(self, "point3D_ids", np.int64, None)
        m = len(self.point3D_ids)
        freeze_field(self, "xyz", np.float64, m, 3)
        freeze_field(self, "rgb", np.uint8, m, 3)
        freeze_field(self, "errors_px", np.float64, m)
        ordered = tuple(sorted(self.images, key=lambda image: image.name))
        object.__setattr__(self, "images", ordered)

    def __repr__(self) -> str:
        facts = ", ".join(f"{value} {key}" for key, value in self._facts().items())
        return f"SfmModel({facts})"

    def _repr_html_(self) -> str:
        return html_table("SfmModel", self._facts())

    def _facts(self) -> dict[str, int]:
        return {
            "images": len(self.images),
            "cameras": len(self.cameras),
            "points": self.num_points,
        }

    @property
    def num_points(self) -> int:
        return len(self.point3D_ids)

    def with_images(self, names: Container[str]) -> SfmModel:
        """Model with only the images of these names, and all points."""
        return replace(self, images=tuple(i for i in self.images if i.name in names))

    def image_named(self, name: str) -> SfmImage | None:
        """Return the registered image with this name, or None."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, SfmImage]:
        return {image.name: image for image in self.images}


def visible_points(image: SfmImage) -> Int64:
    """Rows of ``SfmModel.xyz`` that a map image observes, ascending."""
    return observed_points(image.point3D_idxs)


def observed_points(point3D_idxs: Int64) -> Int64:
    """Different points among the (N,) points of keypoints, ascending; ``NO_POINT`` is left out."""
    points: Int64 = np.unique(point3D_idxs[point3D_idxs != NO_POINT])
    return points


def keypoints_of(model: SfmModel, image: SfmImage) -> Float64:
    """(N, 2) keypoints in pixels; the projections of its points if the image keeps none.

    Args:
        model: the model that the image belongs to.
    """
    if image.keypoints is not None:
        return image.keypoints
    in_cam = image.cam_from_world.apply(model.xyz[image.point3D_idxs])
    return clipped_projections(model.cameras[image.camera_id], in_cam)


def clipped_projections(camera: Camera, points_in_cam: Float64) -> Float64:
    """(N, 2) projections of (N, 3) points that the camera is known to observe.

    A point that projects just outside was observed at the image border and is clipped to it. One
    that does not project at all gets the image centre.
    """
    size = np.array([camera.width, camera.height])
    xy = img_from_cam(camera, points_in_cam)
    return np.clip(np.where(np.isfinite(xy), xy, size / 2), 0, size)


def covisibility_clusters(
    point3D_idxs: Mapping[str, Int64], links: Iterable[tuple[str, str]] = ()
) -> list[list[str]]:
    """Group images that share points, directly or through other images of the group.

    Args:
        point3D_idxs: points of each image; ``NO_POINT`` is allowed.
        links: further pairs of images that see the same place; unknown names are allowed.

    Returns:
        Clusters in the order of their first image; images in the order given.
    """
    names = list(point3D_idxs)
    observed = [observed_points(points) for points in point3D_idxs.values()]
    columns = np.concatenate([np.empty(0, np.int64), *observed])
    rows = np.repeat(np.arange(len(names)), [len(points) for points in observed])
    points, columns = np.unique(columns, return_inverse=True)
    # a graph of images and points, with an edge where an image observes a point
    size = len(names) + len(points)
    number = {name: row for row, name in enumerate(names)}
    linked = [(number[a], number[b]) for a, b in links if a in number and b in number]
    first, second = np.array(linked, np.int64).reshape(-1, 2).T
    starts, ends = np.append(rows, first), np.append(columns + len(names), second)
    edges = coo_matrix((np.ones(len(starts)), (starts, ends)), shape=(size, size))
    _, labels = connected_components(edges, directed=False)
    clusters: dict[int, list[str]] = {}
    for name, label in zip(names, labels[: len(names)], strict=True):
        clusters.setdefault(int(label), []).append(name)
    return list(clusters.values())


def median_scene_distance(model: SfmModel) -> float:
    """Median distance of points from the cameras that observe them, in map units.

    This is the length scale of maps whose units are unknown. Without points it is the median
    distance of the camera centres from their mean.
    """
    distances = [np.empty(0)]
    for image in model.images:
        observed = image.point3D_idxs[image.point3D_idxs != NO_POINT]
        in_cam = image.cam_from_world.apply(model.xyz[observed])
        distances.append(np.linalg.norm(in_cam, axis=1))
    joined = np.concatenate(distances)
    if len(joined) == 0:
        centers = np.array([image.cam_from_world.center for image in model.images])
        joined = np.linalg.norm(centers - centers.mean(axis=0), axis=1)
    return float(np.median(joined))
