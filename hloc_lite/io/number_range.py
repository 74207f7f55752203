"""Range of the numbers in files of unknown origin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MAX_NUMBER = 1e18
"""Largest coordinate or feature value of a file: squared lengths still fit 32-bit floats. Less
would refuse real results: an estimate of hloc on RobotCar is 1.4e16 away, a wrong answer."""


def in_range(values: npt.NDArray[np.floating] | npt.NDArray[np.integer]) -> bool:
    """Return True if all numbers are finite and at most ``MAX_NUMBER`` in size."""
    # a minimum and a maximum need no array of their own; NaN fails both comparisons
    return not values.size or (
        float(values.max()) <= MAX_NUMBER and float(values.min()) >= -MAX_NUMBER
    )
