"""Projections agree with COLMAP 4.2: frozen values and, with pycolmap, random parameters."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.formats.colmap import MODEL_IDS
from hloc_lite.geometry.cameras import (
    CAMERA_MODELS,
    bearings,
    cam_from_img,
    img_from_cam,
    rescaled,
)
from hloc_lite.types import Camera

from .example_cameras import camera_of, rays_within

POINTS = np.array([[0.3, -0.2, 1.5], [-1.0, 0.5, 4.0], [2.0, 3.0, 0.8], [-0.9, -0.1, 0.05]])
COLMAP = {
    "SIMPLE_PINHOLE": (
        0,
        "f cx cy",
        [(650.0, 296.66666667), (335.0, 477.5), (2260.0, 3015.0), (-12090.0, -1010.0)],
    ),
    "PINHOLE": (
        1,
        "fx fy cx cy",
        [(650.0, 294.8), (335.0, 479.25), (2260.0, 3067.5), (-12090.0, -1038.0)],
    ),
    "SIMPLE_RADIAL": (
        2,
        "f cx cy k",
        [
            (649.35288889, 297.09807407),
            (336.09375, 476.953125),
            (-583.75, -1250.625),
            (318534.0, 35726.0),
        ],
    ),
    "RADIAL": (
        3,
        "f cx cy k1 k2",
        [
            (649.20045827, 297.19969449),
            (336.3458252, 476.8270874),
            (13146.23046875, 19344.34570312),
            (-26709978.0, -2967442.0),
        ],
    ),
    "OPENCV": (
        4,
        "fx fy cx cy k1 k2 p1 p2",
        [
            (648.97023605, 295.48648838),
            (336.0177002, 478.7309729),
            (13113.41796875, 19731.24199219),
            (-26711294.0, -3026661.552),
        ],
    ),
    "OPENCV_FISHEYE": (
        5,
        "fx fy cx cy k1 k2 k3 k4",
        [
            (647.16577454, 296.72727331),
            (339.73157178, 476.83689839),
            (1008.69155529, 1152.99807959),
            (-477.29087188, 278.10703452),
        ],
    ),
    "FULL_OPENCV": (
        6,
        "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
        [
            (648.81423151, 295.59257146),
            (336.27796008, 478.59824036),
            (4510.49384821, 6568.76808776),
            (-20380.76799113, -1691.38570566),
        ],
    ),
    "FOV": (
        7,
        "fx fy cx cy omega",
        [
            (654.53970892, 291.71299793),
            (329.95754216, 481.8216535),
            (1217.65635745, 1472.7142269),
            (-976.16221755, 221.56828201),
        ],
    ),
    "SIMPLE_RADIAL_FISHEYE": (
        8,
        "f cx cy k",
        [
            (647.16411973, 298.55725351),
            (339.7352001, 475.13239995),
            (1006.32761198, 1134.49141797),
            (-471.7890961, 280.91232266),
        ],
    ),
    "RADIAL_FISHEYE": (
        9,
        "f cx cy k1 k2",
        [
            (647.1658215, 298.556119),
            (339.73143343, 475.13428328),
            (1013.35555088, 1145.03332632),
            (-494.04621775, 278.43930914),
        ],
    ),
    "THIN_PRISM_FISHEYE": (
        10,
        "fx fy cx cy k1 k2 p1 p2 k3 k4 sx1 sy1",
        [
            (647.13558183, 296.77826519),
            (339.69080487, 476.89746917),
            (1015.87623893, 1164.70894504),
            (-501.57152763, 276.48512046),
        ],
    ),
    "RAD_TAN_THIN_PRISM_FISHEYE": (
        11,
        "fx fy cx cy k0 k1 k2 k3 k4 k5 p0 p1 s0 s1 s2 s3",
        [
            (647.29223215, 296.6470746),
            (339.90835633, 476.74223878),
            (1011.75419293, 1153.86514285),
            (-477.2541977, 276.95271692),
        ],
    ),
    "SIMPLE_DIVISION": (
        12,
        "f cx cy k",
        [
            (649.2003254, 297.19978306),
            (336.34623351, 476.82688325),
            (1380.48187408, 1695.72281112),
            (-1506.35070284, 165.96103302),
        ],
    ),
    "DIVISION": (
        13,
        "fx fy cx cy k",
        [
            (649.2003254, 295.34377873),
            (336.34623351, 478.56342091),
            (1380.48187408, 1721.83726734),
            (-1506.35070284, 161.48025368),
        ],
    ),
    "SIMPLE_FISHEYE": (
        14,
        "f cx cy",
        [
            (647.39348329, 298.40434447),
            (339.35490862, 475.32254569),
            (1035.14433485, 1177.71650228),
            (-544.45657764, 272.83815804),
        ],
    ),
    "FISHEYE": (
        15,
        "fx fy cx cy",
        [
            (647.39348329, 296.57243136),
            (339.35490862, 477.0289966),
            (1035.14433485, 1193.47083233),
            (-544.45657764, 270.4949212),
        ],
    ),
    "EUCM": (
        16,
        "fx fy cx cy alpha beta",
        [
            (647.42021317, 296.55425504),
            (339.30991609, 477.0519428),
            (1040.4762849, 1201.6287159),
            (-556.65541646, 269.11238613),
        ],
    ),
    "EQUIRECTANGULAR": (
        17,
        "w h",
        [
            (544.17047459, 352.21831327),
            (472.07468525, 413.50131956),
            (705.98710191, 615.76884146),
            (265.04485012, 356.98982656),
        ],
    ),
}
"""Of pycolmap 4.2.1: the model's number, its parameters, and for ``camera_of(model)``
``pycolmap.Camera(...).img_from_cam(point)`` of each of POINTS."""


def test_all_models_of_colmap_are_supported() -> None:
    assert {name: number for name, (number, _, _) in COLMAP.items()} == MODEL_IDS
    assert COLMAP.keys() == CAMERA_MODELS.keys()


@pytest.mark.parametrize("model", COLMAP)
def test_projection_agrees_with_frozen_values_of_colmap(model: str) -> None:
    _, names, pixels = COLMAP[model]
    assert " ".join(CAMERA_MODELS[model].param_names) == names
    np.testing.assert_allclose(
        img_from_cam(camera_of(model), POINTS), pixels, rtol=1e-12, atol=1e-8
    )


def colmap_camera(camera: Camera):  # type: ignore[no-untyped-def]
    pycolmap = pytest.importorskip("pycolmap")
    if not hasattr(pycolmap.CameraModelId, camera.model):
        pytest.skip(f"this pycolmap has no {camera.model}")
    return pycolmap.Camera(
        model=camera.model, width=camera.width, height=camera.height, params=camera.params
    )


def colmap_pixels(camera: Camera, points: np.ndarray) -> np.ndarray:
    """(N, 2) pixels; NaN for points that COLMAP does not project."""
    theirs = colmap_camera(camera)
    found = []
    for point in points:
        pixel = theirs.img_from_cam(point.reshape(1, 3))
        found.append(np.full(2, np.nan) if pixel is None else pixel[0])
    return np.array(found)


def random_camera(model: str, rng: np.random.Generator) -> Camera:
    """Distortion of the example times 0 to 2, random focal length and principal point."""
    camera = camera_of(model)
    if model == "EQUIRECTANGULAR":
        return camera
    layout, params = CAMERA_MODELS[model], camera.params.copy()
    params[: layout.num_focals] = rng.uniform(150, 1500, layout.num_focals)
    params[layout.num_focals : layout.extra_start] = rng.uniform(300, 700, 2)
    params[layout.extra_start :] *= rng.uniform(0, 2, layout.num_params - layout.extra_start)
    if model == "EUCM":
        params[layout.extra_start :] = rng.uniform([0, 0.5], [1, 2])
    return Camera(model, camera.width, camera.height, params)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_random_cameras_agree_with_colmap(model: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    camera = random_camera(model, rng)
    points = rays_within(179 if model in BEHIND else 89.9, 100, seed) * rng.uniform(
        0.1, 50, (100, 1)
    )
    expected = colmap_pixels(camera, points)
    known = np.isfinite(expected).all(axis=1)
    assert known.mean() > 0.99 or model.endswith("DIVISION")
    np.testing.assert_allclose(img_from_cam(camera, points[known]), expected[known], rtol=1e-8)


BEHIND = ("SIMPLE_DIVISION", "DIVISION", "EQUIRECTANGULAR")
"""Models for which COLMAP also projects points behind the camera."""


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_rays_agree_with_colmap(model: str) -> None:
    camera = camera_of(model)
    rays = rays_within(50, 100)
    pixels = colmap_pixels(camera, rays)
    theirs = colmap_camera(camera)
    np.testing.assert_allclose(bearings(camera, pixels), rays, atol=1e-9)
    np.testing.assert_allclose(
        cam_from_img(camera, pixels), theirs.cam_from_img(pixels), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_rescaling_agrees_with_colmap(model: str) -> None:
    camera = camera_of(model)
    theirs = colmap_camera(camera)
    theirs.rescale(camera.width // 4, camera.height // 4)
    ours = rescaled(camera, camera.width // 4, camera.height // 4)
    np.testing.assert_allclose(ours.params, theirs.params)
