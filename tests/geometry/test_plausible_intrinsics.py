"""Impossible intrinsics are refused with the mistake that likely made them."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.errors import FormatError
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.types import Camera


def camera(model: str, *params: float) -> Camera:
    return Camera(model, 1296, 1936, np.array(params))


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (camera("PINHOLE", 29, 29, 648, 968), "likely in mm"),
        (camera("SIMPLE_RADIAL", 29, 648, 968, 0), "likely in mm"),
        (camera("OPENCV_FISHEYE", 29, 29, 648, 968, 0, 0, 0, 0), "likely in mm"),
        (camera("PINHOLE", 2435, 2435, 0, 0), "image corner"),
        (camera("PINHOLE", 2435, 2435, 1500, 968), "exchanged?"),
        (camera("PINHOLE", 2435, 2435, 1296, 1937), "another image size"),
        (camera("SIMPLE_RADIAL", 2435, 968, 648, -0.03), "exchanged"),
    ],
)
def test_the_likely_mistake_is_named(given: Camera, hint: str) -> None:
    with pytest.raises(FormatError, match=hint):
        check_given_camera(given)


@pytest.mark.parametrize(
    "given",
    [
        camera("PINHOLE", 2435, 2435, 648, 968),
        camera("PINHOLE", 600, 600, 648, 968),  # a rectilinear lens of 10 mm
        camera("SIMPLE_PINHOLE", 2435, 200, 300),  # a crop
        camera("OPENCV_FISHEYE", 250, 250, 648, 968, 0, 0, 0, 0),
        Camera("SIMPLE_PINHOLE", 1000, 1000, np.array([900.0, 500, 500])),
        Camera("EQUIRECTANGULAR", 2000, 1000, np.array([2000.0, 1000])),
    ],
)
def test_possible_intrinsics_pass(given: Camera) -> None:
    assert check_given_camera(given) is given
