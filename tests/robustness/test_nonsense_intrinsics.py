"""Nonsense intrinsics give errors or no pose: a small run of the benchmark."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("one platform will do", allow_module_level=True)

from hloc_lite.errors import FormatError
from hloc_lite.geometry.camera_models import CAMERA_MODELS
from hloc_lite.geometry.distortion_check import check_distortion
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from pipelines.benchmarks.robustness import nonsense_intrinsics
from pipelines.benchmarks.robustness.nonsense_intrinsics import (
    nonsense_cameras,
    trials,
    true_camera,
)
from tests.exact_scene import mapped_scene


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_checks_take_any_number(model: str) -> None:
    refused = total = 0
    for _, _, camera in nonsense_cameras(model):
        total += 1
        try:
            check_distortion(check_given_camera(camera))
        except FormatError:
            refused += 1
    assert total >= 80 and refused > total / 3
    check_distortion(check_given_camera(true_camera(model)))


def test_nonsense_gives_no_wrong_pose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that were localized with confidences of 0.59 to 0.98, hundreds of units away."""
    monkeypatch.setattr(nonsense_intrinsics, "MAGNITUDES", (-1000.0, 0.1, 28.0, 100.0))
    with mapped_scene() as (scene, sfm_map):
        for model in ("SIMPLE_PINHOLE", "SIMPLE_DIVISION", "EUCM"):
            for trial in trials(scene, sfm_map, model):
                assert not trial.outcome.isupper(), trial
