"""SIFT models of Cambridge Landmarks at 1024 px, which hloc's published scores were reached with.

    CambridgeLandmarks_Colmap_Retriangulated_1024px/SCENE/model_train    map images, with points
    CambridgeLandmarks_Colmap_Retriangulated_1024px/SCENE/empty_all      poses of all images
    CambridgeLandmarks_Colmap_Retriangulated_1024px/SCENE/list_query.txt names of the queries

The photos are the full ones: intrinsics and keypoints are scaled to their size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hloc_lite.datasets.layouts.map_reading import check_known
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc_lists import read_image_list
from hloc_lite.formats.image_lookup import is_file, upright_size
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

FOLDER = "CambridgeLandmarks_Colmap_Retriangulated_1024px"


def read_sift_models(
    root: Path, scene: str
) -> tuple[SfmModel, dict[str, Camera], dict[str, Rigid3]] | None:
    """Model of the map images, and intrinsics and poses of the queries; None if there is none.

    Raises:
        FormatError: a file is missing or damaged, or a photo has another shape.
    """
    folder = root / FOLDER / scene
    if not folder.is_dir():
        return None
    mapped, everything = read_model(folder / "model_train"), read_model(folder / "empty_all")
    path = folder / "list_query.txt"
    names = read_image_list(path)
    posed = {image.name: image for image in everything.images}
    check_known(names, posed, f"queries of {path}", f"in {folder / 'empty_all'}")
    sizes = _sizes(root / scene, [*posed, *(image.name for image in mapped.images)])
    queries = {
        name: _scaled(everything.cameras[posed[name].camera_id], name, sizes) for name in names
    }
    truth = {name: posed[name].cam_from_world for name in names}
    return _scaled_model(mapped, sizes), queries, truth


def _sizes(photos: Path, names: list[str]) -> dict[str, tuple[int, int]]:
    """(width, height) of the photos of each sequence: one of them is looked at."""
    sizes: dict[str, tuple[int, int]] = {}
    for name in names:
        sequence = name.rpartition("/")[0]
        if sequence not in sizes and is_file(photos / name):
            sizes[sequence] = upright_size(photos / name)
    return sizes


def _scaled(camera: Camera, name: str, sizes: Mapping[str, tuple[int, int]]) -> Camera:
    size = sizes.get(name.rpartition("/")[0], (camera.width, camera.height))
    try:
        return rescaled(camera, *size)
    except FormatError as error:
        raise FormatError(f"{name!r}: {error}") from None


def _scaled_model(model: SfmModel, sizes: Mapping[str, tuple[int, int]]) -> SfmModel:
    """The model with each image's own camera, in the size of the photos."""
    cameras: dict[int, Camera] = {}
    images: list[SfmImage] = []
    for number, image in enumerate(model.images, start=1):
        old = model.cameras[image.camera_id]
        cameras[number] = new = _scaled(old, image.name, sizes)
        keypoints = image.keypoints
        if keypoints is not None:
            keypoints = keypoints * np.array([new.width / old.width, new.height / old.height])
        images.append(replace(image, camera_id=number, keypoints=keypoints))
    return replace(model, cameras=cameras, images=tuple(images))
