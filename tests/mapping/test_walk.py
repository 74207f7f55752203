"""The walk of ``build_map``: the files of ``hloc_lite/mapping`` that it enters, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from tests.exact_scene import MAP_NAMES, NoWeights
from tests.walk import files_of, record_walk, repeated

HUB = "build.py"
"""Calls all steps; the only file that a run may come back to."""
LOOP = {"two_pass_matching.py", "pair_matching.py"}
"""Matching and verification take turns, once for each pass."""
LEFT = {"feature_extraction.py"}
"""Keypoints are read when those in burned-in marks are left out."""
FINISH = {"run.py", "assembly.py", "report.py", "labels.py", "assessment.py"}
"""They take turns for each model; ``run.py`` opens the stores."""
ATTEMPTS = {
    "cameras.py", "model_choice.py", "other_features.py", "pair_agreement.py", "reconstruction.py",
    "repair.py", "run.py", "scratch.py",
}  # fmt: skip
"""They take turns in a map from scratch, once for each candidate."""
JUDGES = {
    "camera_uncertainty.py", "gps_check.py", "pure_rotation.py", "reprojection_derivatives.py",
    "unmatched_overlap.py", "weak_links.py",
}  # fmt: skip
"""``assessment.py`` asks each of them in turn."""
MAX_FILES = {True: 16, False: 27}
"""With and without a reference: structure from motion tries, repairs and judges its models."""


@pytest.mark.parametrize("with_reference", [False, True])
def test_a_run_enters_each_file_once(exact_scene, tmp_path: Path, with_reference: bool) -> None:
    scene, config = exact_scene
    scene.write_images(tmp_path / "images", MAP_NAMES)
    inputs = MapInputs(reference=scene.reference(MAP_NAMES)) if with_reference else None
    options = {"inputs": inputs, "output": tmp_path / "map", "weights": NoWeights()}
    walk = record_walk(lambda: build_map(tmp_path / "images", config, **options))
    assert len(Map.open(tmp_path / "map").model.images) == len(MAP_NAMES)
    assert len(set(files_of("mapping", walk))) <= MAX_FILES[with_reference]
    files = files_of("mapping", walk, HUB)
    turns = LEFT | LOOP | FINISH | (set() if with_reference else ATTEMPTS | JUDGES)
    assert turns.issuperset(repeated(files))
    first = min(files.index(name) for name in LOOP)
    last = max(len(files) - 1 - files[::-1].index(name) for name in LOOP)
    assert set(files[first : last + 1]) == LOOP
