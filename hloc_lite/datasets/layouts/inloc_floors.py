"""Floors of InLoc beside one another in one world, so that one map holds all of them.

Each floor has a frame of its own. They are moved apart, so that no landmark, pose or neighbour of
one floor can be taken for that of another. Poses are told in the frame of their floor again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hloc_lite.datasets.dataset import MapFrame
from hloc_lite.types import Rigid3

FLOOR_GAP_M = 1000.0
"""Distance between floors: far beyond any building, and float32 keeps a tenth of a millimetre."""


def spread_floors(
    cams_from_floor: Mapping[str, Rigid3], floors: Mapping[str, str]
) -> tuple[dict[str, Rigid3], tuple[MapFrame, ...]]:
    """Put the floors side by side along the x axis; the first one stays where it is.

    Args:
        cams_from_floor: pose of each cutout in the frame of its floor, metres.
        floors: floor of each cutout.

    Returns:
        cam_from_world of each cutout, and the frames of the floors, by name.
    """
    members: dict[str, list[str]] = {}
    for name in cams_from_floor:
        members.setdefault(floors[name], []).append(name)
    poses: dict[str, Rigid3] = {}
    frames: list[MapFrame] = []
    end: float | None = None
    for floor in sorted(members):
        centers = np.array([cams_from_floor[name].center for name in members[floor]])
        low, high = centers.min(axis=0), centers.max(axis=0)
        shift = 0.0 if end is None else end + FLOOR_GAP_M - low[0]
        offset = np.array([shift, 0.0, 0.0])
        end = high[0] + shift
        floor_from_world = Rigid3(np.eye(3), -offset)
        poses |= {name: cams_from_floor[name].compose(floor_from_world) for name in members[floor]}
        frames.append(MapFrame(floor, (low + high) / 2 + offset, floor_from_world))
    return {name: poses[name] for name in cams_from_floor}, tuple(frames)
