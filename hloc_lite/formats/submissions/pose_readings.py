"""Reading of the numbers of a submission that fits the map, or the true poses, best.

A pose that was inverted, or whose quaternion is in another order, is a valid pose, too: only where
it lies tells. Queries lie near images of the map, and look where these look. So each reading of the
lines is compared with the nearest image of the map, in position and rotation together, and readings
compete line by line.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.formats.submissions.pose_references import (
    MapPoses,
    Reading,
    TruePoses,
    pose_cells,
)
from hloc_lite.types import Bool, Float64

FITS = 2.0
"""Largest distance of a line that fits: 0.6 of the map's extent, or 60 degrees."""


@dataclass(frozen=True)
class Fits:
    """How well all readings fit, best first."""

    readings: tuple[Reading, ...]
    shares: tuple[float, ...]
    """Share of the lines that fit each reading."""
    num_lines: int
    """Lines that were compared."""
    winner: Reading | None
    """Reading that beats the one as written beyond doubt; None if none does."""
    share_as_written: float
    is_near: Bool
    """(N,) lines whose camera centres, as written, lie near the map; True for all with a truth."""
    rival: Reading | None
    """Reading that the winner does not clearly beat; None if there is none."""


@dataclass(frozen=True)
class ComparedLines:
    """Poses of lines and what to compare them with."""

    quats: Float64
    """(N, 4), in the order of the columns."""
    positions: Float64
    """(N, 3)."""
    references: MapPoses | TruePoses


def compare_readings(parts: Sequence[ComparedLines], as_written: Reading) -> Fits:
    """Compare all readings of the lines; other units only if no reading in this unit fits."""
    flags = itertools.product((True, False), repeat=4)
    readings = [Reading(*values) for values in flags]
    readings.remove(as_written)
    readings.insert(0, as_written)
    costs = _all_costs(parts, readings)
    if (costs <= FITS).mean(axis=1).max(initial=0) < 0.5:
        scaled = [
            Reading(is_wxyz, is_cam_from_world, is_center, unit=unit)
            for unit in (0.001, 0.01)
            for is_wxyz, is_cam_from_world, is_center in itertools.product((True, False), repeat=3)
        ]
        costs = np.concatenate([costs, _all_costs(parts, scaled)])
        readings += scaled
    # equally good ones: the one with the fewest mistakes
    scores = costs.mean(axis=1) + [0.05 * each.num_differences(as_written) for each in readings]
    order = np.argsort(scores, kind="stable").tolist()
    shares = (costs <= FITS).mean(axis=1)
    best, second = order[:2]
    weights = _weights(parts, readings[best])
    is_better = best != 0 and _beats(costs[best], costs[0], weights)
    has_rival = second != 0 and not _beats(costs[best], costs[second], weights)
    return Fits(
        readings=tuple(readings[row] for row in order),
        shares=tuple(float(shares[row]) for row in order),
        num_lines=costs.shape[1],
        winner=readings[best] if is_better else None,
        share_as_written=float(shares[0]),
        is_near=np.concatenate(
            [each.references.are_near(each.quats, each.positions, as_written) for each in parts]
        ),
        rival=readings[second] if has_rival else None,
    )


def _all_costs(parts: Sequence[ComparedLines], readings: Sequence[Reading]) -> Float64:
    rows = [
        np.concatenate(
            [part.references.costs(part.quats, part.positions, reading) for part in parts]
        )
        for reading in readings
    ]
    return np.array(rows, np.float64)


def _beats(costs: Float64, costs_as_written: Float64, weights: Float64) -> bool:
    """True if clearly more lines fit than as written, more than chance explains.

    Lines that fit neither reading say nothing.
    """
    wins = float(weights[(costs <= FITS) & (costs < 0.75 * costs_as_written)].sum())
    losses = float(weights[(costs_as_written <= FITS) & (costs_as_written < 0.75 * costs)].sum())
    decided = wins + losses
    return wins >= 0.75 * decided and wins - losses >= 3 * np.sqrt(max(decided, 1))


def _weights(parts: Sequence[ComparedLines], reading: Reading) -> Float64:
    """(N,) weights of lines: lines of nearly the same pose, as in a slow video, count as one."""
    weights = []
    for part in parts:
        cells = pose_cells(part.quats, part.positions, reading, part.references.unit)
        _, which, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
        weights.append(1 / counts[which.reshape(-1)])
    return np.concatenate(weights)
