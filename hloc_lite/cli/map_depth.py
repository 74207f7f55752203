"""Measured depth of map images, given on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.io.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from hloc_lite.config import LiftingConfig
    from hloc_lite.formats.map_depth import DepthFiles
    from hloc_lite.mapping.run import MapInputs
    from hloc_lite.maps.surface import StoredSurface
    from hloc_lite.scene import SfmModel


def check_depth_usage(
    depth: Path | None, depth_camera: str | None, surface: Path | None, reference: Path | None
) -> None:
    """Refuse depth options that do not go together."""
    if depth is not None and surface is not None:
        raise ConfigError("give the depth of the photos by --depth or by --surface, not by both")
    if surface is not None and reference is None:
        raise ConfigError(
            "--surface needs known poses in its frame and unit: give them with --reference"
        )
    if depth is not None and reference is None:
        raise ConfigError("--depth needs known poses in the same units: give them with --reference")
    check_depth_camera(depth, depth_camera)


def check_depth_camera(depth: Path | None, depth_camera: str | None) -> None:
    """Refuse a camera of depth images without them."""
    if depth_camera is not None and depth is None:
        raise ConfigError("--depth-camera is the camera of depth images: give them with --depth")


def with_depth(
    inputs: MapInputs, folder: Path, depth_camera: str | None, config: LiftingConfig
) -> MapInputs:
    """Inputs with the depth of the images of their reference. Raises as ``open_depth``."""
    assert inputs.reference is not None  # check_depth_usage has checked it
    return replace(inputs, depth=open_depth(folder, inputs.reference, depth_camera, config))


def open_depth(
    folder: Path, model: SfmModel, depth_camera: str | None, config: LiftingConfig
) -> DepthFiles:
    """Depth images of the images of a model.

    Raises:
        FormatError: no depth there, or a depth camera that cannot be read.
    """
    from hloc_lite.formats.depth_cameras import depth_camera_of
    from hloc_lite.formats.map_depth import DepthFiles
    from hloc_lite.formats.recorded_depth import depth_files

    cameras = {image.name: model.cameras[image.camera_id] for image in model.images}
    files = depth_files(folder, [*cameras])
    if not files:
        raise FormatError(
            f"{folder} has no depth image of the {len(cameras)} photos, whose first is "
            f"{next(iter(cameras))!r}: expected NAME.png, or a.depth.png for a.color.png"
        )
    camera = None if depth_camera is None else depth_camera_of(depth_camera)
    return DepthFiles(files, cameras, config, camera)


@contextmanager
def surface_inputs(
    inputs: MapInputs, path: Path | None
) -> Iterator[tuple[MapInputs, StoredSurface | None]]:
    """Inputs with the depth of a registered scan or mesh, seen from the cameras of the reference.

    Args:
        path: scan, cloud or mesh, in the frame of the reference; None changes nothing.

    Raises:
        FormatError: it cannot be read, or is in another frame or unit than the reference.
    """
    if path is None:
        yield inputs, None
        return
    from hloc_lite.mapping.surface import surface_from_file
    from hloc_lite.maps.surface_depth import SurfaceDepth, check_surface
    from hloc_lite.maps.surface_saving import write_surface

    assert inputs.reference is not None  # check_depth_usage has checked it
    origin = {"source": "scan", "file": path.name}
    with temporary_folder() as scratch:
        surface = write_surface(scratch, surface_from_file(path), "", origin)
        check_surface(surface, inputs.reference, str(path))
        yield replace(inputs, depth=SurfaceDepth(surface, inputs.reference)), surface


def depth_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Lines about the depth of a map, for people."""
    yield (
        f"depth: {report['images_used']} of {report['images'] + report['images_without']} images, "
        f"{100 * report['lifted_share']:.0f} % of their keypoints lifted, "
        f"{report['landmarks_of_several']} landmarks of several images, "
        f"{report['landmarks_of_one_image']} of one"
    )
    check = report["check"]
    if check["scale"] is not None:
        yield (
            f"depth against triangulated points: {check['scale']:.3f} times as far, "
            f"{100 * check['agreement']:.0f} % agree"
        )
