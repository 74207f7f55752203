"""Small valid files of our own formats: stores, results, maps, settings."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import Config, fingerprint, load_config
from hloc_lite.config.pair_spec import parse_pair_spec
from hloc_lite.errors import FormatError
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.io.array_folder import read_array_folder, write_array_folder
from hloc_lite.io.bank import Bank, write_bank
from hloc_lite.io.partial_store import PartialStore
from hloc_lite.io.regular_files import is_file
from hloc_lite.io.results import read_results_jsonl, write_results_jsonl
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.io.staging import HEADER
from hloc_lite.maps.calibration import CalibrationSet, MapCalibration
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.folder import LANDMARK_DESCRIPTORS
from hloc_lite.maps.georeference import FitQuality, Georeference
from hloc_lite.maps.map import Map
from hloc_lite.maps.retrieval_state import read_state, write_state
from hloc_lite.types import (
    Camera,
    LocalFeatures,
    LocalizationResult,
    PoseEstimate,
    RetrievalHits,
    Status,
    Surface,
)
from pipelines.benchmarks.robustness.sample_model import (
    NAMES,
    NUM_POINTS,
    SIZE,
    FormatSample,
    poses_of,
    sample_model,
)

SCHEMA = "sample/1"
DIM = 8
_ITEMS = {name: {"values": np.arange(3 * size, dtype=np.float32).reshape(size, 3)}
          for size, name in enumerate(NAMES, start=1)}  # fmt: skip


def sample_map() -> Map:
    """Map of the sample's photos, with random descriptors."""
    rng = np.random.default_rng(3)

    def rows(count: int) -> np.ndarray:
        values = rng.normal(size=(count, DIM)).astype(np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    model = sample_model()
    features = {
        image.name: LocalFeatures(
            image.keypoints.astype(np.float32), rows(NUM_POINTS),
            np.ones(NUM_POINTS, np.float32), SIZE,
        )
        for image in model.images
        if image.keypoints is not None
    }  # fmt: skip
    return Map(
        model, features, NAMES, rows(len(NAMES)), {"learned": np.ones((2, 3), np.float32)},
        Config(), "0" * 16, {}, {"images": {}, "images_folder": None},
        georeference=_georeference(), calibration=_calibration(),
        surface=Surface(np.eye(3) + 2, np.full((3, 3), 9), radii=np.full(3, 0.1)),
    )  # fmt: skip


def _georeference() -> Georeference:
    quality = FitQuality(
        num_positions=3, num_inliers=3, median_error_m=1.0, rms_error_m=1.0, rms_error_up_m=1.0,
        scale_sigma=0.01, tilt_sigma_deg=1.0, heading_sigma_deg=1.0, up_from="positions",
        heights_m=(0.0, 2.0),
    )  # fmt: skip
    return Georeference(48.2, 16.3, 180.0, Similarity3(1.0, np.eye(3), np.zeros(3)), quality)


def _calibration() -> MapCalibration:
    answers = CalibrationSet(
        np.array([0.9, 0.1]), np.array([False, True]), np.array([0, 1]), np.array([True, True])
    )
    shares = np.linspace(0, 1, NUM_POINTS, dtype=np.float32)
    return MapCalibration(answers, shares, {"shift": 0.1}, ((NAMES[0], NAMES[1], 0.5),), "f")


def _values(items: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
    return {key: dict(items[key]) for key in items}


def _read_bank(folder: Path) -> object:
    with closing(Bank(folder / "b.h5")) as bank:
        partial = PartialStore(bank, ("values",), {NAMES[2]: np.array([True, False, False])})
        return _values(bank), bank.attrs, partial.read(NAMES[2], ["values"])


def _write_store(folder: Path) -> None:
    with closing(ShardedStore(folder / "s", "f", "items")) as store:
        for key, arrays in _ITEMS.items():
            store.add(key, arrays)
        store.flush()


def _read_store(folder: Path) -> object:
    with closing(ShardedStore(folder / "s", "f", "items")) as store:
        if set(store) != set(_ITEMS):
            raise FormatError("a damaged part was set aside with a warning; its items come again")
        return {key: store.read(key, ["values"]) for key in store}


def _results() -> list[LocalizationResult]:
    camera = Camera("PINHOLE", *SIZE, np.array([500.0, 510, 320, 240]))
    return [
        LocalizationResult(
            query_name=name,
            status=Status.LOCALIZED,
            reason="3 inliers of 4",
            pose=PoseEstimate(pose, np.array([True, False, True, True]), 9, np.eye(6), camera),
            correspondences=None,
            features=None,
            hits=RetrievalHits(NAMES, np.array([0.9, 0.8, 0.7])),
            counts={"keypoints": 4},
            timings_ms={"pose": 3.0},
            confidence=0.875,
        )
        for name, pose in poses_of(sample_model()).items()
    ]


def _write_compact(folder: Path) -> None:
    compress_map(sample_map(), folder / "MAP")


def read_map_whole(folder: Path) -> object:
    """All values of a map: its features stay on disk until they are read.

    Raises:
        FormatError: damaged, also where opening only warns and leaves a part out.
    """
    opened = Map.open(folder / "MAP")
    parts = {"calibration.json": opened.calibration, "surface": opened.surface}
    if any(part is None and (folder / "MAP" / name).exists() for name, part in parts.items()):
        raise FormatError(f"{folder}: a part is left out, with a warning")
    features = {name: opened.features[name] for name in opened.features}
    descriptors = opened.landmark_descriptors
    return (
        None if opened.surface is None else list(opened.surface.parts()),
        opened.model, features, opened.global_names, opened.global_descriptors,
        dict(opened.retrieval_state), opened.config, opened.georeference, opened.calibration,
        None if descriptors is None else descriptors.rows_of(np.arange(descriptors.num_landmarks)),
    )  # fmt: skip


def read_resealed_map(folder: Path) -> object:
    """All values of a map whose checksums were made to fit, as a stranger would do."""
    reseal(folder / "MAP")
    return read_map_whole(folder)


def reseal(folder: Path) -> None:
    """Record the checksums that the files of a map have now; nothing if the header is no JSON."""
    try:
        header = json.loads((folder / HEADER).read_bytes())
        _reseal_files(folder, header["files"])
        descriptors = header.get("landmark_descriptors")
        if descriptors is not None:
            _reseal_files(folder, {LANDMARK_DESCRIPTORS: descriptors})
        plain = {key: value for key, value in header.items() if key != "checksum"}
        text = json.dumps({**plain, "checksum": fingerprint(plain)})
        (folder / HEADER).write_text(text, encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


def _reseal_files(folder: Path, files: dict[str, Any]) -> None:
    for name, recorded in files.items():
        if not is_file(folder / name):  # a pipe would be waited for
            continue
        data = (folder / name).read_bytes()
        if isinstance(recorded, dict):
            recorded.update(bytes=len(data), crc32=f"{zlib.crc32(data):08x}")
        else:
            files[name] = hashlib.sha256(data).hexdigest()


def _write_config(folder: Path) -> None:
    text = (
        '[pose]\nmax_error_px = 8\n[features]\nname = "rootsift"\n[pairs]\nspec = "retrieval:5"\n'
    )
    (folder / "config.toml").write_text(text, encoding="utf-8")


def _read_config(folder: Path) -> object:
    config = load_config(file=folder / "config.toml")
    return config.model_dump(), parse_pair_spec(config.pairs, 100, 0)


OWN_SAMPLES = (
    FormatSample(
        "bank", lambda folder: write_bank(folder / "b.h5", _ITEMS.items(), {"a": [1]}),
        _read_bank, group="hdf5", is_checked=True,
    ),
    FormatSample("store of a run", _write_store, _read_store, group="hdf5", is_checked=True),
    FormatSample(
        "array folder",
        lambda folder: write_array_folder(
            folder / "a", SCHEMA, {"x/y": np.arange(12).reshape(3, 4)}, {"b": 1},
            overwrite=False,
        ),
        lambda folder: read_array_folder(folder / "a", SCHEMA), group="npy", is_checked=True,
    ),
    FormatSample(
        "results", lambda folder: write_results_jsonl(folder / "r.jsonl", _results()),
        lambda folder: read_results_jsonl(folder / "r.jsonl"), group="json",
    ),
    FormatSample(
        "vocabulary", lambda folder: write_state(folder / "v.h5", {"words": np.ones((2, 3))}),
        lambda folder: read_state(folder / "v.h5"), group="hdf5", is_checked=True,
    ),
    FormatSample(
        "map", lambda folder: sample_map().save(folder / "MAP"), read_map_whole,
        group="maps", is_checked=True,
    ),
    FormatSample("compact map", _write_compact, read_map_whole, group="maps", is_checked=True),
    FormatSample(
        "map, resealed", lambda folder: sample_map().save(folder / "MAP"), read_resealed_map,
        group="maps",
    ),
    FormatSample("compact map, resealed", _write_compact, read_resealed_map, group="maps"),
    FormatSample("config", _write_config, _read_config, group="others"),
)  # fmt: skip
"""Samples of files that hloc_lite itself writes."""
