"""Random style of a house: floors, windows, materials, ornaments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hloc_lite.synthetic.materials import Library
from hloc_lite.synthetic.mesh import Material

FOOT_M = 1.2
"""Depth of the walls below the ground line: the terrain is not flat."""
PLASTER_TINTS = (
    (0.95, 0.86, 0.66),
    (0.9, 0.72, 0.45),
    (0.85, 0.83, 0.78),
    (0.62, 0.68, 0.6),
    (0.8, 0.55, 0.42),
    (0.66, 0.72, 0.78),
    (0.92, 0.9, 0.86),
    (0.78, 0.66, 0.6),
    (0.72, 0.42, 0.32),
)
"""Linear RGB: cream, ochre, greys, sage, terracotta, pale blue, white, clay, red."""


@dataclass(frozen=True)
class Style:
    """Proportions, materials and ornaments of a house; lengths in metres."""

    floors: int
    ground_height: float
    floor_height: float
    columns: int
    window_width: float
    window_height: float
    recess: float
    wall: Material
    trim: Material
    shop: bool
    balconies: bool
    shutters: bool
    shutter_tone: tuple[float, float, float]
    gable: bool
    quoins: bool
    string_courses: bool
    pilasters: bool

    @property
    def height(self) -> float:
        return self.ground_height + self.floors * self.floor_height + 0.5


def draw_style(rng: np.random.Generator, width: float, library: Library) -> Style:
    """Draw the style of a house of some width (metres)."""
    names = ["brick", "brick_photo", "plaster", "plaster", "plaster", "stone"]
    name = names[rng.integers(len(names))]
    tint = rng.uniform(0.6, 1.05) * (1 + rng.uniform(-0.1, 0.1, 3))
    if name == "plaster":
        tint = tint * np.array(PLASTER_TINTS[rng.integers(len(PLASTER_TINTS))])
    wall = library[name].tinted(*np.clip(tint, 0.12, 1.1))
    light = rng.uniform(0.55, 0.95)
    pitch = rng.uniform(2.0, 3.1)
    return Style(
        floors=int(rng.integers(2, 5)),
        ground_height=rng.uniform(3.4, 4.2),
        floor_height=rng.uniform(2.9, 3.4),
        columns=max(1, int((width - 0.8) / pitch)),
        window_width=rng.uniform(0.9, 1.3),
        window_height=rng.uniform(1.4, 1.9),
        recess=rng.uniform(0.14, 0.3),
        wall=wall,
        trim=library["plaster"].tinted(light, light * 0.97, light * 0.9),
        shop=bool(rng.random() < 0.55),
        balconies=bool(rng.random() < 0.3),
        shutters=bool(rng.random() < 0.3),
        shutter_tone=tuple(rng.uniform(0.05, 0.3, 3)),
        gable=bool(rng.random() < 0.25),
        quoins=bool(rng.random() < 0.35),
        string_courses=bool(rng.random() < 0.7),
        pilasters=bool(rng.random() < 0.25),
    )
