"""``build_map`` reads from top to bottom: its walk through the files of the room."""

from __future__ import annotations

from pathlib import Path

import pytest

import hloc_lite.mapping.build
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from tests.exact_scene import MAP_NAMES, NoWeights
from tests.walk import record_walk, steps_back

ROOM = Path(hloc_lite.mapping.build.__file__).parent
LOOP = {"two_pass_matching.py", "pair_matching.py"}
"""Matching and verification of each pass take turns."""


@pytest.mark.parametrize("with_reference", [False, True])
def test_no_file_is_entered_again(exact_scene, tmp_path: Path, with_reference: bool) -> None:
    scene, config = exact_scene
    scene.write_images(tmp_path / "images", MAP_NAMES)
    inputs = MapInputs(reference=scene.reference(MAP_NAMES)) if with_reference else None
    built, walk = record_walk(
        ROOM,
        lambda: build_map(
            tmp_path / "images", config, inputs=inputs, output=tmp_path / "map", weights=NoWeights()
        ),
    )
    assert len(built.model.images) == len(MAP_NAMES)
    assert walk[0] == "build.py" and len(set(walk)) <= 10
    back = steps_back(walk, hub="build.py")
    assert [step for step in back if not LOOP.issuperset(step)] == []
