"""The map: one folder with a COLMAP model, the images' features, the retrieval index, its origin.

MAP/map.json       schema, config, fingerprint, weights; written last, so it marks a whole map
MAP/sfm/           COLMAP model (.bin), readable by COLMAP
MAP/features.h5    keypoints (float32), descriptors (float16), scores of each registered image
MAP/retrieval.h5   global descriptors and what was learned for them (a vocabulary)
MAP/landmarks.h5   semantic labels of the points, where a segmenter was configured
MAP/landmark_descriptors.npy   the mean descriptor of each point (float16), read by the first query
MAP/report.json    what became of each image, and why
MAP/georeference.json  where on Earth it lies, if that was ever said (mapping/georeference.py)

What ``compress`` makes of it is another folder, see ``mapping.compact``; both are opened here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import Config, fingerprint
from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.io.bank import Bank, write_bank
from hloc_lite.io.files import file_sha256, read_json, write_json_atomic
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.folder import (
    FILES,
    FILES_WITHOUT_CHECKSUMS,
    MAP_SCHEMA,
    REMEDY,
    STAGED,
    check_ours,
    delete_staged,
)
from hloc_lite.mapping.georeference import (
    Georeference,
    delete_stale_georeference,
    read_georeference,
)
from hloc_lite.mapping.landmark_descriptors import LandmarkDescriptors, descriptors_of
from hloc_lite.mapping.map_config import chosen_for_queries, config_of_map
from hloc_lite.mapping.stages import features_from_arrays
from hloc_lite.mapping.stored_descriptors import stored_descriptors, write_descriptors
from hloc_lite.types import Float32, LocalFeatures, SfmModel

logger = logging.getLogger(__name__)

COMPACT_SCHEMA = "hloc_lite.compact/1"
"""Of the maps that ``compress`` makes."""
_FEATURE_FIELDS = ("keypoints", "descriptors", "scores", "image_size")


@dataclass(frozen=True, eq=False)
class Map:
    """A place that can be localized in."""

    model: SfmModel
    features: Mapping[str, LocalFeatures]
    """Of each registered image; may be read from disk when asked for."""
    global_names: tuple[str, ...]
    """Registered images in the order of ``global_descriptors``."""
    global_descriptors: Float32
    """(M, D) unit rows."""
    retrieval_state: Mapping[str, np.ndarray]
    """What the global descriptor learned from the map's images."""
    config: Config
    """What it was made with; of what only queries read, today's defaults and what the map's maker
    had chosen otherwise (``map_config``)."""
    fingerprint: str
    weights: Mapping[str, str]
    """Name -> sha256 of the networks the map was made with."""
    report: Mapping[str, Any] = field(default_factory=dict)
    landmark_labels: LandmarkLabels | None = None
    """None: no segmenter was configured when the map was built."""
    landmark_descriptors: LandmarkDescriptors | None = None
    """Of each landmark; None: they are not kept, ``descriptors_of`` makes them of the images'. The
    images of a compact map offer no features but these."""
    georeference: Georeference | None = None
    """Where on Earth it lies; None: nobody said."""

    def __post_init__(self) -> None:
        missing = [i.name for i in self.model.images if i.name not in self.features]
        if missing:
            raise FormatError(f"the map has no features of {len(missing)} images: {missing[:3]}")
        labels, points = self.landmark_labels, (self.model.num_points,)
        if labels is not None and not labels.labels.shape == labels.shares.shape == points:
            raise FormatError(
                f"the map has {points[0]} points, but labels of shape {labels.labels.shape} and "
                f"shares of shape {labels.shares.shape} for them"
            )
        described = self.landmark_descriptors
        if described is not None and described.num_landmarks != points[0]:
            raise FormatError(
                f"the map has {points[0]} points, but descriptors of {described.num_landmarks}"
            )
        for image in self.model.images[:1]:
            expected, got = len(image.point3D_idxs), len(self.features[image.name])
            if expected != got:
                raise FormatError(
                    f"{image.name!r} has {expected} keypoints in the model, {got} in the features"
                )

    @classmethod
    def open(cls, path: Path | str) -> Map:
        """The map in a folder, full or compact; features stay on disk until they are asked for.

        Raises:
            FormatError: no map there, an unfinished one, another schema, or a broken file.
        """
        folder = Path(path)
        if not folder.is_dir():
            what = "is a file, expected a folder" if folder.exists() else "does not exist"
            raise FormatError(f"map {folder} {what}")
        if not (folder / "map.json").is_file():
            begun = (folder / "work").is_dir()
            raise FormatError(
                f"{folder} holds no finished map"
                + ("; run the same `hloc-lite map` again, it resumes" if begun else "")
            )
        try:
            return cls._open_whole(folder)
        except FormatError as error:
            if any(
                remedy in str(error)
                for remedy in (REMEDY, "hloc-lite compress", "hloc-lite georef")
            ):
                raise
            raise FormatError(f"{error}: {REMEDY}") from None

    @classmethod
    def _open_whole(cls, folder: Path) -> Map:
        header = read_json(folder / "map.json")
        if isinstance(header, dict) and header.get("schema") == COMPACT_SCHEMA:
            from hloc_lite.mapping.compact import open_compact  # which makes a Map

            return open_compact(folder)
        if not isinstance(header, dict) or header.get("schema") != MAP_SCHEMA:
            found = header.get("schema") if isinstance(header, dict) else header
            raise FormatError(f"{folder}/map.json: expected schema {MAP_SCHEMA}, got {found!r}")
        _check_files(folder, header)
        bank = Bank(folder / "retrieval.h5")
        try:
            names = tuple(bank.attrs["names"])
            descriptors = bank["descriptors"]["values"].reshape(len(names), -1)
            features = Bank(folder / "features.h5")
            for each in (bank, features):
                _check_origin(each, header["fingerprint"])
            config, unknown = config_of_map(folder, header["config"], header.get("chosen"))
            if unknown:
                left = ", ".join(unknown)
                logger.warning("%s was made by another version; not used: %s", folder, left)
            labels = _read_labels(folder / "landmarks.h5", header["fingerprint"])
            if labels is None and config.semantics.source != "none":
                raise FormatError(f"{folder}/landmarks.h5, the labels of its points, is missing")
            return cls(
                model=read_model(folder / "sfm"),
                features=StoredFeatures(features),
                global_names=names,
                global_descriptors=np.asarray(descriptors, np.float32),
                retrieval_state=_read_state(bank),
                config=config,
                fingerprint=header["fingerprint"],
                weights=header["weights"],
                report=read_json(folder / "report.json"),
                landmark_labels=labels,
                landmark_descriptors=stored_descriptors(folder, header.get("landmark_descriptors")),
                georeference=read_georeference(folder),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{folder} is not a whole map: {error!r}") from None
        finally:
            bank.close()

    def save(self, path: Path | str) -> None:
        """Write the map into a folder; map.json comes last and marks it whole.

        A map that is there stays until all of the new one is written beside it.

        Raises:
            HlocLiteError: the folder cannot be written, or holds other files than a map.
        """
        folder = Path(path)
        check_ours(folder)
        staged = folder / STAGED
        try:
            delete_staged(folder)  # of a run that was killed while writing
            self._write(staged)
            (folder / "map.json").unlink(missing_ok=True)
            (folder / "sfm").mkdir(exist_ok=True)
            for name in FILES:
                (staged / name).replace(folder / name)
            delete_stale_georeference(folder)
        except OSError as error:
            raise HlocLiteError(f"cannot write {folder}: {error}") from error
        finally:
            with suppress(OSError):
                delete_staged(folder)

    def _write(self, folder: Path) -> None:
        write_model(folder / "sfm", self.model)
        features = ((image.name, self._feature_arrays(image.name)) for image in self.model.images)
        origin = {"fingerprint": self.fingerprint}
        write_bank(folder / "features.h5", features, origin)
        attrs = {**origin, **self._retrieval_attrs()}
        write_bank(folder / "retrieval.h5", self._retrieval_items(), attrs)
        labels = self.landmark_labels
        points: list[tuple[str, dict[str, np.ndarray]]] = []
        if labels is not None:
            points = [("points", {"labels": labels.labels, "shares": labels.shares})]
        write_bank(folder / "landmarks.h5", points, origin)
        described = write_descriptors(folder, descriptors_of(self))
        write_json_atomic(folder / "report.json", dict(self.report))
        header = {
            "schema": MAP_SCHEMA,
            "fingerprint": self.fingerprint,
            "config": self.config.model_dump(),
            "chosen": chosen_for_queries(self.config),
            "weights": dict(self.weights),
            "images": len(self.model.images),
            "points": self.model.num_points,
            "landmark_descriptors": described,
            "files": {name: file_sha256(folder / name) for name in FILES_WITHOUT_CHECKSUMS},
        }
        header["checksum"] = fingerprint(header)
        write_json_atomic(folder / "map.json", header)

    def _feature_arrays(self, name: str) -> dict[str, np.ndarray]:
        features = self.features[name]
        return {
            "keypoints": features.keypoints,
            "descriptors": features.descriptors.astype(np.float16),
            "scores": features.scores,
            "image_size": np.array(features.image_size, np.int32),
        }

    def _retrieval_items(self) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        yield "descriptors", {"values": np.asarray(self.global_descriptors, np.float32).ravel()}
        for name, array in sorted(self.retrieval_state.items()):
            yield f"state/{name}", {"values": np.asarray(array, np.float32).ravel()}

    def _retrieval_attrs(self) -> dict[str, Any]:
        shapes = {name: list(np.shape(array)) for name, array in self.retrieval_state.items()}
        return {"names": list(self.global_names), "state_shapes": shapes}


class StoredFeatures(Mapping[str, LocalFeatures]):
    """Features read from disk one image at a time."""

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


def in_memory(opened: Map) -> Map:
    """The map with all its features loaded, independent of its folder."""
    features = {image.name: opened.features[image.name] for image in opened.model.images}
    found = opened.landmark_descriptors
    if found is not None:
        found = LandmarkDescriptors(np.array(found.values[:]), found.offsets)
    return Map(**{**vars(opened), "features": features, "landmark_descriptors": found})


def _read_state(bank: Bank) -> dict[str, np.ndarray]:
    shapes = bank.attrs["state_shapes"]
    return {name: bank[f"state/{name}"]["values"].reshape(shape) for name, shape in shapes.items()}


def _read_labels(path: Path, made_from: str) -> LandmarkLabels | None:
    if not path.is_file():  # maps of before there were labels
        return None
    bank = Bank(path)
    try:
        _check_origin(bank, made_from)
        if "points" not in bank:
            return None
        arrays = bank["points"]
        return LandmarkLabels(arrays["labels"], arrays["shares"])
    finally:
        bank.close()


def _check_origin(bank: Bank, made_from: str) -> None:
    """Refuse a file of another map (older maps do not say whose they are)."""
    found = bank.attrs.get("fingerprint", made_from)
    if found != made_from:
        raise FormatError(
            f"{bank.path} belongs to another map: fingerprint {found} there, {made_from} in "
            f"map.json: {REMEDY}"
        )


def _check_files(folder: Path, header: Mapping[str, Any]) -> None:
    """Compare what has no checksums of its own with those in map.json.

    Raises:
        FormatError: a file is missing, or not the one that the map was finished with.
    """
    plain = {key: value for key, value in header.items() if key != "checksum"}
    recorded = header.get("files")
    if not isinstance(recorded, dict) or header.get("checksum") != fingerprint(plain):
        raise FormatError(f"{folder}/map.json is damaged or was changed: {REMEDY}")
    for name in FILES_WITHOUT_CHECKSUMS:
        if file_sha256(folder / name) != recorded.get(name):
            raise FormatError(f"{folder}/{name} is damaged or was changed: {REMEDY}")


class BusyMapError(HlocLiteError):
    """Another process is building the map."""
