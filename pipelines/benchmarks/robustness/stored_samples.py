"""Small valid files of formats other than posed images: features, matches, lists, cues, results."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hloc_lite.config import DepthConfig
from hloc_lite.formats.colmap.database import ColmapDatabase
from hloc_lite.formats.colmap.database_values import DatabaseTwoView
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.formats.colmap.rig_config import (
    ConfigCamera,
    read_rig_config,
    write_rig_config,
)
from hloc_lite.formats.depth_images import read_depth, write_colmap_depth
from hloc_lite.formats.four_seasons import (
    Relocalization,
    read_relocalizations,
    write_relocalizations,
)
from hloc_lite.formats.gps import read_positions
from hloc_lite.formats.hloc.features import FeaturesFile, StoredFeatures, write_features
from hloc_lite.formats.hloc.global_descriptors import (
    read_global_descriptors,
    write_global_descriptors,
)
from hloc_lite.formats.hloc.logs import read_log
from hloc_lite.formats.hloc.matches import DensePair, MatchesFile
from hloc_lite.formats.hloc.matches_writing import write_matches
from hloc_lite.formats.hloc.retrieval import read_retrieval, write_retrieval
from hloc_lite.formats.hloc_lists import read_image_list, read_pairs
from hloc_lite.formats.kapture import (
    FeatureHeader,
    ScoredPair,
    gnss_positions,
    open_features,
    open_matches,
    posed_images,
    read_depth_map,
    read_kapture,
    read_pairs_file,
    write_depth_map,
    write_kapture,
    write_pairs_file,
)
from hloc_lite.formats.kapture import write_features as write_kapture_features
from hloc_lite.formats.kapture.posed import with_points
from hloc_lite.formats.label_images import read_label_map, read_label_table
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.formats.pseudo_truth import (
    read_pseudo_truth_estimates,
    write_pseudo_truth_estimates,
)
from hloc_lite.formats.stray_depth import read_stray_depth
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.reader import read_submission
from hloc_lite.formats.submissions.writer import write_submission
from hloc_lite.formats.video import extract_frames
from hloc_lite.types import Matches, Rigid3
from pipelines.benchmarks.robustness.posed_samples import (
    NAMES,
    SHARED,
    SIZE,
    FormatSample,
    poses_of,
    sample_model,
)

DEPTH_SIZE = (32, 24)
COUNT = 20
NUM_FEATURES = 12
METRIC = DepthConfig(values="metric")


def _random() -> np.random.Generator:
    return np.random.default_rng(9)


def _keypoints() -> np.ndarray:
    return _random().uniform(0, 400, (COUNT, 2)).astype(np.float32)


def _matches() -> Matches:
    rows = np.arange(10, dtype=np.int32)
    return Matches(np.column_stack([rows, rows[::-1]]), np.full(10, 0.5, np.float32))


def _write_database(folder: Path) -> None:
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


def _read_database(folder: Path) -> object:
    database = ColmapDatabase(folder / "database.db")
    names = list(database.images.cameras)
    found = [
        (pair, database.matches(*pair), database.two_view(*pair))
        for pair in [*database.matched_pairs(), *database.verified_pairs()]
    ]
    keypoints = [(database.keypoints(name), database.descriptors(name)) for name in names]
    further = database.position_priors(), database.frames(), database.rigs()
    return database.images, found, keypoints, *further


def _write_rig_config(folder: Path) -> None:
    right_from_left = Rigid3(np.eye(3), np.array([-0.4, 0.0, 0.0]))
    left = ConfigCamera(image_prefix="left/", is_reference=True, cam_from_rig=None)
    right = ConfigCamera(
        image_prefix="right/", cam_from_rig=right_from_left, model="PINHOLE",
        params=np.array([500.0, 510.0, 320.0, 240.0]),
    )  # fmt: skip
    write_rig_config(folder / "rig_config.json", [(left, right)])


def _write_features(folder: Path) -> None:
    descriptors = _random().normal(size=(COUNT, 16)).astype(np.float32)
    scores = np.linspace(0, 1, COUNT, dtype=np.float32)
    stored = StoredFeatures(
        keypoints=_keypoints(), descriptors=descriptors, scores=scores, image_size=SIZE
    )
    write_features(folder / "features.h5", [(name, stored) for name in NAMES])


def _read_features(folder: Path) -> object:
    with FeaturesFile(folder / "features.h5") as file:
        return {name: file[name] for name in file}


def _write_matches(folder: Path) -> None:
    dense = DensePair(_keypoints(), _keypoints(), np.full(COUNT, 0.5, np.float32))
    pairs: list[tuple[tuple[str, str], Matches | DensePair]] = [
        ((NAMES[0], NAMES[1]), _matches()), ((NAMES[0], NAMES[2]), dense),
    ]  # fmt: skip
    write_matches(folder / "matches.h5", pairs, dict.fromkeys(NAMES, COUNT))


def _read_matches(folder: Path) -> object:
    found = []
    file = MatchesFile(folder / "matches.h5", NAMES)
    for pair in file.pairs():
        found.append((pair, file.read(*pair), file.read_dense(*pair)))
    file.close()
    return found


def _write_descriptors(folder: Path) -> None:
    rows = _random().normal(size=(len(NAMES), 16)).astype(np.float32)
    write_global_descriptors(folder / "global.h5", NAMES, rows)


def _write_log(folder: Path) -> None:
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


def _write_kapture(folder: Path, as_tar: bool) -> None:
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


def _read_kapture(folder: Path) -> object:
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


def _write_submission(folder: Path, data_set: str, file: str) -> None:
    names = {
        "aachen": [f"query/day/nexus4/{name}.jpg" for name in ("1", "2", "3")],
        "rio10": [f"seq01_03/frame-{number:06d}.color.jpg" for number in range(3)],
        "mapfree": [f"s00460/seq1/frame_{number:05d}.jpg" for number in (0, 5, 10)],
    }[data_set]
    poses = dict(zip(names, poses_of(sample_model()).values(), strict=True))
    form = submission_form(data_set)
    confidences = dict.fromkeys(names, 0.5) if form.has_confidence else None
    write_submission(poses, form, folder / file, confidences=confidences)


def _write_depths(folder: Path) -> None:
    depths = _random().uniform(1, 8, DEPTH_SIZE[::-1])
    Image.fromarray((depths * 1000).astype(np.uint16)).save(folder / "d.png")
    np.save(folder / "d.npy", depths.astype(np.float32))
    write_colmap_depth(folder / "d.bin", depths)
    Image.fromarray(depths.astype(np.float32)).save(folder / "d.tiff")


def _write_stray_depths(folder: Path) -> None:
    for kind, values in (("depth", np.full((24, 32), 1500, np.uint16)),
                         ("confidence", np.full((24, 32), 2, np.uint8))):  # fmt: skip
        (folder / kind).mkdir()
        Image.fromarray(values).save(folder / kind / "000000.png")


def _write_labels(folder: Path) -> None:
    labels = _random().integers(0, 19, DEPTH_SIZE[::-1]).astype(np.uint8)
    Image.fromarray(labels).save(folder / "l.png")
    (folder / "table.toml").write_text("[ids]\n0 = 0\n7 = 0\n11 = 2\n255 = 255\n")


def _write_video(folder: Path) -> None:
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(folder / "v.avi"), codec, 10.0, DEPTH_SIZE)
    for number in range(12):
        writer.write(np.full((*DEPTH_SIZE[::-1], 3), 20 * number, np.uint8))
    writer.release()


def _lines(file: str, lines: Sequence[str]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / file).write_text("".join(lines), encoding="utf-8")

    return write


def _write_relocalizations(folder: Path) -> None:
    pairs = [Relocalization(str(number), "77", Rigid3.identity()) for number in range(3)]
    write_relocalizations(folder / "r.txt", pairs)


STORED_SAMPLES = (
    FormatSample("COLMAP database, features", _write_database, _read_database),
    FormatSample(
        "COLMAP rig_config.json", _write_rig_config,
        lambda folder: read_rig_config(folder / "rig_config.json"),
    ),
    FormatSample("hloc features", _write_features, _read_features),
    FormatSample("hloc matches", _write_matches, _read_matches),
    FormatSample(
        "hloc global descriptors", _write_descriptors,
        lambda folder: read_global_descriptors(folder / "global.h5"),
    ),
    FormatSample("hloc log", _write_log, lambda folder: read_log(folder / "logs.pkl")),
    FormatSample(
        "retrieval pairs",
        lambda folder: write_retrieval(folder / "p.txt", {"q 1.jpg": ["a.jpg", "b.jpg"]}),
        lambda folder: read_retrieval(folder / "p.txt", ["q 1.jpg", "a.jpg", "b.jpg"]),
    ),
    FormatSample(
        "image list", _lines("l.txt", [f"{name}\n" for name in NAMES * 2]),
        lambda folder: read_image_list(folder / "l.txt"),
    ),
    FormatSample(
        "pair list", _lines("p.txt", [f"{NAMES[0]} {NAMES[1]}\n", f"{NAMES[1]} {NAMES[2]}\n"]),
        lambda folder: read_pairs(folder / "p.txt", NAMES),
    ),
    FormatSample("kapture, files", lambda folder: _write_kapture(folder, False), _read_kapture),
    FormatSample("kapture, tar", lambda folder: _write_kapture(folder, True), _read_kapture),
    FormatSample(
        "kapture pairs",
        lambda folder: write_pairs_file(folder / "p.txt", [ScoredPair("a.jpg", "b.jpg", 0.5)]),
        lambda folder: read_pairs_file(folder / "p.txt"),
    ),
    FormatSample(
        "kapture depth map",
        lambda folder: write_depth_map(folder / "d.depth", np.ones((24, 32), np.float32)),
        lambda folder: read_depth_map(folder / "d.depth", DEPTH_SIZE),
    ),
    FormatSample(
        "pseudo truth estimates",
        lambda folder: write_pseudo_truth_estimates(folder / "e.txt", poses_of(sample_model())),
        lambda folder: read_pseudo_truth_estimates(folder / "e.txt"),
    ),
    FormatSample(
        "4Seasons relocalization", _write_relocalizations,
        lambda folder: read_relocalizations(folder / "r.txt"),
    ),
    FormatSample(
        "submission, text", lambda folder: _write_submission(folder, "aachen", "s.txt"),
        lambda folder: read_submission(folder / "s.txt", submission_form("aachen")),
    ),
    FormatSample(
        "submission, RIO10", lambda folder: _write_submission(folder, "rio10", "s.txt"),
        lambda folder: read_submission(folder / "s.txt", submission_form("rio10")),
    ),
    FormatSample(
        "submission, zip", lambda folder: _write_submission(folder, "mapfree", "s.zip"),
        lambda folder: read_submission(folder / "s.zip", submission_form("mapfree")),
    ),
    FormatSample(
        "GPS table",
        _lines("g.csv", ["name,latitude,longitude,height\n", "a.jpg,48.2,16.3,180\n",
                         '"b, c.jpg",48.3,16.4,181.5\n']),
        lambda folder: read_positions(folder / "g.csv"),
    ),
    FormatSample(
        "depth images", _write_depths,
        lambda folder: [
            read_depth(folder / f"d.{suffix}", SIZE, METRIC)
            for suffix in ("png", "npy", "bin", "tiff")
        ],
    ),
    FormatSample(
        "Stray Scanner depth", _write_stray_depths,
        lambda folder: read_stray_depth(folder, 0, SIZE),
    ),
    FormatSample(
        "label images", _write_labels,
        lambda folder: (
            read_label_map(folder / "l.png", SIZE), read_label_table(folder / "table.toml")
        ),
    ),
    FormatSample(
        "video", _write_video,
        lambda folder: extract_frames(folder / "v.avi", folder / "frames"),
    ),
)  # fmt: skip
"""Samples of formats that hold no posed images."""
