"""Writes the folder of a map (its files are in ``maps.storage``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import query_settings
from hloc_lite.errors import BusyMapError, HlocLiteError
from hloc_lite.formats.colmap import write_model
from hloc_lite.io.bank import Bank, write_bank
from hloc_lite.io.files import file_sha256, read_json_object, write_json_atomic
from hloc_lite.io.locks import exclusive_lock
from hloc_lite.io.schemas import with_checksum
from hloc_lite.io.staging import (
    HEADER,
    LOCK,
    STAGED,
    check_no_links,
    delete_files,
    in_use,
    move_staged_files,
)
from hloc_lite.maps.calibration import replace_calibration
from hloc_lite.maps.config import plain_config
from hloc_lite.maps.folder import BANKS, FILES, MAP_SCHEMA, check_ours
from hloc_lite.maps.georeference import replace_georeference, replaced_header
from hloc_lite.maps.local_paths import portable_report
from hloc_lite.maps.map_data import MapData
from hloc_lite.maps.mean_descriptors import landmark_descriptors_of
from hloc_lite.maps.outside_names import recorded_config
from hloc_lite.maps.stored_descriptors import write_landmark_descriptors
from hloc_lite.maps.surface_saving import replace_surface
from hloc_lite.types import LocalFeatures


def save_map(folder: Path, sfm_map: MapData) -> None:
    """Write a map into a folder that no other process may write to meanwhile (``write_map``).

    Raises:
        BusyMapError: another process writes to it.
        MappingError: the folder holds other files than a map.
        HlocLiteError: the folder cannot be written.
    """
    busy = BusyMapError(f"another process is writing {folder}; wait for it, or choose another")

    def unwritable(error: OSError) -> HlocLiteError:
        return HlocLiteError(f"cannot write {folder}: {error.strerror or error}")

    check_ours(folder)
    with exclusive_lock(folder / LOCK, busy, unwritable):
        write_map(folder, sfm_map)


def write_map(folder: Path, sfm_map: MapData) -> None:
    """Write a map into a folder that is locked; map.json comes last and marks it complete.

    A process that is killed at any point leaves the old map or the new one (``io.staging``).

    Raises:
        MappingError: the folder holds other files than a map.
        HlocLiteError: the folder cannot be written.
    """
    check_ours(folder)
    check_no_links(folder, FILES)
    staged = folder / STAGED
    try:
        if _is_complete(staged):  # its writer was killed while moving files
            left = [name for name in FILES if (staged / name).is_file()]
            if not move_staged_files(folder, left):
                raise in_use(folder)
        delete_files(staged, FILES)  # of a run that was killed while writing
        _write_files(staged, sfm_map, replaced_header(folder))
        move_staged_files(folder, FILES)
        replace_georeference(folder, sfm_map.georeference)
        replace_calibration(folder, sfm_map.calibration, sfm_map.fingerprint)
        replace_surface(folder, sfm_map.surface, sfm_map.fingerprint)
    except OSError as error:
        raise HlocLiteError(f"cannot write {folder}: {error}") from error
    finally:
        if not _is_complete(staged):
            with suppress(OSError):
                delete_files(staged, FILES)


def _is_complete(staged: Path) -> bool:
    """Return True if all files of a map are staged, or were until their moves began."""
    return read_json_object(staged / HEADER).get("schema") == MAP_SCHEMA


def _write_files(folder: Path, sfm_map: MapData, extra: Mapping[str, Any]) -> None:
    """Write all files; ``extra`` are further entries of the header."""
    write_model(folder / "sfm", sfm_map.model)
    images = sfm_map.model.images
    features = ((image.name, _feature_arrays(sfm_map.features[image.name])) for image in images)
    origin = {"fingerprint": sfm_map.fingerprint}
    write_bank(folder / "features.h5", features, origin)
    attrs = {**origin, **_retrieval_attrs(sfm_map)}
    write_bank(folder / "retrieval.h5", _retrieval_items(sfm_map), attrs)
    labels = sfm_map.landmark_labels
    points: list[tuple[str, dict[str, np.ndarray]]] = []
    if labels is not None:
        points = [("points", {"labels": labels.labels, "shares": labels.shares})]
    if sfm_map.landmark_sigmas is not None:
        points.append(("uncertainty", {"sigmas": np.asarray(sfm_map.landmark_sigmas, np.float32)}))
    write_bank(folder / "landmarks.h5", points, origin)
    descriptors_file = write_landmark_descriptors(folder, landmark_descriptors_of(sfm_map))
    # paths are relative to the folder that the staged files are moved to
    write_json_atomic(folder / "report.json", portable_report(sfm_map.report, folder.parent))
    config = recorded_config(sfm_map.config, sfm_map.outside_names)
    header = {
        "schema": MAP_SCHEMA,
        "fingerprint": sfm_map.fingerprint,
        "config": plain_config(config),
        "chosen": query_settings(config),
        "weights": dict(sfm_map.weights),
        "images": len(images),
        "points": sfm_map.model.num_points,
        "landmark_descriptors": descriptors_file,
        **extra,
        "banks": {name: _bank_digest(folder / name) for name in BANKS},
        "files": {name: file_sha256(folder / name) for name in FILES if name != HEADER},
    }
    write_json_atomic(folder / HEADER, with_checksum(header))


def _bank_digest(path: Path) -> str:
    bank = Bank(path)  # reports at once a disk that does not return what was written
    bank.close()
    return bank.digest


def _feature_arrays(features: LocalFeatures) -> dict[str, np.ndarray]:
    return {
        "keypoints": features.keypoints,
        "descriptors": features.descriptors.astype(np.float16),
        "scores": features.scores,
        "image_size": np.array(features.image_size, np.int32),
    }


def _retrieval_items(sfm_map: MapData) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    yield "descriptors", {"values": np.asarray(sfm_map.global_descriptors, np.float32).ravel()}
    for name, array in sorted(sfm_map.retrieval_state.items()):
        yield f"state/{name}", {"values": np.asarray(array, np.float32).ravel()}


def _retrieval_attrs(sfm_map: MapData) -> dict[str, Any]:
    shapes = {name: list(np.shape(array)) for name, array in sfm_map.retrieval_state.items()}
    return {"names": list(sfm_map.global_names), "state_shapes": shapes}
