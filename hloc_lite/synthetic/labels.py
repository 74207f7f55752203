"""Cityscapes train ids of the surfaces of a town."""

from __future__ import annotations

ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE = range(6)
TRAFFIC_LIGHT, TRAFFIC_SIGN, VEGETATION, TERRAIN, SKY, PERSON, RIDER, CAR = range(6, 14)
UNKNOWN = 255
MOVING = (PERSON, RIDER, CAR)
"""Labels of objects that are elsewhere in another pass."""
LEGAL = (*range(19), UNKNOWN)
