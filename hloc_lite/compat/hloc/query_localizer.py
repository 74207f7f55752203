"""Pose of a query from its matches with images of an SfM model, with hloc's arguments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.compat.hloc.inputs import camera_of, model_of
from hloc_lite.compat.hloc.networks import default_runtime, warn_once
from hloc_lite.config import Config, load_config
from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.io.pycolmap_adapter import to_pycolmap_camera, to_pycolmap_rigid
from hloc_lite.pose.focal import estimate_with_focal
from hloc_lite.protocols import PoseEstimator
from hloc_lite.registry import ESTIMATORS, create
from hloc_lite.scene import SfmImage
from hloc_lite.types import NO_POINT, Camera, Correspondences, Int64, PoseEstimate

DEFAULT_MAX_ERROR_PX = 12.0
LEAST_SIDE_PX, LARGEST_SIDE_PX = 64, 10**6
"""Limits of ``pose.reference_side_px``."""
MIN_INLIERS = 4
"""hloc has no lower limit; fewer determine no pose."""


@dataclass(frozen=True, eq=False)
class Cluster:
    """Different 2D-3D matches of a query with some map images."""

    keypoint_idxs: Int64
    """(K,) rows of the query's keypoints."""
    point3D_ids: Int64
    """(K,) COLMAP point ids."""
    seen_by: list[tuple[int, list[int]]]
    """Point id of each match, and the indices of the map images that gave it."""
    num_matches: int
    """Number of matches with a point, before equal ones were merged."""


def database_cluster(
    query: str,
    images: Sequence[SfmImage],
    point3D_ids: Int64,
    matches: MatchesFile,
    num_keypoints: int,
) -> Cluster:
    """Collect the matches of a query with map images.

    Args:
        query: name of the query.
        images: map images.
        point3D_ids: (M,) COLMAP ids of the model's points.
        matches: file of matches.
        num_keypoints: number of keypoints of the query.

    Raises:
        FormatError: a pair that the file lacks, or indices of other features.
    """
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    num_matches = 0
    for number, image in enumerate(images):
        counts = num_keypoints, len(image.point3D_idxs)
        pair = matches.read(query, image.name, counts, keeps_repeats=True)
        if pair is None:
            raise FormatError(
                f"{matches.path} has no matches of {query!r} and {image.name!r}: run "
                f"match_features on the retrieval list"
            )
        rows = image.point3D_idxs[pair.indices[:, 1]]
        observed = rows != NO_POINT
        num_matches += int(observed.sum())
        keypoints, ids = pair.indices[observed, 0], point3D_ids[rows[observed]]
        for keypoint, point in zip(keypoints.tolist(), ids.tolist(), strict=True):
            found[keypoint, point].append(number)
    keys = np.array([*found], np.int64).reshape(-1, 2)
    return Cluster(keys[:, 0], keys[:, 1], [(p, seen) for (_, p), seen in found.items()],
                   num_matches)  # fmt: skip


