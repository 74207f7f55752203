"""COLMAP's bundle adjustment of a finished model, with a camera of its own for each image."""

from __future__ import annotations

from dataclasses import replace

from hloc_lite.errors import MappingError
from hloc_lite.formats.colmap.reconstruction import (
    from_pycolmap_reconstruction,
    to_pycolmap_reconstruction,
)
from hloc_lite.io.pycolmap_adapter import load_pycolmap
from hloc_lite.scene import SfmModel


def adjusted_with_own_cameras(model: SfmModel) -> SfmModel:
    """Model after bundle adjustment in which no images share a camera.

    Raises:
        MappingError: the adjustment failed, or the temporary folder is full.
        FormatError: the adjustment found intrinsics or poses that no model can have.
    """
    pycolmap = load_pycolmap()
    images = tuple(
        replace(image, camera_id=image.image_id, frame_id=None) for image in model.images
    )
    cameras = {image.image_id: model.cameras[image.camera_id] for image in model.images}
    reconstruction = to_pycolmap_reconstruction(replace(model, images=images, cameras=cameras))
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    if hasattr(options, "ceres"):
        options.ceres.solver_options.num_threads = 1  # several sum in another order
        options.ceres.use_gpu = False
    try:
        pycolmap.bundle_adjustment(reconstruction, options)
    except RuntimeError as error:
        raise MappingError(f"COLMAP's bundle adjustment failed: {error}") from error
    return from_pycolmap_reconstruction(reconstruction)
