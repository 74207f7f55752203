"""Picture of a query beside a map image, as a PNG file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import FormatError
from hloc_lite.evaluation.match_picture import draw_matches
from hloc_lite.evaluation.shared_view import best_map_image
from hloc_lite.io.files import atomic_path
from hloc_lite.io.image_names import path_inside
from hloc_lite.io.images import read_photo
from hloc_lite.scene import SfmModel
from hloc_lite.types import (
    Camera,
    Correspondences,
    Float64,
    LocalizationResult,
    Photo,
    PoseEstimate,
    RetrievalHits,
    Rigid3,
    Status,
)


def draw_query(
    name: str,
    queries: Path,
    map_photos: Path,
    model: SfmModel,
    matches: tuple[Sequence[Any], npt.ArrayLike, npt.ArrayLike],
    pose: tuple[Rigid3 | None, npt.ArrayLike | None],
    output: Path,
) -> Path:
    """Draw a query beside the map image that sees most of its inliers.

    Args:
        name: name of the query.
        queries: folder of its photo.
        map_photos: folder of the map photos.
        model: SfM model.
        matches: ids of map images, (K, 2) keypoints and (K,) point ids.
        pose: pose and (K,) inlier mask; None without.
        output: folder of the picture.

    Returns:
        The PNG file.

    Raises:
        FormatError: points that the model does not have.
        ImageError: a photo that cannot be read.
    """
    image_ids, keypoints, point3D_ids = matches
    photo = read_unturned(queries, name)
    names = {image.image_id: image.name for image in model.images}
    hits = tuple(names[image_id] for image_id in image_ids if image_id in names)
    result = _result(photo, hits, model, np.asarray(keypoints), np.asarray(point3D_ids), pose)
    shared = best_map_image(result, model)
    beside = None if shared is None else (shared, read_unturned(map_photos, shared.name))
    picture = draw_matches(result, photo, beside)
    return write_png(output, f"loc_{name}", base64.b64decode(picture.uri.partition(",")[2]))


def _result(
    photo: Photo,
    hits: tuple[str, ...],
    model: SfmModel,
    keypoints: Float64,
    point3D_ids: Any,
    pose: tuple[Rigid3 | None, npt.ArrayLike | None],
) -> LocalizationResult:
    """Result as the pictures of matches take it."""
    ids = np.asarray(point3D_ids, np.int64).reshape(-1)
    rows = np.searchsorted(model.point3D_ids, ids).astype(np.int64)
    if len(ids) and (rows.max() >= model.num_points or (model.point3D_ids[rows] != ids).any()):
        raise FormatError(f"the log of {photo.name!r} is of another model: it has other points")
    count = len(ids)
    correspondences = Correspondences(
        keypoints.reshape(-1, 2), model.xyz[rows], np.arange(count), rows, np.ones(count)
    )
    cam_from_world, mask = pose
    camera = Camera("SIMPLE_PINHOLE", photo.width, photo.height, np.array([1.0, 0.0, 0.0]))
    estimate = None
    if cam_from_world is not None:
        inliers = np.zeros(count, bool) if mask is None else np.asarray(mask, bool)
        estimate = PoseEstimate(cam_from_world, inliers, 0, None, camera)
    return LocalizationResult(
        query_name=photo.name,
        status=Status.NO_POSE if estimate is None else Status.LOCALIZED,
        reason="",
        pose=estimate,
        correspondences=correspondences,
        features=None,
        hits=RetrievalHits(hits, np.ones(len(hits), np.float32)),
        counts={},
        timings_ms={},
    )


def read_unturned(folder: Path, name: str) -> Photo:
    """Photo as it is stored, not turned by EXIF."""
    return read_photo(path_inside(folder, name), name, ImagesConfig(exif_rotation=False))


def write_png(folder: Path, name: str, encoded: bytes) -> Path:
    """Write an encoded picture as PNG; ``-`` stands for ``/`` in its name."""
    from PIL import Image

    path = folder / f"{name.replace('/', '-')}.png"
    with atomic_path(path) as partial:
        Image.open(io.BytesIO(encoded)).save(partial, "PNG")
    return path
