"""Small model, photos and the form of a sample, for small valid files of all formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from hloc_lite.formats.given_intrinsics import ANY_IMAGE
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

NAMES = ("a/0.png", "a/1 b.png", "ü.png")
SIZE = (640, 480)
SHARED = {ANY_IMAGE: Camera("PINHOLE", *SIZE, np.array([500.0, 510, 320, 240]))}
STEP_NS = 50_000_000
NUM_POINTS = 12


class FormatSample(NamedTuple):
    """Valid files of one format, written anew for each use."""

    name: str
    write: Callable[[Path], None]
    """Writes them into an empty folder."""
    read: Callable[[Path], object]
    """Value that the files of the folder stand for."""
    entry: str = ""
    """File or folder that is recognized, relative to the folder; empty for other formats."""
    kind: str = ""
    """Name under which ``entry`` is recognized."""
    is_checked: bool = False
    """True if a checksum covers all values: a damaged file must not be read as other ones."""
    group: str = ""
    """Formats that are run together, such as ``images``."""
    counted: tuple[str, ...] = ()
    """Patterns of names of files whose length is stated in them, or follows from other files: one
    that is cut off or has a part twice must not be read as other values."""


def sample_model(
    names: Sequence[str] = NAMES, model: str = "PINHOLE", size: tuple[int, int] = SIZE
) -> SfmModel:
    """Model of a few images that all see the same points."""
    focals = [500.0] if model.startswith("SIMPLE") else [500.0, 510.0]
    distortion = {"SIMPLE_RADIAL": [0.01]}.get(model, [])
    camera = Camera(model, *size, np.array([*focals, size[0] / 2, size[1] / 2, *distortion]))
    rng = np.random.default_rng(5)
    xyz = rng.uniform(-1, 1, (NUM_POINTS, 3))
    images = []
    for number, name in enumerate(names):
        pose = Rigid3(exp_so3([0.02 * number, 0.1, -0.05]), np.array([0.3 * number, 0.1, 8.0]))
        pixels = img_from_cam(camera, pose.apply(xyz))
        images.append(SfmImage(number + 1, name, 1, pose, pixels, np.arange(NUM_POINTS)))
    colours = rng.integers(0, 256, (NUM_POINTS, 3)).astype(np.uint8)
    return SfmModel(
        {1: camera}, tuple(images), np.arange(1, NUM_POINTS + 1), xyz, colours, np.zeros(NUM_POINTS)
    )


def poses_of(model: SfmModel) -> dict[str, Rigid3]:
    """Image name -> cam_from_world."""
    return {image.name: image.cam_from_world for image in model.images}


def write_photos(folder: Path, names: Sequence[str], size: tuple[int, int] = SIZE) -> None:
    """Write black photos, for formats that take sizes from them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size).save(folder / name)
