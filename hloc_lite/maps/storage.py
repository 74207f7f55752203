"""Reads the folder of a map, which ``maps.saving`` writes.

MAP/map.json       schema, config, fingerprint, weights; written last, so it marks a complete map
MAP/sfm/           COLMAP model (.bin), readable by COLMAP
MAP/features.h5    keypoints (float32), descriptors (float16), scores of each registered image
MAP/retrieval.h5   global descriptors, and the state of the global descriptor (a vocabulary)
MAP/landmarks.h5   semantic labels of the points, where a segmenter was configured, and their
                   standard deviations, where depth was measured
MAP/landmark_descriptors.npy   mean descriptor of each point (float16), read by the first query
MAP/report.json    outcome of mapping for each image, with the reason where it was left out
MAP/calibration.json   outcome of localizing the map's own photos (maps/calibration.py)
MAP/surface/       points or triangles of the place, if it was made (maps/surface_tiles.py)
MAP/georeference.json  location on Earth, if it was fitted (maps/georeference.py)

A compact map is another folder (maps/compact.py); ``read_map`` opens both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.errors import (
    BusyMapError,
    DamagedMapError,
    FormatError,
    HlocLiteError,
    NewerVersionError,
)
from hloc_lite.formats.colmap import read_files
from hloc_lite.io.bank import ArrayReader, Bank
from hloc_lite.io.files import file_sha256, read_json
from hloc_lite.io.schemas import read_header_file
from hloc_lite.io.staging import HEADER, content_state, current_file
from hloc_lite.maps.calibration import MapCalibration, read_calibration
from hloc_lite.maps.compact import read_compact
from hloc_lite.maps.config import config_fields
from hloc_lite.maps.folder import (
    COMPACT_SCHEMA,
    FILES_WITHOUT_CHECKSUMS,
    MAP_SCHEMA,
    MODEL_FILES,
    REMEDY,
    RIG_FILES,
    check_links_inside,
)
from hloc_lite.maps.georeference import read_georeference
from hloc_lite.maps.local_paths import local_report
from hloc_lite.maps.recorded_photos import recorded_photos
from hloc_lite.maps.stored_descriptors import open_landmark_descriptors
from hloc_lite.maps.surface import open_surface
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float32, LocalFeatures

MAX_REPLACEMENTS = 10
"""Attempts to read a map that other processes replace meanwhile."""
_FEATURE_FIELDS = ("keypoints", "descriptors", "scores", "image_size")


class StoredFeatures(Mapping[str, LocalFeatures]):
    """Features of images, read from disk one image at a time."""

    def __init__(self, bank: ArrayReader) -> None:
        self._bank = bank

    def __getitem__(self, name: str) -> LocalFeatures:
        return features_from_arrays(self._bank.read(name, _FEATURE_FIELDS))

    def __iter__(self) -> Iterator[str]:
        return iter(self._bank)

    def __len__(self) -> int:
        return len(self._bank)

    def __contains__(self, name: object) -> bool:
        return name in self._bank  # Mapping's own test would read the item


def features_from_arrays(arrays: Mapping[str, np.ndarray]) -> LocalFeatures:
    """Features from stored arrays; descriptors become float32 unit rows."""
    descriptors = np.asarray(arrays["descriptors"], np.float32)
    width, height = (int(value) for value in arrays["image_size"])
    return LocalFeatures(arrays["keypoints"], descriptors, arrays["scores"], (width, height))


def read_map(folder: Path, *, trust: bool = False) -> dict[str, Any]:
    """Read the fields of the ``Map`` in a folder, full or compact; ``trust`` as in ``Map.open``.

    Raises:
        FormatError: no map there, an unfinished one, another schema, or a damaged file.
        StaleArtefactError: its georeference belongs to other poses.
    """
    if not folder.is_dir():
        problem = "is a file, expected a folder" if folder.exists() else "does not exist"
        raise FormatError(f"map {folder} {problem}")
    if not current_file(folder, HEADER).is_file():
        hint = ""
        if (folder / "work").is_dir():
            hint = "; run the same `hloc-lite map` again, it resumes"
        raise FormatError(f"{folder} holds no finished map{hint}")
    if not trust:
        check_links_inside(folder)
    for _ in range(MAX_REPLACEMENTS):
        state = content_state(folder)
        try:
            fields = _read_current(folder, trust=trust)
        except HlocLiteError:
            if content_state(folder) == state:
                raise
        else:
            if content_state(folder) == state:
                photos = recorded_photos(fields, trust=trust)
                return {
                    **fields,
                    "photos": photos,
                    "calibration": _calibration(folder, fields),
                    "surface": open_surface(folder, fields["fingerprint"]),
                }
    raise BusyMapError(f"{folder} is being replaced again and again; try later")


def _read_current(folder: Path, *, trust: bool) -> dict[str, Any]:
    """Fields of the map, without its photos."""
    try:
        header = read_json(current_file(folder, HEADER))
        schema = header.get("schema") if isinstance(header, dict) else header
        if str(schema).startswith(COMPACT_SCHEMA.partition("/")[0]):
            return read_compact(folder, trust=trust)
        return _read_full(folder, read_map_header(folder), trust=trust)
    except (DamagedMapError, NewerVersionError):
        raise  # their messages already name the remedy
    except FormatError as error:
        raise DamagedMapError(f"{error}: {REMEDY}") from None


def read_map_header(folder: Path) -> dict[str, Any]:
    """Read map.json of a full map, with the digests of its files under ``files``.

    Raises:
        NewerVersionError: a newer version made the map.
        FormatError: no map there, another schema, or a damaged file.
    """
    return read_header_file(current_file(folder, HEADER), MAP_SCHEMA, folder / HEADER)


def _calibration(folder: Path, fields: Mapping[str, Any]) -> MapCalibration | None:
    return read_calibration(folder, fields["fingerprint"], fields["model"].num_points)


def _read_full(folder: Path, header: Mapping[str, Any], *, trust: bool) -> dict[str, Any]:
    _check_files(folder, header)
    bank = _open_bank(folder, "retrieval.h5", header)
    try:
        names = tuple(bank.attrs["names"])
        descriptors = bank["descriptors"]["values"].reshape(len(names), -1)
        features = _open_bank(folder, "features.h5", header)
        config = config_fields(folder, header["config"], header.get("chosen"), trust=trust)
        labels, sigmas = _read_landmarks(folder, header)
        if labels is None and header["config"].get("semantics", {}).get("source", "none") != "none":
            raise FormatError(f"{folder}/landmarks.h5 with the labels of its points is missing")
        return {
            "model": _read_model(folder, header),
            "features": StoredFeatures(features),
            "global_names": names,
            "global_descriptors": np.asarray(descriptors, np.float32),
            "retrieval_state": _read_state(bank),
            **config,
            "fingerprint": header["fingerprint"],
            "weights": header["weights"],
            "report": local_report(read_json(current_file(folder, "report.json")), folder),
            "landmark_labels": labels,
            "landmark_sigmas": sigmas,
            "landmark_descriptors": open_landmark_descriptors(
                folder, header.get("landmark_descriptors")
            ),
            "georeference": read_georeference(folder),
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{folder} is not a complete map: {error!r}") from None
    finally:
        bank.close()


def _read_model(folder: Path, header: Mapping[str, Any]) -> SfmModel:
    rigs = [current_file(folder, name) for name in _rig_files(header)]
    paths = [current_file(folder, name) for name in MODEL_FILES]
    return read_files(paths, (rigs[0], rigs[1]) if rigs else None)


def _rig_files(header: Mapping[str, Any]) -> tuple[str, ...]:
    """Files of rigs; none in maps of versions that did not write them."""
    return RIG_FILES if all(name in header["files"] for name in RIG_FILES) else ()


def _read_state(bank: Bank) -> dict[str, np.ndarray]:
    shapes = bank.attrs["state_shapes"]
    return {name: bank[f"state/{name}"]["values"].reshape(shape) for name, shape in shapes.items()}


def _read_landmarks(
    folder: Path, header: Mapping[str, Any]
) -> tuple[LandmarkLabels | None, Float32 | None]:
    """Labels and standard deviations of the landmarks, each None where the map has none."""
    # maps of versions without labels neither have nor record it
    if "landmarks.h5" not in header["files"] and not current_file(folder, "landmarks.h5").is_file():
        return None, None
    bank = _open_bank(folder, "landmarks.h5", header)
    try:
        points = bank.get("points")
        labels = None if points is None else LandmarkLabels(points["labels"], points["shares"])
        has_sigmas = "uncertainty" in bank
        sigmas = np.asarray(bank["uncertainty"]["sigmas"], np.float32) if has_sigmas else None
        return labels, sigmas
    finally:
        bank.close()


def _open_bank(folder: Path, name: str, header: Mapping[str, Any]) -> Bank:
    """Open one of a map's banks: refuse one of another map, and one that was changed.

    Maps of earlier versions record neither its map nor its digest.
    """
    if not current_file(folder, name).exists():
        raise FormatError(f"{folder / name} is missing")
    bank = Bank(current_file(folder, name))
    found, own = bank.attrs.get("fingerprint"), header["fingerprint"]
    digest = header.get("banks", {}).get(name, bank.digest)
    if found in (None, own) and bank.digest == digest:
        return bank
    bank.close()
    if found not in (None, own):
        raise DamagedMapError(
            f"{bank.path} belongs to another map: its fingerprint is {found}, map.json has "
            f"{own}: {REMEDY}"
        )
    raise DamagedMapError(f"{bank.path} was changed: map.json has another digest: {REMEDY}")


def _check_files(folder: Path, header: Mapping[str, Any]) -> None:
    """Compare files without checksums of their own with those recorded in map.json.

    The others are compared where they are read, as they may have gigabytes (``maps.verify`` reads
    all).

    Raises:
        DamagedMapError: a file is missing, or has changed since the map was finished.
    """
    for name in (*FILES_WITHOUT_CHECKSUMS, *_rig_files(header)):
        if file_sha256(current_file(folder, name)) != header["files"].get(name):
            raise DamagedMapError(f"{folder}/{name} is damaged or was changed: {REMEDY}")
