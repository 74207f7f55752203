"""A map of a real COLMAP database beside one of our own RootSIFT, on photos of a door.

Needs the folder of cases in HLOC_LITE_CASES, with ``lund``.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hloc_lite import Localizer, Map, build_map
from hloc_lite.config import load_config
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc_lists import read_poses, read_queries
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.geometry.similarity import fit_similarity
from hloc_lite.mapping.from_colmap import build_map_from_colmap
from hloc_lite.mapping.run import MapInputs
from tests.exact_scene import NoWeights
from tests.mapping.colmap_databases import run_colmap
from tests.robustness.stand_ins import register

CASE = Path(os.environ.get("HLOC_LITE_CASES", "no-cases")) / "lund"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CASE.is_dir(), reason="HLOC_LITE_CASES is not set"),
]
SIDE_PX = 800


def errors(sfm_map: Map, unit: float) -> list[tuple[float, float]]:
    """Distance from the true place in percent of the spread, and angle in degrees, per query."""
    localizer, true = Localizer(sfm_map, weights=NoWeights()), read_poses(CASE / "gt.txt")
    found = []
    for name, camera in read_queries(CASE / "queries.txt").items():
        result = localizer.localize(CASE / "images" / name, camera)
        assert result.pose is not None, result.reason
        distance, angle = pose_errors(result.pose.cam_from_world, true[name])
        found.append((100 * distance / unit, angle))
    return found


def test_poses_are_as_good_as_with_own_features(tmp_path: Path) -> None:
    model = read_model(CASE / "model")
    names = [image.name for image in model.images]
    unit = float((CASE / "unit.txt").read_text().split()[0])
    database = tmp_path / "database.db"
    run_colmap(database, CASE / "images", names, max_side_px=SIDE_PX, max_features=2048)
    config = load_config(
        overrides={
            "images": {"exif_rotation": False},
            "features": {"name": "rootsift", "max_side_px": SIDE_PX, "max_keypoints": 2048},
            "retrieval": {"name": "thumbnail"},
        }
    )
    inputs = MapInputs(reference=model)
    with register():
        given = build_map_from_colmap(
            database, CASE / "images", config, inputs=inputs, weights=NoWeights()
        )
        scratch = build_map_from_colmap(database, CASE / "images", config, weights=NoWeights())
        named = MapInputs(reference=model, names=names)
        own = build_map(CASE / "images", config, inputs=named, weights=NoWeights())
        of_given, of_own = errors(given, unit), errors(own, unit)
    print("database:", of_given, "own:", of_own)
    for distance, angle in of_given:
        assert distance < 0.5 and angle < 0.05
    assert np.median(of_given, axis=0)[0] < 2 * np.median(of_own, axis=0)[0] + 0.05
    # from scratch: the same cameras up to a similarity
    assert [image.name for image in scratch.model.images] == names
    centers = [
        np.array([image.cam_from_world.center for image in each.images])
        for each in (scratch.model, model)
    ]
    similarity = fit_similarity(*centers)
    assert similarity is not None
    apart = np.linalg.norm(similarity.apply(centers[0]) - centers[1], axis=1)
    print("from scratch, largest:", 100 * apart.max() / unit)
    assert apart.max() < 0.02 * unit
