"""Poses that are likely given in the other direction: world_from_cam as cam_from_world, or so.

Cameras move steadily, so the right reading mostly has the shorter path. Over 55 real sequences of
RIO10, 7-Scenes, 12-Scenes and others, none was twice as long as its inverse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.errors import counted
from hloc_lite.io.image_names import natural_key
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Float64, Rigid3

_MIN_POSES = 10
_MUCH_SHORTER = 0.5
"""Length of the other path over that of the path from which on the direction is doubtful."""
_STEADY = 0.5
"""Largest mean step of a path in order of time, over the mean distance of poses half the path
apart. Real sequences have 0.01 to 0.3, photos in no order 1."""
_LOOKS_AT_ORIGIN = 0.35
"""Largest distance of the origin from the optical axis over its depth: 19 degrees."""
_SAME_DISTANCE = 0.35
"""Largest median difference of the distances from the origin, over the median distance."""


def direction_notes(
    worlds_from_cam: Sequence[Rigid3], what: str, *, other: str = "cam_from_world"
) -> tuple[str, ...]:
    """Warn if poses in order of time move much less when read in the other direction.

    Cameras that circle the origin and look at it say nothing: the origin stays where it is in
    their images. Nor do photos in no order.

    Args:
        worlds_from_cam: world_from_cam in order of time.
        what: what the poses are from, for the sentence.
        other: the other reading of the file, for the sentence.

    Returns:
        One sentence, or nothing.
    """
    if len(worlds_from_cam) < _MIN_POSES:
        return ()
    rotations = np.array([pose.rotation for pose in worlds_from_cam])
    positions = np.array([pose.translation for pose in worlds_from_cam])
    others = -np.einsum("nji,nj->ni", rotations, positions)
    length, other_length = _path_length(positions), _path_length(others)
    if other_length >= _MUCH_SHORTER * length or not _is_steady(others) or _is_orbit(others):
        return ()
    return (
        f"{what}: the path of the camera is {length:.4g} long, but {other_length:.4g} if the poses "
        f"were {other}: check the direction of the poses",
    )


def model_direction_notes(model: SfmModel) -> tuple[str, ...]:
    """Warn of sequences whose poses are likely inverses; a sequence is a folder of images.

    Models with points are left alone: the points tell.
    """
    if model.num_points:
        return ()
    folders: dict[str, list[SfmImage]] = {}
    for image in sorted(model.images, key=lambda image: natural_key(image.name)):
        folders.setdefault(image.name.rpartition("/")[0], []).append(image)
    notes = [
        note
        for folder, images in folders.items()
        for note in direction_notes(
            [image.cam_from_world.inverse() for image in images],
            f"poses of {folder!r}" if folder else "poses",
            other="the inverses",
        )
    ]
    if len(notes) < 2:
        return tuple(notes)
    return (f"{notes[0]} (and those of {counted(len(notes) - 1, 'other folder')})",)


def _path_length(positions: Float64) -> float:
    return float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())


def _is_steady(positions: Float64) -> bool:
    """Return True for (N, 3) positions that follow one another."""
    step = _path_length(positions) / (len(positions) - 1)
    half = len(positions) // 2
    far = np.linalg.norm(positions[half:] - positions[: len(positions) - half], axis=1).mean()
    return bool(step <= _STEADY * far)


def _is_orbit(origins: Float64) -> bool:
    """Return True if (N, 3) positions of the origin in the cameras stay in front of them."""
    depths = np.abs(origins[:, 2])
    aside = np.hypot(origins[:, 0], origins[:, 1])
    distances = np.linalg.norm(origins, axis=1)
    middle = np.median(distances)
    is_ahead = np.median(aside) <= _LOOKS_AT_ORIGIN * np.median(depths)
    return bool(is_ahead and np.median(np.abs(distances - middle)) <= _SAME_DISTANCE * middle)
