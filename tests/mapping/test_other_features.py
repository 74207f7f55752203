"""Maps from scratch with other features, where those asked for register too few images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hloc_lite.config import Config, load_config
from hloc_lite.errors import RegistrationError
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.mapping import other_features
from hloc_lite.mapping.other_features import make_with_fallback
from hloc_lite.mapping.run import MapInputs, Run

IMAGES = {f"{number}.png": np.zeros((8, 8, 3), np.uint8) for number in range(10)}


@dataclass(frozen=True)
class StandInMap:
    """What the choice between maps reads."""

    config: Config
    report: dict[str, Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run with RootSIFT whose networks are not needed."""
    config = load_config(overrides={"features": {"name": "rootsift"}})
    models: Any = None
    monkeypatch.setattr(other_features, "load_models", lambda config, runtime: models)
    return Run(MemorySource(IMAGES), config, MapInputs(), models, tmp_path, False)


def make_by(registered: dict[str, int]):
    """Function that makes the map of a run, with the images that its features register."""

    def make(run: Run) -> list:
        name = run.config.features.name
        if not registered[name]:
            raise RegistrationError(f"none by {name}")
        strength = float(registered[name])
        report = {
            "registered": registered[name],
            # 20 of the 30 given images are copies or damaged
            "images": {f"{row}.png": {"keypoints": 100 * (row < 10)} for row in range(30)},
            "candidates": [{"features": name}], "models": [{"strength": strength}],
        }  # fmt: skip
        return [StandInMap(run.config, report)]

    return make


@pytest.mark.parametrize(
    ("registered", "chosen", "tried"),
    [
        ({"rootsift": 8}, "rootsift", ["rootsift"]),
        ({"rootsift": 7, "aliked-n16": 9}, "aliked-n16", ["aliked-n16", "rootsift"]),
        ({"rootsift": 7, "aliked-n16": 6}, "rootsift", ["rootsift", "aliked-n16"]),
        ({"rootsift": 7, "aliked-n16": 0}, "rootsift", ["rootsift"]),
        ({"rootsift": 0, "aliked-n16": 3}, "aliked-n16", ["aliked-n16"]),
    ],
)
def test_the_better_features_make_the_map(run: Run, registered, chosen: str, tried) -> None:
    (found,) = make_with_fallback(run, make_by(registered))
    assert found.config.features.name == chosen
    assert [each["features"] for each in found.report["candidates"]] == tried


def test_without_any_map_the_error_is_that_of_the_features_asked_for(run: Run) -> None:
    with pytest.raises(RegistrationError, match="none by rootsift"):
        make_with_fallback(run, make_by({"rootsift": 0, "aliked-n16": 0}))
