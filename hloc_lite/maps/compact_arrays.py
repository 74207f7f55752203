"""Contents of a compact map: named arrays, and a header for everything that is not an array."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.config import query_settings
from hloc_lite.errors import ShapeError
from hloc_lite.io.array_folder import json_array
from hloc_lite.maps.config import plain_config
from hloc_lite.maps.georeference import georeference_to_json
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.local_paths import without_paths
from hloc_lite.maps.map_data import MapData
from hloc_lite.maps.outside_names import recorded_config
from hloc_lite.maps.quantization import Coding, to_bits, to_int8, to_product_codes
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT, Camera, Int64

Arrays = dict[str, np.ndarray]
DESCRIPTORS, CODEBOOKS = "landmarks/descriptors", "landmarks/codebooks"
SIGMAS = "landmarks/sigmas"
STATE = "retrieval/state-"


def compact_arrays(
    sfm_map: MapData,
    descriptors: LandmarkDescriptors,
    landmark_idxs: Int64,
    coding: Coding,
    retrieval: Coding,
) -> tuple[Arrays, dict[str, Any]]:
    """Make the arrays and the header of a compact map.

    Args:
        descriptors: one descriptor per landmark of the map.
        landmark_idxs: (P,) landmarks to keep, ascending.
        coding: encoding of the landmark descriptors.
        retrieval: encoding of the global descriptors.

    Raises:
        ShapeError: a landmark has no descriptor, or several.
    """
    values, _ = descriptors.rows_of(landmark_idxs)
    if len(values) != len(landmark_idxs):
        raise ShapeError(
            f"compact maps need exactly one descriptor per landmark, got {len(values)} for "
            f"{len(landmark_idxs)} landmarks"
        )
    labels, georeference = sfm_map.landmark_labels, sfm_map.georeference
    config = recorded_config(sfm_map.config, sfm_map.outside_names)
    model = subset_model(sfm_map.model, landmark_idxs)
    origin = np.median(sfm_map.model.xyz, axis=0) if sfm_map.model.num_points else np.zeros(3)
    has_long_ids = sfm_map.model.point3D_ids.max(initial=0) >= 2**32
    arrays = {
        "landmarks/xyz": (model.xyz - origin).astype(np.float32),
        "landmarks/ids": model.point3D_ids.astype(np.int64 if has_long_ids else np.uint32),
        "landmarks/rgb": model.rgb,
        "landmarks/errors": model.errors_px.astype(np.float16),
        **_encode(values, coding),
        **_image_arrays(model),
        "retrieval/images": _image_rows(sfm_map.global_names, model),
        "retrieval/descriptors": _encode(sfm_map.global_descriptors, retrieval)[DESCRIPTORS],
    }
    for name, array in sfm_map.retrieval_state.items():
        arrays[f"{STATE}{name}"] = np.asarray(array, np.float32)
    if labels is not None:
        arrays["landmarks/labels"] = labels.labels[landmark_idxs].astype(np.uint8)
        arrays["landmarks/shares"] = labels.shares[landmark_idxs].astype(np.float16)
    if sfm_map.landmark_sigmas is not None:
        arrays[SIGMAS] = sfm_map.landmark_sigmas[landmark_idxs].astype(np.float16)
    header = {
        "fingerprint": sfm_map.fingerprint,
        "config": plain_config(config),
        "chosen": query_settings(config),
        "georeference": None if georeference is None else georeference_to_json(georeference),
        "weights": dict(sfm_map.weights),
        "report": without_paths(
            {key: value for key, value in sfm_map.report.items() if key != "images"}
        ),
        "origin": origin.tolist(),
        "descriptors": coding.value,
        "retrieval": retrieval.value,
        "retrieval_dim": sfm_map.global_descriptors.shape[1],
    }
    return arrays, header


def subset_model(model: SfmModel, point3D_idxs: Int64) -> SfmModel:
    """Model with some of its points, and only the keypoints that observe them."""
    new_idxs = np.full(model.num_points + 1, NO_POINT)  # NO_POINT indexes the last entry
    new_idxs[point3D_idxs] = np.arange(len(point3D_idxs))
    images = []
    for image in model.images:
        points = new_idxs[image.point3D_idxs]
        kept = points != NO_POINT
        keypoints = None if image.keypoints is None else image.keypoints[kept]
        images.append(replace(image, keypoints=keypoints, point3D_idxs=points[kept]))
    return SfmModel(
        model.cameras,
        tuple(images),
        model.point3D_ids[point3D_idxs],
        model.xyz[point3D_idxs],
        model.rgb[point3D_idxs],
        model.errors_px[point3D_idxs],
    )


def _image_arrays(model: SfmModel) -> Arrays:
    cameras = [_camera_to_json(*item) for item in sorted(model.cameras.items())]
    poses = [image.cam_from_world for image in model.images]
    observed = [np.unique(image.point3D_idxs) for image in model.images]
    return {
        "cameras/all": json_array(cameras),
        "images/names": json_array([image.name for image in model.images]),
        "images/ids": np.array([image.image_id for image in model.images], np.int64),
        "images/camera_ids": np.array([image.camera_id for image in model.images], np.int64),
        "images/poses": np.array(
            [np.column_stack([pose.rotation, pose.translation]) for pose in poses]
        ).reshape(-1, 3, 4),
        "images/offsets": np.cumsum([0, *(len(points) for points in observed)], dtype=np.int64),
        "images/landmarks": np.concatenate([np.empty(0, np.int64), *observed]).astype(np.uint32),
    }


def _image_rows(names: tuple[str, ...], model: SfmModel) -> Int64:
    rows = {image.name: row for row, image in enumerate(model.images)}
    return np.array([rows[name] for name in names], np.int64)


def _camera_to_json(camera_id: int, camera: Camera) -> dict[str, Any]:
    return {
        "id": camera_id,
        "model": camera.model,
        "width": camera.width,
        "height": camera.height,
        "params": camera.params.tolist(),
        "has_prior_focal": camera.has_prior_focal,
    }


def _encode(rows: npt.NDArray[np.floating], coding: Coding) -> Arrays:
    if coding is Coding.FLOAT16:
        return {DESCRIPTORS: rows.astype(np.float16)}
    if coding is Coding.INT8:
        return {DESCRIPTORS: to_int8(rows)}
    if coding is Coding.BITS:
        return {DESCRIPTORS: to_bits(rows)}
    encoded = to_product_codes(rows.astype(np.float32))
    return {DESCRIPTORS: encoded.codes, CODEBOOKS: encoded.codebooks}
