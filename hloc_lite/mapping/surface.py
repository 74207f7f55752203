"""Makes the surface of a map: from depth images, from scans or a mesh, or from the SfM points."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from hloc_lite.config.surface import SurfaceConfig
from hloc_lite.formats.ply import PlyFile
from hloc_lite.formats.point_files import point_files, read_point_files
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.mapping.surface_fusion import fuse_points
from hloc_lite.mapping.surface_sources import (
    cloud_samples,
    depth_samples,
    surface_from_model,
    voxel_for_cloud,
    voxel_for_depth,
)
from hloc_lite.protocols import MapDepth
from hloc_lite.scene import SfmModel
from hloc_lite.types import Surface

logger = logging.getLogger(__name__)
_BLOCKS_FOR_VOXEL = 8


def surface_from_depth(
    model: SfmModel,
    depth: MapDepth,
    photos: ImageSource | None,
    config: SurfaceConfig | None = None,
) -> Iterator[Surface]:
    """Surface of the depth images of a map, fused in voxels; one part per tile.

    Args:
        depth: depth of the map images, in map units.
        photos: colours; None for grey.

    Raises:
        HlocLiteError: no map image has a depth.
    """
    config = config or SurfaceConfig()
    voxel = config.voxel or voxel_for_depth(model, depth)
    logger.info("fusing depth images in voxels of %.3g map units", voxel)
    return fuse_points(depth_samples(model, depth, photos, config, voxel), voxel, config)


def surface_from_scans(path: Path, config: SurfaceConfig | None = None) -> Iterator[Surface]:
    """Surface of a scan or cloud, or of all in a folder, fused in voxels; one part per tile.

    Raises:
        FormatError: no such file, of unknown format, or damaged.
    """
    config = config or SurfaceConfig()
    voxel = config.voxel or voxel_for_cloud(islice(read_point_files(path), _BLOCKS_FOR_VOXEL))
    logger.info("fusing %s in voxels of %.3g map units", path, voxel)
    return fuse_points(cloud_samples(read_point_files(path)), voxel, config)


def surface_from_file(path: Path, config: SurfaceConfig | None = None) -> Iterator[Surface]:
    """Surface of a mesh as it is, or of scans and clouds fused in voxels.

    Raises:
        FormatError: no such file, of unknown format, or damaged.
    """
    files = point_files(path)
    if len(files) == 1 and files[0].suffix.lower() == ".ply":
        mesh = PlyFile.open(files[0])
        if mesh.has_faces:
            return iter([mesh.read_mesh()])
    return surface_from_scans(path, config)


def surface_from_points(model: SfmModel) -> Iterator[Surface]:
    """Surface of the map's own SfM points: sparse.

    Raises:
        HlocLiteError: too few points.
    """
    return iter([surface_from_model(model)])
