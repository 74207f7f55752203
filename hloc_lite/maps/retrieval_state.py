"""Arrays that a global descriptor learned from the map images, in a file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.io.bank import Bank, write_bank

SUFFIX = ".vocabulary.h5"


def state_path(descriptors: Path) -> Path:
    """File of the state beside a file of global descriptors."""
    return descriptors.with_name(descriptors.name.removesuffix(".h5") + SUFFIX)


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write learned arrays, by name.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    arrays = {name: np.asarray(array, np.float32) for name, array in sorted(state.items())}
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    items = ((name, {"values": array.ravel()}) for name, array in arrays.items())
    write_bank(path, items, {"shapes": shapes})


def read_state(path: Path) -> dict[str, np.ndarray]:
    """Read learned arrays, by name.

    Raises:
        FormatError: no such file, or a damaged one.
    """
    with closing(Bank(path)) as bank:
        try:
            shapes = dict(bank.attrs["shapes"])
            return {name: bank[name]["values"].reshape(shapes[name]) for name in bank}
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path} is no vocabulary: {error}") from None
