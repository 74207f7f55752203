"""Small valid files of features, matches and logs: COLMAP, hloc and kapture."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from hloc_lite.formats.colmap.database import ColmapDatabase
from hloc_lite.formats.colmap.database_values import DatabaseTwoView
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.formats.colmap.rig_config import ConfigCamera, write_rig_config
from hloc_lite.formats.hloc.features import FeaturesFile, StoredFeatures, write_features
from hloc_lite.formats.hloc.global_descriptors import write_global_descriptors
from hloc_lite.formats.hloc.matches import DensePair, MatchesFile
from hloc_lite.formats.hloc.matches_writing import write_matches
from hloc_lite.formats.kapture import (
    FeatureHeader,
    gnss_positions,
    open_features,
    open_matches,
    posed_images,
    read_kapture,
    write_kapture,
)
from hloc_lite.formats.kapture import write_features as write_kapture_features
from hloc_lite.formats.kapture.posed import with_points
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.types import Matches, Rigid3
from pipelines.benchmarks.robustness.sample_model import NAMES, SHARED, SIZE, sample_model

COUNT = 20
NUM_FEATURES = 12


def _random() -> np.random.Generator:
    return np.random.default_rng(9)


def _keypoints() -> np.ndarray:
    return _random().uniform(0, 400, (COUNT, 2)).astype(np.float32)


def _matches() -> Matches:
    rows = np.arange(10, dtype=np.int32)
    return Matches(np.column_stack([rows, rows[::-1]]), np.full(10, 0.5, np.float32))


def write_database_sample(folder: Path) -> None:
    """Write a COLMAP database with features and matches into an empty folder."""
    cameras = {name: SHARED["*"] for name in NAMES}
    pair = (NAMES[0], NAMES[1])
    indices = _matches().indices
    two_view = DatabaseTwoView(
        inliers=indices, kind="CALIBRATED", fundamental=np.eye(3), essential=np.eye(3)
    )
    write_database(
        folder / "database.db", number_images(cameras), dict.fromkeys(NAMES, _keypoints()),
        matches=[(pair, indices)],
        two_views=[(pair, two_view)],
    )  # fmt: skip


def read_database_sample(folder: Path) -> object:
    """Read all that ``write_database_sample`` writes."""
    database = ColmapDatabase(folder / "database.db")
    names = list(database.images.cameras)
    found = [
        (pair, database.matches(*pair), database.two_view(*pair))
        for pair in [*database.matched_pairs(), *database.verified_pairs()]
    ]
    keypoints = [(database.keypoints(name), database.descriptors(name)) for name in names]
    further = database.position_priors(), database.frames(), database.rigs()
    return database.images, found, keypoints, *further


def write_rig_config_sample(folder: Path) -> None:
    """Write COLMAP's rig_config.json with two cameras."""
    right_from_left = Rigid3(np.eye(3), np.array([-0.4, 0.0, 0.0]))
    left = ConfigCamera(image_prefix="left/", is_reference=True, cam_from_rig=None)
    right = ConfigCamera(
        image_prefix="right/", cam_from_rig=right_from_left, model="PINHOLE",
        params=np.array([500.0, 510.0, 320.0, 240.0]),
    )  # fmt: skip
    write_rig_config(folder / "rig_config.json", [(left, right)])


def write_features_sample(folder: Path) -> None:
    """Write a file of hloc's features into an empty folder."""
    descriptors = _random().normal(size=(COUNT, 16)).astype(np.float32)
    scores = np.linspace(0, 1, COUNT, dtype=np.float32)
    stored = StoredFeatures(
        keypoints=_keypoints(), descriptors=descriptors, scores=scores, image_size=SIZE
    )
    write_features(folder / "features.h5", [(name, stored) for name in NAMES])


def read_features_sample(folder: Path) -> object:
    """Read all that ``write_features_sample`` writes."""
    with FeaturesFile(folder / "features.h5") as file:
        return {name: file[name] for name in file}


