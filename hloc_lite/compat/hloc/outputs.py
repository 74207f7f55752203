"""Pair lists, models and databases as hloc's scripts write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ImageError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.colmap.database_values import DatabaseImages, DatabaseTwoView
from hloc_lite.formats.colmap.database_writing import write_database
from hloc_lite.formats.colmap.reconstruction import to_pycolmap_reconstruction
from hloc_lite.formats.colmap.rigs import ColmapRigs
from hloc_lite.formats.hloc.retrieval import write_retrieval
from hloc_lite.io.image_names import natural_key, path_inside
from hloc_lite.io.images import read_photo
from hloc_lite.mapping.cameras import Cameras
from hloc_lite.mapping.feature_extraction import colors_at
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.reconstruction import color_points
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float64, Matches

DATABASE = "database.db"
GREY = 128
"""Colour of points whose photos are not there."""


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write pairs, those of the same first image together.

    Raises:
        FormatError: a name that such a file cannot store.
    """
    by_first: dict[str, list[str]] = {}
    for first, second in pairs:
        by_first.setdefault(first, []).append(second)
    write_retrieval(path, by_first)


def finish_model(
    folder: Path, model: SfmModel, image_dir: Path, keypoints: Mapping[str, Float64]
) -> Any:
    """Colour a model by its photos, and write it.

    Returns:
        The model as ``pycolmap.Reconstruction``.
    """
    colored = color_points(model, PhotoColors(image_dir, keypoints))
    write_model(folder, colored)
    return to_pycolmap_reconstruction(colored)


def write_sfm_database(
    folder: Path,
    images: DatabaseImages,
    keypoints: Mapping[str, Float64],
    matches: Iterable[tuple[Pair, Matches]],
    pairs: VerifiedPairs,
    rigs: ColmapRigs | None = None,
) -> None:
    """Write the database of a model: what the mapper worked on.

    Args:
        folder: folder of the model.
        images: ids and intrinsics.
        keypoints: (N, 2) pixels of each image.
        matches: matches of each pair before verification.
        pairs: verified matches.
        rigs: rigs and frames of the images; None for single cameras.
    """
    write_database(
        folder / DATABASE,
        images,
        {name: keypoints[name].astype(np.float32) for name in images.image_ids},
        matches=((pair, found.indices) for pair, found in matches),
        two_views=(
            (pair, DatabaseTwoView(inliers=view.inliers, kind=view.kind))
            for pair, view in pairs.two_views.items()
        ),
        rigs=rigs,
    )


def images_of_model(model: SfmModel) -> DatabaseImages:
    """Images of a model, with its ids."""
    return DatabaseImages(
        cameras={image.name: model.cameras[image.camera_id] for image in model.images},
        image_ids={image.name: image.image_id for image in model.images},
        camera_ids={image.name: image.camera_id for image in model.images},
    )


def images_of_mapper(cameras: Cameras, model: SfmModel) -> DatabaseImages:
    """All images that a mapper was given, with its ids; those it left out keep their intrinsics."""
    by_id, id_of = cameras
    known = images_of_model(model)
    first = max(known.camera_ids.values(), default=0)
    order = sorted(id_of, key=natural_key)
    return DatabaseImages(
        cameras={name: known.cameras.get(name, by_id[id_of[name]]) for name in order},
        image_ids={name: number for number, name in enumerate(order, start=1)},
        camera_ids={name: known.camera_ids.get(name, first + id_of[name]) for name in order},
    )


@dataclass(frozen=True, eq=False)
class PhotoColors:
    """Colours at keypoints, read from the photos as an ``ArrayReader``; grey without a photo."""

    folder: Path
    keypoints: Mapping[str, Float64]

    def read(self, key: str, fields: Iterable[str]) -> dict[str, np.ndarray]:
        """(N, 3) RGB at the keypoints of an image, as ``rgb``."""
        points = self.keypoints[key]
        try:
            photo = read_photo(
                path_inside(self.folder, key), key, ImagesConfig(exif_rotation=False)
            )
        except ImageError:
            return {"rgb": np.full((len(points), 3), GREY, np.uint8)}
        return {"rgb": colors_at(photo.pixels, points)}

    def __iter__(self) -> Iterator[str]:
        return iter(self.keypoints)

    def __len__(self) -> int:
        return len(self.keypoints)

    def __contains__(self, key: object) -> bool:
        return key in self.keypoints
