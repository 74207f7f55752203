"""Distortions that lenses cannot have are refused, those of real cameras are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.geometry.camera_models import CAMERA_MODELS
from hloc_lite.geometry.cameras import bearings, camera_from_focal
from hloc_lite.geometry.distortion_check import check_distortion, distortion_fault
from hloc_lite.types import Camera
from tests.geometry.example_cameras import camera_of


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_realistic_cameras_of_all_models_pass(model: str) -> None:
    camera = camera_of(model)
    assert check_distortion(camera) is camera


@pytest.mark.parametrize("model", [name for name in CAMERA_MODELS if name != "EQUIRECTANGULAR"])
@pytest.mark.parametrize("focal", [200.0, 700.0, 50_000.0])
def test_cameras_without_distortion_pass(model: str, focal: float) -> None:
    camera = camera_from_focal(model, 1024, 768, focal, has_prior_focal=True)
    assert distortion_fault(camera) is None


REAL = {
    # TUM-VI's equidistant fisheye of 195 degrees; KITTI-360's; a GoPro in OpenCV's model; EuRoC
    "OPENCV_FISHEYE": (
        512, 512,
        [190.978, 190.973, 254.932, 256.897, 0.0034824, 0.00071503, -0.0020532, 0.00020294],
    ),
    "OPENCV": (752, 480, [458.654, 457.296, 367.215, 248.375, -0.28340811, 0.07395907, 1e-4, 2e-5]),
    "FULL_OPENCV": (  # a depth camera: rational with coefficients far from zero
        1280, 720, [607.0, 607.0, 638.0, 367.0, 0.51, -2.73, 5e-4, -2e-4, 1.63, 0.39, -2.55, 1.55],
    ),
    "SIMPLE_RADIAL": (800, 600, [607.688, 400, 300, 0.473697]),
}  # fmt: skip


@pytest.mark.parametrize("model", REAL)
def test_real_calibrations_pass(model: str) -> None:
    width, height, params = REAL[model]
    assert distortion_fault(Camera(model, width, height, np.array(params))) is None


@pytest.mark.parametrize(
    ("model", "extra", "words"),
    [
        ("SIMPLE_RADIAL", [100.0], "k = 100.* stretches the border"),
        ("SIMPLE_RADIAL", [-0.6], "k = -0.6.* is not monotonic"),
        ("RADIAL", [0.2, -1.0], "not monotonic"),
        ("OPENCV", [0.0, 0.0, 1.0, 0.0], "not monotonic|stretches"),
        ("OPENCV", [50.0, 0.0, 0.0, 0.0], "stretches"),
        ("FULL_OPENCV", [0.0, 0, 0, 0, 0, -3.0, 0, 0], "not monotonic|stretches"),
        ("OPENCV_FISHEYE", [-2.0, 0, 0, 0], "not monotonic"),
        ("OPENCV_FISHEYE", [100.0, 0, 0, 0], "stretches"),
        ("SIMPLE_RADIAL_FISHEYE", [-2.0], "not monotonic"),
        ("THIN_PRISM_FISHEYE", [-2.0, 0, 0, 0, 0, 0, 0, 0], "not monotonic"),
        ("SIMPLE_DIVISION", [100.0], "not monotonic"),
        ("FOV", [3.1], "not monotonic"),
    ],
)
def test_impossible_distortions_are_refused(model: str, extra: list[float], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        check_distortion(camera_of(model, extra=extra))


def test_folds_beyond_the_corners_do_not_matter() -> None:
    """The fold moves from outside the image to its corners as k falls."""
    last = -0.01
    for k in np.linspace(-0.01, -0.5, 200):
        camera = camera_of("SIMPLE_RADIAL", extra=[k])
        if distortion_fault(camera) is not None:
            break
        last = k
    corners = np.array([[0.0, 0.0], [1024, 0], [0, 768], [1024, 768]])
    assert last < -0.1  # it folds, somewhere outside
    assert np.isfinite(bearings(camera_of("SIMPLE_RADIAL", extra=[last]), corners)).all()
    assert not np.isfinite(bearings(camera, corners)).all()


@given(st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=4), st.floats(20, 50_000))
def test_cameras_that_pass_see_their_whole_image(extra: list[float], focal: float) -> None:
    camera = camera_of("OPENCV", focal=focal, extra=extra)
    if distortion_fault(camera) is None:
        inside = np.stack(np.meshgrid([0.0, 256, 512, 768, 1024], [0.0, 384, 768]), axis=-1)
        assert np.isfinite(bearings(camera, inside)).all()
