"""What a compact map is written as: named arrays, and a header of what is no array."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hloc_lite.config import query_settings
from hloc_lite.errors import ShapeError
from hloc_lite.io.array_folder import json_array
from hloc_lite.maps.georeference import georeference_to_json
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.quantization import Coding, to_bits, to_int8, to_product_codes
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT, Camera, Int64

if TYPE_CHECKING:
    from hloc_lite.maps.map import Map

Arrays = dict[str, np.ndarray]
DESCRIPTORS, CODEBOOKS = "landmarks/descriptors", "landmarks/codebooks"
STATE = "retrieval/state-"


def compact_arrays(
    place: Map, descriptors: LandmarkDescriptors, rows: Int64, coding: Coding, retrieval: Coding
) -> tuple[Arrays, dict[str, Any]]:
    """What is written of a map, and its header.

    Args:
        descriptors: one of each landmark.
        rows: (P,) the landmarks that are kept, ascending.
        retrieval: coding of the global descriptors.

    Raises:
        ShapeError: landmarks with several descriptors, or with none.
    """
    values, _ = descriptors.of(rows)
    if len(values) != len(rows):
        raise ShapeError(f"{len(rows)} landmarks need as many descriptors, got {len(values)}")
    labels = place.landmark_labels
    model = subset_model(place.model, rows)
    origin = np.median(place.model.xyz, axis=0) if place.model.num_points else np.zeros(3)
    long_ids = place.model.point3D_ids.max(initial=0) >= 2**32
    arrays = {
        "landmarks/xyz": (model.xyz - origin).astype(np.float32),
        "landmarks/ids": model.point3D_ids.astype(np.int64 if long_ids else np.uint32),
        "landmarks/rgb": model.rgb,
        "landmarks/errors": model.errors_px.astype(np.float16),
        **_coded(values, coding),
        **_of_images(model),
        "retrieval/images": _rows_of(place.global_names, model),
        "retrieval/descriptors": _coded(place.global_descriptors, retrieval)[DESCRIPTORS],
    }
    for name, array in place.retrieval_state.items():
        arrays[f"{STATE}{name}"] = np.asarray(array, np.float32)
    if labels is not None:
        arrays["landmarks/labels"] = labels.labels[rows].astype(np.uint8)
        arrays["landmarks/shares"] = labels.shares[rows].astype(np.float16)
    located = place.georeference
    header = {
        "fingerprint": place.fingerprint,
        "config": place.config.model_dump(),
        "chosen": query_settings(place.config),
        "georeference": None if located is None else georeference_to_json(located),
        "weights": dict(place.weights),
        "report": {key: value for key, value in place.report.items() if key != "images"},
        "origin": origin.tolist(),
        "descriptors": coding.value,
        "retrieval": retrieval.value,
        "retrieval_dim": place.global_descriptors.shape[1],
    }
    return arrays, header


def _of_images(model: SfmModel) -> Arrays:
    cameras = [_plain(number, camera) for number, camera in sorted(model.cameras.items())]
    poses = [i.cam_from_world for i in model.images]
    seen = [np.unique(image.point3D_idxs) for image in model.images]
    return {
        "cameras/all": json_array(cameras),
        "images/names": json_array([image.name for image in model.images]),
        "images/ids": np.array([image.image_id for image in model.images], np.int64),
        "images/camera_ids": np.array([image.camera_id for image in model.images], np.int64),
        "images/poses": np.array(
            [np.column_stack([pose.rotation, pose.translation]) for pose in poses]
        ).reshape(-1, 3, 4),
        "images/offsets": np.cumsum([0, *(len(points) for points in seen)], dtype=np.int64),
        "images/landmarks": np.concatenate([np.empty(0, np.int64), *seen]).astype(np.uint32),
    }


def _rows_of(names: tuple[str, ...], model: SfmModel) -> Int64:
    rows = {image.name: row for row, image in enumerate(model.images)}
    return np.array([rows[name] for name in names], np.int64)


def subset_model(model: SfmModel, rows: Int64) -> SfmModel:
    """The model with some of its points, and of the keypoints those that see them."""
    number = np.full(model.num_points + 1, NO_POINT)
    number[rows] = np.arange(len(rows))
    images = []
    for image in model.images:
        points = number[image.point3D_idxs]  # NO_POINT takes the last
        kept = points != NO_POINT
        keypoints = None if image.keypoints is None else image.keypoints[kept]
        images.append(replace(image, keypoints=keypoints, point3D_idxs=points[kept]))
    return SfmModel(
        model.cameras, tuple(images), model.point3D_ids[rows], model.xyz[rows], model.rgb[rows],
        model.errors_px[rows],
    )  # fmt: skip


def _plain(camera_id: int, camera: Camera) -> dict[str, Any]:
    return {
        "id": camera_id,
        "model": camera.model,
        "width": camera.width,
        "height": camera.height,
        "params": camera.params.tolist(),
        "has_prior_focal": camera.has_prior_focal,
    }


def _coded(rows: npt.NDArray[np.floating], coding: Coding) -> Arrays:
    if coding is Coding.FLOAT16:
        return {DESCRIPTORS: rows.astype(np.float16)}
    if coding is Coding.INT8:
        return {DESCRIPTORS: to_int8(rows)}
    if coding is Coding.BITS:
        return {DESCRIPTORS: to_bits(rows)}
    coded = to_product_codes(rows.astype(np.float32))
    return {DESCRIPTORS: coded.codes, CODEBOOKS: coded.codebooks}
