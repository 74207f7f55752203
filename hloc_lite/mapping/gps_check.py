"""EXIF's GPS positions against the cameras of a model from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import AssessmentConfig, ImagesConfig
from hloc_lite.errors import GeoreferenceError, ImageError
from hloc_lite.geometry.geodesy import Geodetic
from hloc_lite.io.image_sources import FolderSource, ImageSource
from hloc_lite.io.images import exif_position
from hloc_lite.maps.georeference_fit import fit_georeference
from hloc_lite.scene import SfmModel

MEDIAN_OF_CHI3 = 1.538
"""Median length of a vector of three normal errors with standard deviation 1."""


@dataclass(frozen=True, eq=False)
class GpsCheck:
    """Distances of cameras from their GPS positions, after the best alignment of the map."""

    errors_m: Mapping[str, float]
    """Image name -> distance from its position; images without one are left out."""
    sigma_m: float
    """Standard deviation of the positions along each axis; outliers do not count."""
    far: frozenset[str]
    """Names of images that lie too far from their position."""


def exif_positions(
    source: ImageSource, names: Sequence[str], config: ImagesConfig
) -> dict[str, Geodetic]:
    """Read the GPS positions of photos in a folder; others have none."""
    if not isinstance(source, FolderSource):
        return {}
    positions = {}
    for name in names:
        try:
            found = exif_position(source.root / name, config)
        except ImageError:
            continue  # a photo without readable EXIF has no position
        if found is not None:
            positions[name] = found
    return positions


def compare_with_gps(
    model: SfmModel, positions: Mapping[str, Geodetic], config: AssessmentConfig
) -> GpsCheck | None:
    """Compare a model with GPS positions; None if these are too few or do not determine it."""
    poses = {i.name: i.cam_from_world for i in model.images if i.name in positions}
    if len(poses) < config.gps_min_images:
        return None
    try:
        _, errors_m = fit_georeference(poses, positions)
    except GeoreferenceError:
        return None
    sigma_m = float(np.median(list(errors_m.values()))) / MEDIAN_OF_CHI3
    bound = max(config.gps_sigmas * sigma_m, config.gps_min_error_m)
    far = frozenset(name for name, error in errors_m.items() if error > bound)
    return GpsCheck(errors_m, sigma_m, far)
