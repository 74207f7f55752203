"""COLMAP databases with features, matches and two-view geometries of scenes of known poses."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path

import numpy as np
import pycolmap

from hloc_lite.formats.colmap.database_values import DatabaseTwoView
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.types import Int32
from tests.compat.hloc_files import View
from tests.exact_scene import ExactScene

ALIKED_N32 = 2
"""COLMAP's number of a type with descriptors in single precision, as those of the scene."""


def true_matches(views: Mapping[str, View]) -> dict[tuple[str, str], Int32]:
    """(K, 2) keypoints of the same point of each pair of images."""
    found = {}
    for first, second in combinations(views, 2):
        _, rows0, rows1 = np.intersect1d(
            views[first].points, views[second].points, return_indices=True
        )
        found[first, second] = np.stack([rows0, rows1], axis=1).astype(np.int32)
    return found


def write_scene_database(
    path: Path,
    scene: ExactScene,
    views: Mapping[str, View],
    kind: str = "CALIBRATED",
    feature_type: int = ALIKED_N32,
) -> None:
    """Database of exact features whose pairs are verified as ``kind``; empty for matches alone."""
    images = number_images(dict.fromkeys(views, scene.camera))
    matches = true_matches(views)
    write_database(
        path,
        images,
        {name: view.xy.astype(np.float32) for name, view in views.items()},
        matches=matches.items(),
        two_views=[
            (pair, DatabaseTwoView(inliers=indices, kind=kind))
            for pair, indices in matches.items()
            if kind
        ],
    )
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE descriptors (image_id INTEGER PRIMARY KEY, type INTEGER, rows INTEGER, "
            "cols INTEGER, data BLOB)"
        )
        for name, view in views.items():
            data = scene.descriptors[view.points].astype("<f4")
            row = images.image_ids[name], feature_type, len(data), 4 * data.shape[1]
            connection.execute(
                "INSERT INTO descriptors VALUES (?, ?, ?, ?, ?)", (*row, data.tobytes())
            )
        connection.commit()


def change(path: Path, statement: str) -> Path:
    """Run one statement on a database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()
    return path


def run_colmap(
    path: Path,
    images: Path,
    names: Sequence[str],
    *,
    normalization: str = "L1_ROOT",
    max_side_px: int = 3200,
    max_features: int = 8192,
) -> None:
    """Extract SIFT with pycolmap, and match all pairs."""
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.use_gpu, extraction.num_threads = False, 1
    extraction.max_image_size = max_side_px
    extraction.sift.max_num_features = max_features
    extraction.sift.normalization = getattr(pycolmap.Normalization, normalization)
    pycolmap.extract_features(
        path, images, image_names=list(names), camera_mode=pycolmap.CameraMode.SINGLE,
        extraction_options=extraction,
    )  # fmt: skip
    matching = pycolmap.FeatureMatchingOptions()
    matching.use_gpu, matching.num_threads = False, 1
    pycolmap.match_exhaustive(path, matching_options=matching)
