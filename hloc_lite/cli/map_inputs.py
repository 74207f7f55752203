"""Inputs of a map, given on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hloc_lite.errors import ConfigError, FormatError

if TYPE_CHECKING:
    from hloc_lite.mapping.run import MapInputs


def read_inputs(
    images: Path | None,
    reference: Path | None,
    cameras_file: Path | None,
    masks: Path | None,
    image_list: Path | None,
    *,
    metric: bool,
    kind: str | None = None,
) -> MapInputs:
    """Read known poses, intrinsics and the list of images.

    Args:
        images: folder of the photos; None gives neither poses nor intrinsics.
        metric: True if the user says that one unit is a metre.
        kind: kind of file of the reference; None to recognize it.

    Raises:
        ConfigError: a kind without a reference.
        FormatError: a file that cannot be read, or without what it should have.
    """
    from hloc_lite.cli.references import read_cameras, read_reference
    from hloc_lite.formats.hloc_lists import read_image_list
    from hloc_lite.mapping.run import MapInputs

    cameras, model, georeference = None, None, None
    if reference is None and kind is not None:
        raise ConfigError("--reference-kind is about known poses: give them with --reference")
    if reference is not None and images is not None:
        model, is_known_metric, georeference = read_reference(reference, images, cameras_file, kind)
        metric = metric or is_known_metric
    elif cameras_file is not None and images is not None:
        cameras = read_cameras(cameras_file, images)
        if not cameras:
            raise FormatError(
                f"no intrinsics in {cameras_file}: expected lines 'NAME MODEL W H params'"
            )
    return MapInputs(
        reference=model,
        cameras=cameras,
        masks=masks,
        names=None if image_list is None else read_image_list(image_list),
        metric=metric,
        georeference=georeference,
    )
