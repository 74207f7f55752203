"""SfM models as ``pycolmap.Reconstruction`` and back, by COLMAP's files in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hloc_lite.errors import MappingError
from hloc_lite.formats.colmap.model import read_model, write_model
from hloc_lite.io.pycolmap_adapter import load_pycolmap
from hloc_lite.io.temporary_folders import temporary_folder
from hloc_lite.scene import SfmModel, keypoints_of


def to_pycolmap_reconstruction(model: SfmModel) -> Any:
    """``pycolmap.Reconstruction`` with the cameras, images (cam_from_world) and points of a model.

    Images of compact maps have no keypoints; they get the projections of their points.

    Raises:
        MissingDependencyError: pycolmap is not installed.
        MappingError: the temporary folder is full.
    """
    images = tuple(replace(each, keypoints=keypoints_of(model, each)) for each in model.images)
    model = replace(model, images=images)
    with scratch_folder() as folder:
        write_model(folder, model)
        return load_pycolmap().Reconstruction(str(folder))


def from_pycolmap_reconstruction(reconstruction: Any) -> SfmModel:
    """SfM model of the registered images of a ``pycolmap.Reconstruction``.

    Raises:
        FormatError: its intrinsics, poses or points are not finite or otherwise impossible.
        MappingError: the temporary folder is full.
    """
    with scratch_folder() as folder:
        reconstruction.write_binary(str(folder))
        model = read_model(folder)
    registered = set(reconstruction.reg_image_ids())
    return model.with_images({i.name for i in model.images if i.image_id in registered})


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a temporary folder for COLMAP's files; COLMAP's failures become MappingError."""
    with temporary_folder() as folder:
        try:
            yield folder
        except RuntimeError as error:
            raise MappingError(
                f"COLMAP failed in {folder}: {error}. If that disk is full, free some space or set "
                f"TMPDIR to a folder elsewhere, then run again"
            ) from error
