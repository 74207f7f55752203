"""Measured depth of map images, given on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hloc_lite.errors import ConfigError, FormatError

if TYPE_CHECKING:
    from hloc_lite.config import LiftingConfig
    from hloc_lite.mapping.run import MapInputs


def check_depth_usage(depth: Path | None, depth_camera: str | None, reference: Path | None) -> None:
    """Refuse depth options that do not go together."""
    if depth is not None and reference is None:
        raise ConfigError("--depth needs known poses in the same units: give them with --reference")
    if depth_camera is not None and depth is None:
        raise ConfigError("--depth-camera is the camera of depth images: give them with --depth")


def with_depth(
    inputs: MapInputs, folder: Path, depth_camera: str | None, config: LiftingConfig
) -> MapInputs:
    """Inputs with the measured depth of the images of their reference.

    Raises:
        FormatError: no depth there, or a depth camera that cannot be read.
    """
    from hloc_lite.formats.depth_cameras import depth_camera_of
    from hloc_lite.formats.map_depth import DepthFiles
    from hloc_lite.formats.recorded_depth import depth_files

    assert inputs.reference is not None  # check_depth_usage has checked it
    cameras = {
        image.name: inputs.reference.cameras[image.camera_id] for image in inputs.reference.images
    }
    files = depth_files(folder, [*cameras])
    if not files:
        raise FormatError(
            f"{folder} has no depth image of the {len(cameras)} photos, whose first is "
            f"{next(iter(cameras))!r}: expected NAME.png, or a.depth.png for a.color.png"
        )
    camera = None if depth_camera is None else depth_camera_of(depth_camera)
    return replace(inputs, depth=DepthFiles(files, cameras, config, camera))


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
