"""COLMAP's bundle adjustment of a finished model, with a camera of its own for each image."""

from __future__ import annotations

from dataclasses import replace

from hloc_lite.formats.colmap.mappers import scratch_folder
from hloc_lite.formats.colmap.model import read_model, write_model
from hloc_lite.io.pycolmap_adapter import load_pycolmap
from hloc_lite.scene import SfmModel


def adjusted_with_own_cameras(model: SfmModel) -> SfmModel:
    """Model after bundle adjustment in which no images share a camera.

    Raises:
        MappingError: the adjustment failed.
        FormatError: the adjustment found intrinsics or poses that no model can have.
    """
    pycolmap = load_pycolmap()
    images = tuple(replace(image, camera_id=image.image_id) for image in model.images)
    cameras = {image.image_id: model.cameras[image.camera_id] for image in model.images}
    with scratch_folder() as folder:
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        write_model(folder / "in", replace(model, images=images, cameras=cameras))
        reconstruction = pycolmap.Reconstruction(str(folder / "in"))
        options = pycolmap.BundleAdjustmentOptions()
        options.print_summary = False
        if hasattr(options, "ceres"):
            options.ceres.solver_options.num_threads = 1  # several sum in another order
            options.ceres.use_gpu = False
        pycolmap.bundle_adjustment(reconstruction, options)
        reconstruction.write_binary(str(folder / "out"))
        return read_model(folder / "out")
