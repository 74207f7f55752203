"""Opens compact maps: landmarks with one descriptor each, and which of them each image observes.

A compact map stores no features of images. The features of an image are its landmarks: their
projections and their descriptors. Arrays stay memory-mapped on disk until they are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.errors import (
    DamagedMapError,
    FormatError,
    HlocLiteError,
    NewerVersionError,
    StaleArtefactError,
)
from hloc_lite.geometry.cameras import check_camera
from hloc_lite.io.array_folder import json_of, read_array_folder
from hloc_lite.io.image_names import check_relative
from hloc_lite.io.number_range import MAX_NUMBER, in_range
from hloc_lite.maps.compact_arrays import CODEBOOKS, DESCRIPTORS, SIGMAS, STATE, Arrays
from hloc_lite.maps.config import config_fields
from hloc_lite.maps.folder import COMPACT_SCHEMA
from hloc_lite.maps.georeference import Georeference, georeference_from_json, read_georeference
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.quantization import ProductCodes, from_bits
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import Camera, Float32, Float64, LocalFeatures, Rigid3

_MAX_ROTATION_ERROR = 1e-6
"""Largest error of R R^T: rotations are stored in full precision, 1e-15."""
_REMEDY = "put the original back, or run `hloc-lite compress` again with --overwrite"


class ProjectedFeatures(Mapping[str, LocalFeatures]):
    """Features of each image made from its landmarks: projections and landmark descriptors."""

    def __init__(self, model: SfmModel, descriptors: LandmarkDescriptors) -> None:
        self._model, self._descriptors = model, descriptors

    def __getitem__(self, name: str) -> LocalFeatures:
        image = self._model.image_named(name)
        if image is None:
            raise KeyError(name)
        camera = self._model.cameras[image.camera_id]
        values, _ = self._descriptors.rows_of(image.point3D_idxs)
        scores = np.ones(len(values), np.float32)
        keypoints = keypoints_of(self._model, image).astype(np.float32)
        return LocalFeatures(keypoints, values, scores, (camera.width, camera.height))

    def __iter__(self) -> Iterator[str]:
        return (image.name for image in self._model.images)

    def __len__(self) -> int:
        return len(self._model.images)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._model.image_named(name) is not None


def read_compact(folder: Path, *, trust: bool = False) -> dict[str, Any]:
    """Read the fields of the compact ``Map`` in a folder; ``trust`` is that of ``Map.open``.

    Raises:
        DamagedMapError: a file is missing or damaged.
        StaleArtefactError: the georeference beside it belongs to other poses.
    """
    try:
        header, arrays = read_array_folder(folder, COMPACT_SCHEMA)
        fields = _map_fields(header, arrays, read_georeference(folder))
        return fields | config_fields(folder, header["config"], header["chosen"], trust=trust)
    except (StaleArtefactError, DamagedMapError, NewerVersionError):
        raise
    except FormatError as error:
        raise DamagedMapError(f"{error}: {_REMEDY}") from None
    except (HlocLiteError, AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedMapError(
            f"{folder} is not a complete compact map: {error!r}: {_REMEDY}"
        ) from None


def _map_fields(
    header: Mapping[str, Any], arrays: Arrays, fitted: Georeference | None
) -> dict[str, Any]:
    """Fields of the map, without its config.

    Args:
        fitted: georeference in the folder; it replaces that of the map this one was made from.
    """
    inherited = header["georeference"]
    model = _model(header, arrays)
    descriptors = _landmark_descriptors(arrays)
    labels = None
    if "landmarks/labels" in arrays:
        labels = LandmarkLabels(
            arrays["landmarks/labels"], arrays["landmarks/shares"].astype(np.float32)
        )
    names = json_of(arrays["images/names"])
    state = {
        name.removeprefix(STATE): array for name, array in arrays.items() if name.startswith(STATE)
    }
    return {
        "model": model,
        "features": ProjectedFeatures(model, descriptors),
        "global_names": tuple(names[row] for row in arrays["retrieval/images"]),
        "global_descriptors": _global_descriptors(
            arrays["retrieval/descriptors"], header["retrieval_dim"]
        ),
        "retrieval_state": state,
        "fingerprint": header["fingerprint"],
        "weights": header["weights"],
        "report": header["report"],
        "landmark_labels": labels,
        "landmark_sigmas": arrays[SIGMAS].astype(np.float32) if SIGMAS in arrays else None,
        "landmark_descriptors": descriptors,
        "georeference": fitted or (georeference_from_json(inherited) if inherited else None),
    }


def _global_descriptors(values: np.ndarray, dim: int) -> Float32:
    """(N, D) unit rows from numbers or packed signs."""
    rows = from_bits(values, dim) if values.dtype == np.uint8 else values.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]  # linalg.norm would copy all rows
    rows /= np.maximum(lengths, np.float32(1e-12))
    return rows


def _model(header: Mapping[str, Any], arrays: Arrays) -> SfmModel:
    cameras = {each["id"]: _camera_from_json(each) for each in json_of(arrays["cameras/all"])}
    xyz = arrays["landmarks/xyz"].astype(np.float64) + np.array(header["origin"])
    names, offsets = json_of(arrays["images/names"]), arrays["images/offsets"].tolist()
    check_relative(names)
    camera_ids = arrays["images/camera_ids"].tolist()
    unknown = set(camera_ids) - cameras.keys()
    if unknown:
        raise ValueError(f"images name cameras {sorted(unknown)}, which the map does not have")
    # plain arrays: slices of memory-mapped ones take ten times as long
    poses = np.asarray(arrays["images/poses"])
    _check_geometry(xyz, poses)
    observed = np.asarray(arrays["images/landmarks"]).astype(np.int64)
    if len(observed) and observed.max() >= len(xyz):
        raise ValueError(f"an image observes landmark {observed.max()}, there are {len(xyz)}")
    rows = zip(
        arrays["images/ids"].tolist(), names, camera_ids, poses[:, :, :3], poses[:, :, 3], offsets,
        offsets[1:], strict=False,
    )  # fmt: skip
    images = tuple(
        SfmImage(number, name, camera_id, Rigid3(rotation, translation), None, observed[start:end])
        for number, name, camera_id, rotation, translation, start, end in rows
    )
    errors = arrays["landmarks/errors"].astype(np.float64)
    return SfmModel(cameras, images, arrays["landmarks/ids"], xyz, arrays["landmarks/rgb"], errors)


def _check_geometry(xyz: Float64, poses: Float64) -> None:
    """Check (M, 3) landmarks and (N, 3, 4) poses, which a stranger may have written.

    Raises:
        ValueError: a number that is not finite or too large, or a matrix that is no rotation.
    """
    if not in_range(xyz) or not in_range(poses):
        raise ValueError(f"landmarks and poses need finite numbers of at most {MAX_NUMBER:g}")
    rotations = poses[:, :, :3]
    errors = rotations @ rotations.transpose(0, 2, 1) - np.eye(3)
    if np.abs(errors).max(initial=0) > _MAX_ROTATION_ERROR:
        raise ValueError("the matrix of a pose is no rotation")


def _camera_from_json(values: Mapping[str, Any]) -> Camera:
    size = (values["width"], values["height"])
    params = np.array(values["params"], np.float64)
    return check_camera(Camera(values["model"], *size, params, values["has_prior_focal"]))


def _landmark_descriptors(arrays: Arrays) -> LandmarkDescriptors:
    values: Any = arrays[DESCRIPTORS]
    if CODEBOOKS in arrays:
        values = ProductCodes(values, arrays[CODEBOOKS])
    return LandmarkDescriptors(values, np.arange(len(values) + 1))
