"""Classes of indoor surfaces, their labels, and which ones a laser scanner does not see."""

from __future__ import annotations

import numpy as np

from hloc_lite.synthetic import labels
from hloc_lite.types import UInt8

FLOOR, WALL, CEILING, DOOR, WINDOW, LAMP, FURNITURE, PRINT, DARK, OUTSIDE = range(100, 110)
"""DARK: black or shiny, no echo. OUTSIDE: seen through a window."""
PERSON, PLANT = labels.PERSON, labels.VEGETATION
UNSCANNED = (DARK, OUTSIDE, labels.SKY)
"""Classes without a depth in a scan."""
FEATURELESS = (FLOOR, WALL, CEILING, WINDOW, LAMP, OUTSIDE, PERSON, labels.SKY)
"""Classes that give few features, or such that are elsewhere in the map."""


def cityscapes_table() -> UInt8:
    """(256,) Cityscapes train id of each class: people, plants and sky; others are unknown."""
    table = np.full(256, labels.UNKNOWN, np.uint8)
    for each in (PERSON, PLANT, labels.SKY):
        table[each] = each
    table[OUTSIDE] = labels.BUILDING
    return table
