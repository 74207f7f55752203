"""Measured points of a map's surface: from depth images, from scans, from the SfM model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from hloc_lite.config.surface import SurfaceConfig
from hloc_lite.consistency.depth_maps import without_edges
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.point_blocks import PointBlock
from hloc_lite.geometry.cameras import cam_from_img, focal_lengths
from hloc_lite.geometry.point_fusion import PointSamples, neighbourhoods
from hloc_lite.io.image_resizing import resize
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.protocols import MapDepth
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, DepthMap, Float32, Rigid3, Surface, UInt8

GREY = 128.0
"""Colour of points whose colour is unknown."""
FAR_PERCENTILE = 90
"""Nearer points than this percentile of depth are denser than asked for."""
SAMPLES_SPACING = 0.5
"""Distance of the points of a depth image over the voxel: four points meet each voxel."""
AUTO_VOXEL_SHARE = 1 / 250
"""Voxel over the median depth, where none is configured (``surface.voxel``)."""


def samples_from_depth(
    depth: DepthMap,
    pixels: UInt8 | None,
    camera: Camera,
    cam_from_world: Rigid3,
    edge_ratio: float,
    spacing: float = 0.0,
) -> PointSamples:
    """World points of a depth image, of pixels that are known and no edge.

    Args:
        pixels: (H, W, 3) photo at the size of the depth image; None: grey.
        camera: camera of the photo, at any size.
        edge_ratio: ``surface.max_relative_gradient``.
        spacing: distance of points, map units, up to which rows and columns are left out; 0: none.
    """
    depths = without_edges(depth, edge_ratio).depths
    height, width = depths.shape
    ratio = np.array([camera.width / width, camera.height / height])
    step = _pixel_step(depths, float((focal_lengths(camera) / ratio).min()), spacing)
    rows, columns = np.nonzero(np.isfinite(depths[::step, ::step]))
    rows, columns = rows * step, columns * step
    rays = cam_from_img(camera, np.stack([columns + 0.5, rows + 0.5], axis=1) * ratio)
    z = depths[rows, columns]
    usable = np.isfinite(rays).all(axis=1)
    rows, columns, rays, z = rows[usable], columns[usable], rays[usable], z[usable]
    in_cam = np.column_stack([rays * z[:, None], z])
    xyz = cam_from_world.inverse().apply(in_cam)
    rgb = np.full((len(z), 3), GREY, np.float32)
    if pixels is not None:
        rgb = pixels[rows, columns].astype(np.float32)
    towards = cam_from_world.center - xyz
    # the depth error of stereo and structured light grows with the square of the depth
    weights = 1 / np.maximum(z, 1e-6) ** 4
    return PointSamples(
        xyz.astype(np.float32),
        rgb,
        _unit(towards),
        (weights / weights.max(initial=1e-30)).astype(np.float32),
    )


def _pixel_step(depths: Float32, focal_px: float, spacing: float) -> int:
    """Step over rows and columns at which nearly all points are as close as ``spacing``."""
    known = depths[np.isfinite(depths)]
    if spacing <= 0 or not len(known):
        return 1
    return max(1, int(spacing * focal_px / float(np.percentile(known, FAR_PERCENTILE))))


def depth_samples(
    model: SfmModel,
    source: MapDepth,
    photos: ImageSource | None,
    config: SurfaceConfig,
    voxel: float,
) -> Iterator[PointSamples]:
    """Points of all map images that have depth in map units, image by image.

    Args:
        voxel: edge of the cubes in which the points will be averaged, map units.
    """
    for image in model.images:
        found = source.depth_of(image.name)
        if found is None or not found.is_metric:
            continue
        height, width = found.depths.shape
        pixels = None
        if photos is not None and image.name in photos.names:
            pixels = resize(photos.load(image.name).pixels, (width, height))
        camera = model.cameras[image.camera_id]
        yield samples_from_depth(
            found, pixels, camera, image.cam_from_world, config.max_relative_gradient,
            voxel * SAMPLES_SPACING,
        )  # fmt: skip


def voxel_for_depth(model: SfmModel, source: MapDepth) -> float:
    """Voxel for the depths of a map's images: a share of the median of some of them.

    Raises:
        HlocLiteError: no image has a depth.
    """
    step = max(1, len(model.images) // 20)
    medians = []
    for image in model.images[::step]:
        depth = source.depth_of(image.name)
        if depth is not None and depth.is_metric and np.isfinite(depth.depths).any():
            medians.append(float(np.nanmedian(depth.depths)))
    if not medians:
        raise HlocLiteError(
            "none of the map images has a depth: is the folder the right one, and are its files "
            "named like the images (a/b.jpg: a/b.png or a/b.jpg.png)?"
        )
    return float(np.median(medians)) * AUTO_VOXEL_SHARE


def cloud_samples(blocks: Iterable[PointBlock]) -> Iterator[PointSamples]:
    """Points of a scan or cloud; normals or the scanner tell from where they were seen."""
    for block in blocks:
        count = len(block)
        rgb = np.full((count, 3), GREY, np.float32)
        if block.rgb is not None:
            rgb = block.rgb.astype(np.float32)
        towards = np.zeros((count, 3), np.float32)
        if block.normals is not None:
            towards = block.normals
        elif block.scanner is not None:
            towards = _unit(block.scanner - block.xyz)
        yield PointSamples(block.xyz.astype(np.float32), rgb, towards, np.ones(count, np.float32))


def voxel_for_cloud(blocks: Iterable[PointBlock]) -> float:
    """Voxel for a cloud: the median distance of neighbouring points in some of its blocks."""
    spacings = []
    for block in blocks:
        if len(block) > 100:
            middle = len(block) // 2  # neighbours in a file are often neighbours in space
            part = block.xyz[max(0, middle - 100_000) : middle + 100_000]
            spacings.append(float(np.median(neighbourhoods(part.astype(np.float32), 6).spacings)))
        if len(spacings) >= 8:
            break
    if not spacings or not max(spacings) > 0:
        raise HlocLiteError("the cloud has too few points for a surface")
    return float(np.median([each for each in spacings if each > 0]))


def surface_from_model(model: SfmModel) -> Surface:
    """Points of the SfM model, each as large as half the distance to its neighbours.

    Normals are left out: sparse points lie on corners and edges.

    Raises:
        HlocLiteError: it has too few points.
    """
    if model.num_points < 100:
        raise HlocLiteError(f"{model.num_points} map points are too few for a surface")
    xyz = model.xyz.astype(np.float32)
    return Surface(xyz, model.rgb, None, neighbourhoods(xyz, 8).spacings / np.float32(2))


def _unit(vectors: np.ndarray) -> Float32:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), np.float32)
