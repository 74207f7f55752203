"""Cameras that are known before mapping: given ones, or those of the reference model."""

from __future__ import annotations

from collections.abc import Mapping

from hloc_lite.geometry.distortion_check import distortion_fault
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera


def distortion_faults(
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
