"""Which of the photos given to a run can be used, and why the others cannot."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from hloc_lite.errors import ImageError, MappingError, counted
from hloc_lite.geometry.distortion_check import distortion_fault
from hloc_lite.mapping.copies import find_copies
from hloc_lite.mapping.run import Run
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera

logger = logging.getLogger(__name__)


def find_usable_images(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """Find the images that can be used.

    Returns:
        Name -> fingerprint of each image with a file (and a pose, if poses are given), and name ->
        reason for each of the others.
    """
    names, skipped, reference = list(run.source.names), {}, run.inputs.reference
    if reference is not None:
        names = _common_names(reference, names)
        posed = {image.name for image in reference.images}
        skipped = {n: "not in the reference model" for n in run.source.names if n not in posed}
        absent = posed.difference(names)
        if absent:
            first = min(absent)
            count = counted(len(absent), "image")
            logger.warning("%s of the reference not found, first %r", count, first)
    faults = _distortion_faults(reference, run.inputs.cameras)
    image_hashes = {}
    for name in names:
        if name in faults:
            skipped[name] = faults[name]
            logger.warning("skipped %r: %s", name, faults[name])
            continue
        try:
            image_hashes[name] = run.source.fingerprint(name)
        except ImageError as error:
            skipped[name] = str(error)
            logger.warning("skipped %r: %s", name, error)
    if reference is None:
        copies = find_copies(image_hashes, run.source)
        skipped |= copies
        image_hashes = {n: value for n, value in image_hashes.items() if n not in copies}
        if copies:
            name, reason = next(iter(copies.items()))
            count = counted(len(copies), "copied photo")
            logger.warning("left out: %s, first %r: %s", count, name, reason)
    return image_hashes, skipped


def _common_names(reference: SfmModel, names: Sequence[str]) -> list[str]:
    """Names that the reference has a pose for, in order.

    Raises:
        MappingError: there are none.
    """
    posed = {image.name for image in reference.images}
    if not posed:
        raise MappingError("the reference model has no images, so there are no poses to map with")
    common = [name for name in names if name in posed]
    if not common:
        raise MappingError(
            f"none of the {len(names)} images is in the reference model: it has "
            f"{sorted(posed)[:3]}..., the folder {list(names)[:3]}... Names must be the same "
            f"paths, relative to the image folder"
        )
    return common


def _distortion_faults(
    reference: SfmModel | None, given: Mapping[str, Camera] | None
) -> dict[str, str]:
    """Name -> reason for images whose known camera no lens can have (``distortion_check``).

    Structure from motion estimates a few such cameras on large photo collections: 16 of the 5,234
    of Aachen Day-Night v1.1. So they are left out, and the others are used.

    Args:
        reference: reference model; its cameras come before the given ones.
        given: image name -> camera.
    """
    if reference is None:
        faults = {name: distortion_fault(camera) for name, camera in (given or {}).items()}
        return {name: f"its camera: {fault}" for name, fault in faults.items() if fault}
    by_camera = {number: distortion_fault(each) for number, each in reference.cameras.items()}
    return {
        image.name: f"camera {image.camera_id} of the reference: {fault}"
        for image in reference.images
        if (fault := by_camera[image.camera_id])
    }
