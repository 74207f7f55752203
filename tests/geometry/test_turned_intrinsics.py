"""Photos that EXIF turned without a change of size: whose given intrinsics are they?"""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.geometry.cameras import depends_on_turn, same_size_turned
from hloc_lite.types import Camera


@pytest.mark.parametrize(
    ("orientation", "size", "hidden"),
    [
        (None, (80, 80), False),
        (6, (80, 80), True),
        (8, (80, 80), True),
        (6, (60, 80), False),
        (3, (80, 60), True),
        (2, (80, 60), True),
        (5, (60, 80), False),
    ],
)
def test_the_size_tells_quarter_turns_of_photos_that_are_not_square(
    orientation: int | None, size: tuple[int, int], hidden: bool
) -> None:
    exif = {} if orientation is None else {"orientation": orientation}
    assert same_size_turned(exif, size) is hidden


@pytest.mark.parametrize(
    ("model", "params", "depends"),
    [
        ("PINHOLE", [900, 900, 500, 500], False),
        ("PINHOLE", [900, 900.5, 500.5, 499.5], False),
        ("PINHOLE", [900, 900, 520, 500], True),
        ("PINHOLE", [900, 930, 500, 500], True),
        ("SIMPLE_RADIAL", [900, 500, 500, -0.1], False),
        ("EQUIRECTANGULAR", [1000, 1000], False),
    ],
)
def test_centred_intrinsics_are_the_same_turned(model: str, params: list, depends: bool) -> None:
    assert depends_on_turn(Camera(model, 1000, 1000, np.array(params, float))) is depends
