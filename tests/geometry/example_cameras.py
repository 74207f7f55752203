"""Example cameras of all models, with realistic distortion."""

from __future__ import annotations

import numpy as np

from hloc_lite.geometry.camera_models import CAMERA_MODELS
from hloc_lite.types import Camera

WIDTH, HEIGHT = 1024, 768

EXTRA = {
    "SIMPLE_PINHOLE": [],
    "PINHOLE": [],
    "SIMPLE_RADIAL": [-0.08],
    "RADIAL": [-0.1, 0.02],
    "OPENCV": [-0.1, 0.02, 0.001, -0.002],
    "OPENCV_FISHEYE": [-0.03, 0.004, -0.002, 0.0003],
    "FULL_OPENCV": [-0.1, 0.02, 0.001, -0.002, 0.003, 0.02, -0.01, 0.002],
    "FOV": [0.7],
    "SIMPLE_RADIAL_FISHEYE": [-0.03],
    "RADIAL_FISHEYE": [-0.03, 0.004],
    "THIN_PRISM_FISHEYE": [-0.03, 0.004, 0.0005, -0.0003, 0.001, -0.0002, 0.0004, 0.0002],
    "RAD_TAN_THIN_PRISM_FISHEYE": [
        *(-0.03, 0.004, -0.002, 0.0003, 0.0001, -1e-5),
        *(0.001, -0.0005, 0.0004, 0.0002, -0.0003, 0.0001),
    ],
    "SIMPLE_DIVISION": [-0.1],
    "DIVISION": [-0.1],
    "SIMPLE_FISHEYE": [],
    "FISHEYE": [],
    "EUCM": [0.6, 1.1],
    "EQUIRECTANGULAR": [],
}  # fmt: skip
"""Extra parameters; tests fail for models without an entry."""

WITH_FOCAL = [model for model in CAMERA_MODELS if model != "EQUIRECTANGULAR"]
MAX_ANGLE_DEG = {
    "OPENCV_FISHEYE": 179,
    "SIMPLE_RADIAL_FISHEYE": 179,
    "RADIAL_FISHEYE": 179,
    "THIN_PRISM_FISHEYE": 140,
    "RAD_TAN_THIN_PRISM_FISHEYE": 150,
    "SIMPLE_DIVISION": 179,
    "DIVISION": 179,
    "SIMPLE_FISHEYE": 179,
    "FISHEYE": 179,
    "EUCM": np.degrees(np.arccos(-0.4 / 0.6)) - 0.1,
    "EQUIRECTANGULAR": 180,
}
"""Half the field of view of the example cameras; the other models see what is in front."""
PERSPECTIVE = [model for model in CAMERA_MODELS if model not in MAX_ANGLE_DEG]


def camera_of(model: str, focal: float = 700.0, extra: list[float] | None = None) -> Camera:
    if model == "EQUIRECTANGULAR":
        return Camera(model, WIDTH, HEIGHT, np.array([WIDTH, HEIGHT], np.float64))
    focals = [focal] if CAMERA_MODELS[model].num_focals == 1 else [focal, 1.02 * focal]
    chosen = EXTRA[model] if extra is None else extra
    return Camera(model, WIDTH, HEIGHT, np.array([*focals, 510.0, 390.0, *chosen]))


def rays_within(angle_deg: float, count: int, seed: int = 0) -> np.ndarray:
    """(count, 3) unit rays, uniform in their angle to the optical axis and about it."""
    rng = np.random.default_rng(seed)
    angle, turn = np.radians(rng.uniform(0, angle_deg, count)), rng.uniform(0, 2 * np.pi, count)
    x, y = np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn)
    return np.stack([x, y, np.cos(angle)], axis=1)


def angle_ray(angle_deg: float) -> np.ndarray:
    """(3,) unit ray at an angle to the optical axis, towards (3, 4) in the image."""
    side = np.sin(np.radians(angle_deg))
    return np.array([0.6 * side, 0.8 * side, np.cos(np.radians(angle_deg))])