class QueryLocalizer:
    """Estimates poses in an SfM model by this package's RANSAC and refinement.

    Args:
        reconstruction: a folder, a ``pycolmap.Reconstruction``, or an ``SfmModel``.
        config: hloc's settings. Of ``estimation.ransac`` these count: ``max_error``,
            ``confidence``, ``min_num_trials``, ``max_num_trials``; of ``refinement``:
            ``refine_focal_length``.
    """

    def __init__(self, reconstruction: Any, config: Mapping[str, Any] | None = None) -> None:
        self.reconstruction = reconstruction
        self.config = dict(config or {})
        self.model = model_of(reconstruction)
        self._by_id = {image.image_id: image for image in self.model.images}
        self._runtime = default_runtime()
        refinement = self.config.get("refinement", {})
        self._with_focal = bool(refinement.get("refine_focal_length", False))
        if refinement.get("refine_extra_params"):
            warn_once("refine_extra_params is not supported: distortion is kept as given")

    def image_with_id(self, image_id: int) -> SfmImage:
        """Map image with a COLMAP id.

        Raises:
            FormatError: the model has none.
        """
        if image_id not in self._by_id:
            raise FormatError(f"the model has no image of the id {image_id}")
        return self._by_id[image_id]

    def localize(
        self,
        points2D_all: npt.ArrayLike,
        points2D_idxs: npt.ArrayLike,
        points3D_id: npt.ArrayLike,
        query_camera: Any,
        *,
        image_size: tuple[int, int] | None = None,
    ) -> dict[str, Any] | None:
        """Estimate a pose from 2D-3D matches.

        Args:
            points2D_all: (N, 2) keypoints, pixels; (0.5, 0.5) is the centre of the first pixel.
            points2D_idxs: (K,) rows of it.
            points3D_id: (K,) COLMAP point ids.
            query_camera: intrinsics, also as ``pycolmap.Camera``.
            image_size: width and height of the photo; intrinsics of another size are rescaled.

        Returns:
            pycolmap's names: ``cam_from_world``, ``num_inliers``, ``inlier_mask``, ``camera``; and
            ``qvec`` (wxyz), ``tvec``, ``inliers`` and ``success`` of older versions. None without
            a pose.
        """
        camera = camera_of(query_camera)
        if image_size is not None and image_size != (camera.width, camera.height):
            camera = rescaled(camera, *image_size)
        keypoint_idxs = np.asarray(points2D_idxs, np.int64).reshape(-1)
        rows = self._rows(np.asarray(points3D_id, np.int64).reshape(-1))
        correspondences = Correspondences(
            np.asarray(points2D_all, np.float64).reshape(-1, 2)[keypoint_idxs],
            self.model.xyz[rows],
            keypoint_idxs,
            rows,
            np.ones(len(rows)),
        )
        pose = self._estimate(correspondences, camera)
        return None if pose is None else _answer(pose)

    def _rows(self, point3D_ids: Int64) -> Int64:
        """Rows of the model's points."""
        known = self.model.point3D_ids
        rows = np.searchsorted(known, point3D_ids)
        if len(point3D_ids) and (rows.max() >= len(known) or (known[rows] != point3D_ids).any()):
            raise FormatError("a match is of a point that the model does not have")
        return rows.astype(np.int64)

    def _estimate(self, correspondences: Correspondences, camera: Camera) -> PoseEstimate | None:
        config = self._pose_config(camera)
        estimator: PoseEstimator = create(
            ESTIMATORS, config.pose.estimator, config.pose, self._runtime
        )
        if len(correspondences) < MIN_INLIERS:
            return None
        if self._with_focal:
            return estimate_with_focal(estimator, correspondences, camera, config)
        return estimator.estimate(correspondences, camera)

    def _pose_config(self, camera: Camera) -> Config:
        ransac = self.config.get("estimation", {}).get("ransac", {})
        side = min(max(camera.width, camera.height, LEAST_SIDE_PX), LARGEST_SIDE_PX)
        bound = float(ransac.get("max_error", DEFAULT_MAX_ERROR_PX))
        # the bound holds at the size of the camera, whatever that is
        pose: dict[str, Any] = {
            "max_error_px": bound * side / max(camera.width, camera.height),
            "reference_side_px": side,
            "min_inliers": MIN_INLIERS,
        }
        for key in ("confidence", "min_num_trials", "max_num_trials"):
            if key in ransac:
                pose[key] = ransac[key]
        return load_config(overrides={"pose": pose})


def _answer(pose: PoseEstimate) -> dict[str, Any]:
    """Answer by pycolmap's names."""
    mask = np.array(pose.inlier_mask)
    return {
        "success": True,
        "cam_from_world": to_pycolmap_rigid(pose.cam_from_world),
        "num_inliers": int(mask.sum()),
        "inlier_mask": mask,
        "inliers": mask,
        "qvec": quat_wxyz_from_rotation(pose.cam_from_world.rotation),
        "tvec": np.array(pose.cam_from_world.translation),
        "camera": to_pycolmap_camera(pose.camera, 1),
    }
