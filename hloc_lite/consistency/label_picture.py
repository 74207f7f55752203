"""Photos overlaid with the colours of their labels, for reports."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from hloc_lite.consistency.labels import NUM_CLASSES
from hloc_lite.formats.label_images import read_label_table
from hloc_lite.types import LabelMap, Photo, UInt8


@functools.cache
def class_colours() -> UInt8:
    """(256, 3) RGB colour of each train id; black for other values. The file is read once."""
    colours = np.zeros((256, 3), np.uint8)
    for colour, label in read_label_table("cityscapes-colours").colours.items():
        colours[label] = colour
    colours.flags.writeable = False
    return colours


def label_picture(photo: Photo, label_map: LabelMap, opacity: float = 0.6) -> UInt8:
    """(H, W, 3) RGB photo overlaid with Cityscapes colours, bare where labels are unknown."""
    size = (photo.width, photo.height)
    labels = cv2.resize(label_map.labels, size, interpolation=cv2.INTER_NEAREST)
    mixed = np.rint((1 - opacity) * photo.pixels + opacity * class_colours()[labels]).astype(
        np.uint8
    )
    return np.where((labels < NUM_CLASSES)[..., None], mixed, photo.pixels)
