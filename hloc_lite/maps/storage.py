"""Reads and writes the folder of a map.

MAP/map.json       schema, config, fingerprint, weights; written last, so it marks a complete map
MAP/sfm/           COLMAP model (.bin), readable by COLMAP
MAP/features.h5    keypoints (float32), descriptors (float16), scores of each registered image
MAP/retrieval.h5   global descriptors, and the state of the global descriptor (a vocabulary)
MAP/landmarks.h5   semantic labels of the points, where a segmenter was configured
MAP/landmark_descriptors.npy   mean descriptor of each point (float16), read by the first query
MAP/report.json    outcome of mapping for each image, with the reason where it was left out
MAP/calibration.json   outcome of localizing the map's own photos (maps/calibration.py)
MAP/georeference.json  location on Earth, if it was fitted (maps/georeference.py)

A compact map is another folder (maps/compact.py); ``read_map`` opens both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import fingerprint, query_settings
from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.errors import DamagedMapError, FormatError, HlocLiteError
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.io.bank import Bank, write_bank
from hloc_lite.io.files import file_sha256, read_json, read_json_object, write_json_atomic
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.io.staging import STAGED, delete_files, move_staged_files
from hloc_lite.maps.calibration import read_calibration, replace_calibration
from hloc_lite.maps.compact import read_compact
from hloc_lite.maps.config import restore_config
from hloc_lite.maps.folder import (
    COMPACT_SCHEMA,
    FILES,
    FILES_WITHOUT_CHECKSUMS,
    MAP_SCHEMA,
    REMEDY,
    check_ours,
)
from hloc_lite.maps.georeference import delete_stale_georeference, read_georeference
from hloc_lite.maps.map_data import MapData
from hloc_lite.maps.mean_descriptors import landmark_descriptors_of
from hloc_lite.maps.stored_descriptors import (
    open_landmark_descriptors,
    write_landmark_descriptors,
)
from hloc_lite.types import LocalFeatures

_FEATURE_FIELDS = ("keypoints", "descriptors", "scores", "image_size")


class StoredFeatures(Mapping[str, LocalFeatures]):
    """Features of images, read from disk one image at a time."""

    def __init__(self, bank: Bank | ShardedStore) -> None:
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


def read_map(folder: Path) -> dict[str, Any]:
    """Read the fields of the ``Map`` in a folder, full or compact.

    Raises:
        FormatError: no map there, an unfinished one, another schema, or a damaged file.
        StaleArtefactError: its georeference belongs to other poses.
    """
    if not folder.is_dir():
        problem = "is a file, expected a folder" if folder.exists() else "does not exist"
        raise FormatError(f"map {folder} {problem}")
    if not (folder / "map.json").is_file():
        hint = ""
        if (folder / "work").is_dir():
            hint = "; run the same `hloc-lite map` again, it resumes"
        elif _is_complete(folder / STAGED):
            hint = f"; its last files are still in {folder / STAGED}: move them here, map.json last"
        raise FormatError(f"{folder} holds no finished map{hint}")
    try:
        header = read_json(folder / "map.json")
        schema = header.get("schema") if isinstance(header, dict) else header
        if schema == COMPACT_SCHEMA:
            fields = read_compact(folder)
        elif schema == MAP_SCHEMA:
            fields = _read_full(folder, header)
        else:
            raise FormatError(f"{folder}/map.json: expected schema {MAP_SCHEMA}, got {schema!r}")
    except DamagedMapError:
        raise  # its message already names the remedy
    except FormatError as error:
        raise DamagedMapError(f"{error}: {REMEDY}") from None
    model = fields["model"]
    calibration = read_calibration(folder, fields["fingerprint"], model.num_points)
    return {**fields, "photos": _photos(fields), "calibration": calibration}


def write_map(folder: Path, sfm_map: MapData) -> None:
    """Write a map into a folder; map.json comes last and marks it complete.

    An existing map is replaced only when the new one is complete in a staging folder. If the moves
    from there are interrupted, the next call completes them before it writes anything.

    Raises:
        MappingError: the folder holds other files than a map.
        HlocLiteError: the folder cannot be written.
    """
    check_ours(folder)
    staged = folder / STAGED
    try:
        if _is_complete(staged):
            _replace_files(folder, [name for name in FILES if (staged / name).is_file()])
        delete_files(staged, FILES)  # of a run that was killed while writing
        _write_files(staged, sfm_map)
        _replace_files(folder, FILES)
        delete_stale_georeference(folder)
        replace_calibration(folder, sfm_map.calibration, sfm_map.fingerprint)
    except OSError as error:
        raise HlocLiteError(f"cannot write {folder}: {error}") from error
    finally:
        if not _is_complete(staged):
            with suppress(OSError):
                delete_files(staged, FILES)


def _is_complete(staged: Path) -> bool:
    """Return True if all files of a map are staged, or were until their moves began."""
    return read_json_object(staged / "map.json").get("schema") == MAP_SCHEMA


def _replace_files(folder: Path, names: Sequence[str]) -> None:
    (folder / "map.json").unlink(missing_ok=True)
    move_staged_files(folder, names)


def _read_full(folder: Path, header: Mapping[str, Any]) -> dict[str, Any]:
    _check_files(folder, header)
    bank = Bank(folder / "retrieval.h5")
    try:
        names = tuple(bank.attrs["names"])
        descriptors = bank["descriptors"]["values"].reshape(len(names), -1)
        features = Bank(folder / "features.h5")
        for each in (bank, features):
            _check_origin(each, header["fingerprint"])
        config = restore_config(folder, header["config"], header.get("chosen"))
        labels = _read_labels(folder / "landmarks.h5", header["fingerprint"])
        if labels is None and config.semantics.source != "none":
            raise FormatError(f"{folder}/landmarks.h5 with the labels of its points is missing")
        return {
            "model": read_model(folder / "sfm"),
            "features": StoredFeatures(features),
            "global_names": names,
            "global_descriptors": np.asarray(descriptors, np.float32),
            "retrieval_state": _read_state(bank),
            "config": config,
            "fingerprint": header["fingerprint"],
            "weights": header["weights"],
            "report": read_json(folder / "report.json"),
            "landmark_labels": labels,
            "landmark_descriptors": open_landmark_descriptors(
                folder, header.get("landmark_descriptors")
            ),
            "georeference": read_georeference(folder),
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{folder} is not a complete map: {error!r}") from None
    finally:
        bank.close()


def _photos(fields: Mapping[str, Any]) -> FolderSource | None:
    """Folder that the map was built from, if it is still there."""
    recorded, model = fields["report"].get("images_folder"), fields["model"]
    if not isinstance(recorded, str) or not Path(recorded).is_dir():
        return None
    names = tuple(image.name for image in model.images)
    return FolderSource(Path(recorded), names, fields["config"].images)


def _write_files(folder: Path, sfm_map: MapData) -> None:
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
    write_bank(folder / "landmarks.h5", points, origin)
    descriptors_file = write_landmark_descriptors(folder, landmark_descriptors_of(sfm_map))
    write_json_atomic(folder / "report.json", dict(sfm_map.report))
    header = {
        "schema": MAP_SCHEMA,
        "fingerprint": sfm_map.fingerprint,
        "config": sfm_map.config.model_dump(),
        "chosen": query_settings(sfm_map.config),
        "weights": dict(sfm_map.weights),
        "images": len(images),
        "points": sfm_map.model.num_points,
        "landmark_descriptors": descriptors_file,
        "files": {name: file_sha256(folder / name) for name in FILES_WITHOUT_CHECKSUMS},
    }
    header["checksum"] = fingerprint(header)
    write_json_atomic(folder / "map.json", header)


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


def _read_state(bank: Bank) -> dict[str, np.ndarray]:
    shapes = bank.attrs["state_shapes"]
    return {name: bank[f"state/{name}"]["values"].reshape(shape) for name, shape in shapes.items()}


def _read_labels(path: Path, map_fingerprint: str) -> LandmarkLabels | None:
    if not path.is_file():  # maps of versions without labels
        return None
    bank = Bank(path)
    try:
        _check_origin(bank, map_fingerprint)
        if "points" not in bank:
            return None
        arrays = bank["points"]
        return LandmarkLabels(arrays["labels"], arrays["shares"])
    finally:
        bank.close()


def _check_origin(bank: Bank, map_fingerprint: str) -> None:
    """Refuse a file of another map (older maps do not record which one)."""
    found = bank.attrs.get("fingerprint", map_fingerprint)
    if found != map_fingerprint:
        raise DamagedMapError(
            f"{bank.path} belongs to another map: its fingerprint is {found}, map.json has "
            f"{map_fingerprint}: {REMEDY}"
        )


def _check_files(folder: Path, header: Mapping[str, Any]) -> None:
    """Compare files without checksums of their own with those recorded in map.json.

    Raises:
        DamagedMapError: a file is missing, or has changed since the map was finished.
    """
    plain = {key: value for key, value in header.items() if key != "checksum"}
    recorded = header.get("files")
    if not isinstance(recorded, dict) or header.get("checksum") != fingerprint(plain):
        raise DamagedMapError(f"{folder}/map.json is damaged or was changed: {REMEDY}")
    for name in FILES_WITHOUT_CHECKSUMS:
        if file_sha256(folder / name) != recorded.get(name):
            raise DamagedMapError(f"{folder}/{name} is damaged or was changed: {REMEDY}")
