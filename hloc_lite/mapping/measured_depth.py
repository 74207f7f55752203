"""Measured depth of one map image: its keypoints lifted, and compared with triangulated points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import LiftingConfig
from hloc_lite.errors import FormatError
from hloc_lite.mapping.depth_check import ComparedDepths
from hloc_lite.mapping.depth_lifting import KeypointDepths, lift_keypoints
from hloc_lite.mapping.depth_registration import IDENTITY, Move, move_errors, tried_moves
from hloc_lite.types import Camera, DepthMap, Float64, Int64

MAX_POINTS = 400
"""Points of an image under which its depth is moved."""


@dataclass(frozen=True, eq=False)
class MeasuredImage:
    """Depths of the keypoints of an image, and what triangulated points say about them."""

    name: str
    lifted: KeypointDepths
    compared: ComparedDepths
    move_errors: Float64
    """(V,) mean error under each of ``tried_moves``."""
    num_points: int
    """Points that ``move_errors`` are the mean of."""


def measure_image(
    name: str,
    depth_map: DepthMap,
    keypoints: Float64,
    camera: Camera,
    triangulated: tuple[Int64, Float64, Float64],
    config: LiftingConfig,
) -> MeasuredImage:
    """Lift the (N, 2) keypoints of an image and compare them with triangulated points.

    Args:
        triangulated: (K,) keypoints with a triangulated point, its depth and the standard deviation
            of that.

    Raises:
        FormatError: depths that are not in map units, or of another aspect ratio than the camera.
    """
    try:
        lifted = lift_keypoints(depth_map, keypoints, camera, config)
    except FormatError as error:
        raise FormatError(f"depth of {name!r}: {error}") from None
    rows, z, z_sigmas = triangulated
    with np.errstate(invalid="ignore", divide="ignore"):
        good = (z > 0) & (z_sigmas / z <= config.max_check_sigma)
    rows, z, z_sigmas = rows[good], z[good], z_sigmas[good]
    compared = ComparedDepths(lifted.z[rows], z, lifted.sigmas[rows], z_sigmas)
    some = np.linspace(0, len(rows) - 1, min(MAX_POINTS, len(rows))).astype(np.int64)
    size = depth_map.image_size
    pixels = keypoints[rows[some]] * (np.array(size) / [camera.width, camera.height])
    errors = move_errors(depth_map, pixels, z[some], tried_moves())
    return MeasuredImage(name, lifted, compared, errors, len(some))


def best_move(measured: Sequence[MeasuredImage]) -> tuple[Move, float]:
    """Move under which the depth of all images agrees best, and how many times as well."""
    moves = tried_moves()
    measured = [each for each in measured if each.num_points]
    if not measured:
        return IDENTITY, 1.0
    counts = [each.num_points for each in measured]
    errors = np.average([each.move_errors for each in measured], axis=0, weights=counts)
    best = int(np.argmin(errors))
    return moves[best], float(errors[moves.index(IDENTITY)] / errors[best])
