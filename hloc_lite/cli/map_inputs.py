"""Inputs of a map, given on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hloc_lite.errors import FormatError

if TYPE_CHECKING:
    from hloc_lite.mapping.run import MapInputs


def read_inputs(
    images: Path,
    reference: Path | None,
    cameras_file: Path | None,
    masks: Path | None,
    image_list: Path | None,
    *,
    metric: bool,
) -> MapInputs:
    """Read known poses, intrinsics and the list of images.

    Raises:
        FormatError: a file that cannot be read, or without what it should have.
    """
    from hloc_lite.cli.references import read_cameras, read_reference
    from hloc_lite.formats.hloc_lists import read_image_list
    from hloc_lite.mapping.run import MapInputs

    cameras, model, georeference = None, None, None
    if reference is not None:
        model, is_known_metric, georeference = read_reference(reference, images, cameras_file)
        metric = metric or is_known_metric
    elif cameras_file is not None:
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
