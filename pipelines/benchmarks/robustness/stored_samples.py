"""Small valid files of formats other than posed images: features, matches, lists, cues, results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hloc_lite.config import DepthConfig
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.rig_config import read_rig_config
from hloc_lite.formats.depth_images import read_depth, write_colmap_depth
from hloc_lite.formats.four_seasons import (
    Relocalization,
    read_relocalizations,
    write_relocalizations,
)
from hloc_lite.formats.gps import read_positions
from hloc_lite.formats.hloc.global_descriptors import read_global_descriptors
from hloc_lite.formats.hloc.logs import read_log
from hloc_lite.formats.hloc.retrieval import read_retrieval, write_retrieval
from hloc_lite.formats.hloc_lists import read_image_list, read_pairs
from hloc_lite.formats.kapture import (
    ScoredPair,
    read_depth_map,
    read_pairs_file,
    write_depth_map,
    write_pairs_file,
)
from hloc_lite.formats.label_images import read_label_map, read_label_table
from hloc_lite.formats.pseudo_truth import (
    read_pseudo_truth_estimates,
    write_pseudo_truth_estimates,
)
from hloc_lite.formats.stray_depth import read_stray_depth
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.reader import read_submission
from hloc_lite.formats.submissions.writer import write_submission
from hloc_lite.formats.video import extract_frames
from hloc_lite.types import DepthMap, Rigid3
from pipelines.benchmarks.robustness.feature_samples import (
    read_database_sample,
    read_features_sample,
    read_kapture_sample,
    read_matches_sample,
    write_database_sample,
    write_descriptors_sample,
    write_features_sample,
    write_kapture_sample,
    write_log_sample,
    write_matches_sample,
    write_rig_config_sample,
)
from pipelines.benchmarks.robustness.sample_model import (
    NAMES,
    SIZE,
    FormatSample,
    poses_of,
    sample_model,
)

DEPTH_SIZE = (32, 24)
METRIC = DepthConfig(values="metric")
DEPTH_KINDS = (
    ("d.png", "depth", True, True),
    ("d.tiff", "depth", False, False),
    ("d.bin", "depth", False, True),
    ("d.npy", "npy", False, True),
    ("d.npz", "npy", True, True),
)
"""File, group, whether a checksum covers it, and whether its length is stated in it."""


def _random() -> np.random.Generator:
    return np.random.default_rng(9)


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


def _write_depth(path: Path) -> None:
    depths = _random().uniform(1, 8, DEPTH_SIZE[::-1])
    if path.suffix == ".png":
        Image.fromarray((depths * 1000).astype(np.uint16)).save(path)
    elif path.suffix == ".npy":
        np.save(path, depths.astype(np.float32))
    elif path.suffix == ".npz":
        np.savez(path, depth=depths.astype(np.float32))
    elif path.suffix == ".bin":
        write_colmap_depth(path, depths)
    else:
        Image.fromarray(depths.astype(np.float32)).save(path)


def _depth_sample(file: str, group: str, is_checked: bool, counted: bool) -> FormatSample:
    return FormatSample(
        f"depth, {Path(file).suffix[1:]}",
        lambda folder: _write_depth(folder / file),
        lambda folder: read_depth(folder / file, SIZE, METRIC),
        group=group, is_checked=is_checked, counted=(file,) if counted else (),
    )  # fmt: skip


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


def _read_video(folder: Path) -> object:
    found = extract_frames(folder / "v.avi", folder / "frames")
    if found.is_cut_off:
        raise FormatError("the command warns that fewer frames were found than the video states")
    return found


def _lines(file: str, lines: Sequence[str]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / file).write_text("".join(lines), encoding="utf-8")

    return write


def _write_relocalizations(folder: Path) -> None:
    pairs = [Relocalization(str(number), "77", Rigid3.identity()) for number in range(3)]
    write_relocalizations(folder / "r.txt", pairs)


STORED_SAMPLES = (
    FormatSample("COLMAP database, features", write_database_sample, read_database_sample,
        group="models", counted=("*.db",),
    ),
    FormatSample(
        "COLMAP rig_config.json", write_rig_config_sample,
        lambda folder: read_rig_config(folder / "rig_config.json"),
        group="json", counted=("*.json",),
    ),
    FormatSample("hloc features", write_features_sample, read_features_sample,
        group="hdf5", counted=("*.h5",),
    ),
    FormatSample("hloc matches", write_matches_sample, read_matches_sample,
        group="hdf5", counted=("*.h5",),
    ),
    FormatSample(
        "hloc global descriptors", write_descriptors_sample,
        lambda folder: read_global_descriptors(folder / "global.h5"),
        group="hdf5", counted=("*.h5",),
    ),
    FormatSample("hloc log", write_log_sample, lambda folder: read_log(folder / "logs.pkl"),
        group="others", counted=("*.pkl",),
    ),
    FormatSample(
        "retrieval pairs",
        lambda folder: write_retrieval(folder / "p.txt", {"q 1.jpg": ["a.jpg", "b.jpg"]}),
        lambda folder: read_retrieval(folder / "p.txt", ["q 1.jpg", "a.jpg", "b.jpg"]),
        group="others",
    ),
    FormatSample(
        "image list", _lines("l.txt", [f"{name}\n" for name in NAMES * 2]),
        lambda folder: read_image_list(folder / "l.txt"),
        group="others",
    ),
    FormatSample(
        "pair list", _lines("p.txt", [f"{NAMES[0]} {NAMES[1]}\n", f"{NAMES[1]} {NAMES[2]}\n"]),
        lambda folder: read_pairs(folder / "p.txt", NAMES),
        group="others",
    ),
    FormatSample(
        "kapture, files", lambda folder: write_kapture_sample(folder, as_tar=False),
        read_kapture_sample,
        group="models",
    ),
    FormatSample(
        "kapture, tar", lambda folder: write_kapture_sample(folder, as_tar=True),
        read_kapture_sample,
        group="models", counted=("*.tar",),
    ),
    FormatSample(
        "kapture pairs",
        lambda folder: write_pairs_file(folder / "p.txt", [ScoredPair("a.jpg", "b.jpg", 0.5)]),
        lambda folder: read_pairs_file(folder / "p.txt"),
        group="others",
    ),
    FormatSample(
        "kapture depth map",
        lambda folder: write_depth_map(folder / "d.depth", np.ones((24, 32), np.float32)),
        lambda folder: DepthMap(read_depth_map(folder / "d.depth", DEPTH_SIZE), DEPTH_SIZE),
        group="depth", counted=("*.depth",),
    ),
    FormatSample(
        "pseudo truth estimates",
        lambda folder: write_pseudo_truth_estimates(folder / "e.txt", poses_of(sample_model())),
        lambda folder: read_pseudo_truth_estimates(folder / "e.txt"),
        group="others",
    ),
    FormatSample(
        "4Seasons relocalization", _write_relocalizations,
        lambda folder: read_relocalizations(folder / "r.txt"),
        group="others",
    ),
    FormatSample(
        "submission, text", lambda folder: _write_submission(folder, "aachen", "s.txt"),
        lambda folder: read_submission(folder / "s.txt", submission_form("aachen")),
        group="others",
    ),
    FormatSample(
        "submission, RIO10", lambda folder: _write_submission(folder, "rio10", "s.txt"),
        lambda folder: read_submission(folder / "s.txt", submission_form("rio10")),
        group="others",
    ),
    FormatSample(
        "submission, zip", lambda folder: _write_submission(folder, "mapfree", "s.zip"),
        lambda folder: read_submission(folder / "s.zip", submission_form("mapfree")),
        group="others", is_checked=True,
    ),
    FormatSample(
        "GPS table",
        _lines("g.csv", ["name,latitude,longitude,height\n", "a.jpg,48.2,16.3,180\n",
                         '"b, c.jpg",48.3,16.4,181.5\n']),
        lambda folder: read_positions(folder / "g.csv"),
        group="others",
    ),
    *(_depth_sample(*each) for each in DEPTH_KINDS),
    FormatSample(
        "Stray Scanner depth", _write_stray_depths,
        lambda folder: read_stray_depth(folder, 0, SIZE),
        group="depth",
    ),
    FormatSample(
        "label images", _write_labels,
        lambda folder: (
            read_label_map(folder / "l.png", SIZE), read_label_table(folder / "table.toml")
        ),
        group="depth",
    ),
    FormatSample(
        "video", _write_video,
        _read_video,
        group="others",
    ),
)  # fmt: skip
"""Samples of formats that hold no posed images."""
