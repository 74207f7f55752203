"""Adapter to pycolmap: two-view geometry and absolute poses, on values of ``types``.

Tested on the newest 3.x and 4.x. Capabilities are probed, not derived from version numbers. Only
``formats.colmap.mappers`` uses pycolmap's own objects, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.errors import MissingDependencyError
from hloc_lite.types import Bool, Camera, Float64, Int32, Rig, Rigid3


@dataclass(frozen=True, eq=False)
class TwoView:
    """Verified matches of a pair of images."""

    inliers: Int32
    """(K, 2) keypoint indices."""
    kind: str
    """COLMAP's two-view configuration: CALIBRATED, UNCALIBRATED, PLANAR, ... or DEGENERATE."""


def has_global_mapper() -> bool:
    """Return True if this pycolmap can do global structure from motion (since 4.0)."""
    return hasattr(load_pycolmap(), "global_mapping")


def require_global_mapper() -> None:
    """Raise MissingDependencyError if this pycolmap has no global mapper."""
    if not has_global_mapper():
        raise MissingDependencyError(
            f"--mapper global needs pycolmap 4.0 or newer, this is {version()}: "
            f"pip install -U pycolmap, or use --mapper incremental"
        )


def version() -> str:
    """Return pycolmap's version."""
    return str(load_pycolmap().__version__)


def verify_pair(
    cameras: tuple[Camera, Camera],
    points2D: tuple[Float64, Float64],
    *,
    max_error_px: float,
    min_inliers: int,
    seed: int,
) -> tuple[Bool, str]:
    """Verify the matches of an image pair by two-view geometry, as COLMAP does.

    Args:
        cameras: cameras of the two images; a guessed focal length is treated as unknown.
        points2D: two (K, 2) float64 arrays of matched pixels.
        max_error_px: inlier bound, pixels.
        min_inliers: fewer make the pair DEGENERATE.
        seed: RANSAC seed.

    Returns:
        (K,) inlier mask, and COLMAP's two-view configuration (see ``TwoView.kind``).
    """
    pycolmap = load_pycolmap()
    count = len(points2D[0])
    no_inliers = np.zeros(count, bool)
    if count < max(min_inliers, 8):
        return no_inliers, "DEGENERATE"
    options = pycolmap.TwoViewGeometryOptions()
    options.min_num_inliers = min_inliers
    options.ransac.max_error = max_error_px
    options.ransac.random_seed = seed
    identity = np.repeat(np.arange(count, dtype=np.uint32)[:, None], 2, axis=1)
    first, second = (to_pycolmap_camera(camera, 1 + i) for i, camera in enumerate(cameras))
    geometry = pycolmap.estimate_two_view_geometry(
        first, points2D[0], second, points2D[1], identity, options
    )
    kind = _kind_name(geometry)
    if kind in ("UNDEFINED", "DEGENERATE", "WATERMARK"):
        return no_inliers, kind
    mask = no_inliers.copy()
    mask[np.asarray(geometry.inlier_matches)[:, 0]] = True
    return mask, kind


def absolute_pose(
    points2D: Float64,
    points3D: Float64,
    camera: Camera,
    *,
    max_error_px: float,
    confidence: float,
    num_trials: tuple[int, int],
    seed: int,
) -> tuple[Rigid3, Bool] | None:
    """Estimate an absolute pose by pycolmap's LO-RANSAC and refinement.

    Returns:
        cam_from_world and the (K,) inlier mask; None if no pose was found.
    """
    pycolmap = load_pycolmap()
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = max_error_px
    options.ransac.confidence = confidence
    options.ransac.min_num_trials, options.ransac.max_num_trials = num_trials
    options.ransac.random_seed = seed
    found = pycolmap.estimate_and_refine_absolute_pose(
        np.ascontiguousarray(points2D),
        np.ascontiguousarray(points3D),
        to_pycolmap_camera(camera, 1),
        options,
    )
    if found is None:
        return None
    return from_pycolmap_rigid(found["cam_from_world"]), np.asarray(found["inlier_mask"], bool)


def rig_pose(
    points2D: Sequence[Float64],
    points3D: Sequence[Float64],
    rig: Rig,
    *,
    max_error_px: float,
    confidence: float,
    num_trials: tuple[int, int],
    seed: int,
) -> tuple[Rigid3, Bool] | None:
    """Estimate a rig's pose by pycolmap's generalized LO-RANSAC and refinement.

    Args:
        points2D: for each camera of the rig, (K_c, 2) pixels.
        points3D: for each camera of the rig, (K_c, 3) world points.
        rig: cameras and their poses in the rig.
        max_error_px: inlier bound, pixels.
        confidence: at which RANSAC stops.
        num_trials: least and largest number of RANSAC trials.
        seed: RANSAC seed.

    Returns:
        rig_from_world and the (K,) inlier mask, camera after camera; None if no pose was found.
    """
    pycolmap = load_pycolmap()
    options = pycolmap.RANSACOptions()
    options.max_error = max_error_px
    options.confidence = confidence
    options.min_num_trials, options.max_num_trials = num_trials
    options.random_seed = seed
    found = pycolmap.estimate_and_refine_generalized_absolute_pose(
        np.concatenate(points2D),
        np.concatenate(points3D),
        np.repeat(np.arange(len(rig)), [len(points) for points in points2D]).tolist(),
        [to_pycolmap_rigid(each.cam_from_rig) for each in rig.cameras],
        [to_pycolmap_camera(each.camera, 1 + i) for i, each in enumerate(rig.cameras)],
        options,
    )
    if found is None:
        return None
    return from_pycolmap_rigid(found["rig_from_world"]), np.asarray(found["inlier_mask"], bool)


def load_pycolmap() -> Any:
    """Import pycolmap, with its own log output turned off.

    Raises:
        MissingDependencyError: it is not installed or broken.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise MissingDependencyError(
            f"pycolmap cannot be imported ({error}): pip install 'pycolmap>=4.1'"
        ) from None
    # what pycolmap logs as errors ("failed to create any sparse model") is raised as ours
    pycolmap.logging.minloglevel = pycolmap.logging.Level.FATAL.value
    pycolmap.logging.logtostderr = True  # its log files would go to a shared folder
    return pycolmap


def to_pycolmap_camera(camera: Camera, camera_id: int) -> Any:
    """Return a ``pycolmap.Camera``."""
    return load_pycolmap().Camera(
        camera_id=camera_id,
        model=camera.model,
        width=camera.width,
        height=camera.height,
        params=camera.params,
        has_prior_focal_length=camera.has_prior_focal,
    )


def to_pycolmap_rigid(a_from_b: Rigid3) -> Any:
    """``pycolmap.Rigid3d`` of a transform; ``cam_from_world`` stays ``cam_from_world``."""
    matrix = np.column_stack([a_from_b.rotation, a_from_b.translation])
    return load_pycolmap().Rigid3d(matrix)


def from_pycolmap_rigid(a_from_b: Any) -> Rigid3:
    """Transform of a ``pycolmap.Rigid3d``."""
    matrix = np.asarray(a_from_b.matrix())
    return Rigid3(matrix[:, :3], matrix[:, 3])


def from_pycolmap_camera(camera: Any) -> Camera:
    """Intrinsics of a ``pycolmap.Camera``."""
    return Camera(
        str(camera.model.name),
        camera.width,
        camera.height,
        np.asarray(camera.params),
        bool(camera.has_prior_focal_length),
    )


def _kind_name(geometry: Any) -> str:
    kind = geometry.config
    known = load_pycolmap().TwoViewGeometryConfiguration
    return str(getattr(kind, "name", None) or known(kind).name)
