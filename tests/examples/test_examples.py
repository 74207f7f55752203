"""Every example runs as written, on a small scene, and says what it found."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import free_port
from tests.small_scene import copy_scene, small_scene

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(EXAMPLES.glob("*.py"))
NEW = "NEW_MAP"
ARGUMENTS = {
    "01_localize_one_photo": [],
    "02_map_a_folder": ["IMAGES", NEW],
    "03_your_own_colmap_model": ["IMAGES", "MODEL", NEW],
    "04_several_features": [],
    "05_rig": [],
    "06_sequence": [],
    "07_labels_and_depth": [],
    "08_service": ["MAP", "photo.jpg", "PORT"],
    "09_your_own_extractor": [],
}
"""Command line of each; none: the defaults."""
EXPECTED = {
    "01_localize_one_photo": r"confidence: (0\.[89]|1\.0)",
    "02_map_a_folder": r"(9|10|11|12) of 12 images registered",
    "03_your_own_colmap_model": r"12 images with known poses(.|\n)*\d{3} points triangulated",
    "04_several_features": r"localized .*\naliked-n16: \d+ inliers(.|\n)*rootsift: \d+ inliers",
    "05_rig": r"localized .*\nrig in the map: (.|\n)*right.jpg: \d+ inliers",
    "06_sequence": r"(\d{4}\.jpg localized .*\n){5}",
    "07_labels_and_depth": r"localized (.|\n)*depth: known for \d+ (.|\n)*semantics: known for \d+",
    "08_service": r"True localized .* (GOOD|EXCELLENT)\nposition in Unity's axes: \[",
    "09_your_own_extractor": r"localized \d+ of \d+",
}
MAX_LINES = 40

pytestmark = [pytest.mark.weights, pytest.mark.slow]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the scene in which all examples run."""
    scene = small_scene(tmp_path_factory.mktemp("scene"))
    return copy_scene(scene, tmp_path_factory.mktemp("examples"))


def test_every_example_has_a_case() -> None:
    assert [path.stem for path in FILES] == sorted(ARGUMENTS) == sorted(EXPECTED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_example(path, folder, tmp_path, monkeypatch, capfd) -> None:
    found = {NEW: str(tmp_path / "map"), "PORT": str(free_port())}
    arguments = [found.get(argument, argument) for argument in ARGUMENTS[path.stem]]
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    runpy.run_path(str(path), run_name="__main__")
    assert re.search(EXPECTED[path.stem], capfd.readouterr().out)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_example_is_short_and_says_how_to_run_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert f"python examples/{path.name} " in text