def write_matches_sample(folder: Path) -> None:
    """Write a file of hloc's matches into an empty folder."""
    dense = DensePair(_keypoints(), _keypoints(), np.full(COUNT, 0.5, np.float32))
    pairs: list[tuple[tuple[str, str], Matches | DensePair]] = [
        ((NAMES[0], NAMES[1]), _matches()), ((NAMES[0], NAMES[2]), dense),
    ]  # fmt: skip
    write_matches(folder / "matches.h5", pairs, dict.fromkeys(NAMES, COUNT))


def read_matches_sample(folder: Path) -> object:
    """Read all that ``write_matches_sample`` writes."""
    found = []
    file = MatchesFile(folder / "matches.h5", NAMES)
    for pair in file.pairs():
        found.append((pair, file.read(*pair), file.read_dense(*pair)))
    file.close()
    return found


def write_descriptors_sample(folder: Path) -> None:
    """Write a file of hloc's global descriptors into an empty folder."""
    rows = _random().normal(size=(len(NAMES), 16)).astype(np.float32)
    write_global_descriptors(folder / "global.h5", NAMES, rows)


def write_log_sample(folder: Path) -> None:
    """Write a log of hloc into an empty folder."""
    answer = {
        "success": True, "qvec": np.array([0.6, 0, 0.8, 0]), "tvec": np.ones(3),
        "num_inliers": 2, "inliers": [True, False, True],
    }  # fmt: skip
    entry = {
        "db": [3, 1], "PnP_ret": answer, "keypoints_query": np.ones((3, 2), np.float32),
        "points3D_xyz": None, "points3D_ids": [np.uint64(7), np.uint64(8), np.uint64(9)],
        "num_matches": np.int64(5),
    }  # fmt: skip
    log = {"features": Path("f.h5"), "matches": "m.h5", "loc": {"q/1.jpg": entry, "q/2.jpg": entry}}
    (folder / "logs.pkl").write_bytes(pickle.dumps(log, 4))


def write_kapture_sample(folder: Path, *, as_tar: bool) -> None:
    """Write a kapture with features, matches and positions into an empty folder."""
    model = sample_model()
    cameras = {image.name: model.cameras[1] for image in model.images}
    posed = PosedImages(model=model, cameras=cameras)
    rows = np.column_stack([np.arange(8.0), np.arange(8.0), np.full(8, 0.5)])
    matches = {(NAMES[0], NAMES[1]): rows}
    write_kapture(folder, posed, matches=matches, as_tar=as_tar)
    header = FeatureHeader("net", "float32", 4, "keypoints", "L2")
    arrays = {name: np.ones((NUM_FEATURES, 4), np.float32) for name in NAMES}
    write_kapture_features(folder, "descriptors", "net", header, arrays, as_tar=as_tar)
    (folder / "sensors" / "sensors.txt").open("a", encoding="utf-8").write(
        "gps, , gnss, EPSG:4326\n"
    )
    (folder / "sensors" / "records_gnss.txt").write_text(
        "# kapture format: 1.1\n0, gps, 16.37, 48.2, 180.5, 0, 1.5\n", encoding="utf-8"
    )


def read_kapture_sample(folder: Path) -> object:
    """Read all that ``write_kapture_sample`` writes."""
    kapture = read_kapture(folder)
    posed = posed_images(kapture)
    found: list[object] = [
        kapture,
        posed,
        with_points(posed.model, folder),
        gnss_positions(kapture),
    ]
    for kind, feature_type in (("keypoints", "keypoints"), ("descriptors", "net")):
        features = open_features(folder, kind, feature_type)  # type: ignore[arg-type]
        found += [(name, features.read(name)) for name in features.names()]
    matches = open_matches(folder, "keypoints")
    return [*found, *((pair, matches.read(*pair)) for pair in matches.pairs())]
