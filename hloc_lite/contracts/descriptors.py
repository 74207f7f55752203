"""The contract of global descriptors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.contracts.rules import UNIT_TOLERANCE, Rules
from hloc_lite.contracts.synthetic import textured_photo, uniform_photo
from hloc_lite.protocols import GlobalDescriptor
from hloc_lite.types import Float32, Photo

SIZES = ((1, 1), (200, 3), (3, 200), (51, 37), (300, 500))
"""(width, height) of photos that must be no error."""


def check_descriptor(descriptor: GlobalDescriptor, photos: Sequence[Photo] | None = None) -> None:
    """Check that a global descriptor keeps its contract; fits it several times.

    Args:
        descriptor: ready for use, fitted or not.
        photos: two or more different ones; by default six of coloured rectangles.

    Raises:
        ContractError: rows that are not float32, finite and of length 1; results that depend on the
            batch or the run; a state that is not float32 arrays, or does not restore the rows;
            failure on photos of any size or without texture.
    """
    photos = [textured_photo(seed, 128, 96) for seed in range(6)] if photos is None else photos
    check = _DescriptorRules(descriptor)
    with check.inputs_unchanged([photo.pixels for photo in photos]):
        check.call(descriptor.fit, "textured photos", photos)
        rows = check.describe(photos, "textured photos")
        check.unit_rows(rows, "rows")
        check.same([rows], [check.describe(photos, "the same photos again")], "the same photos")
        none = check.describe([], "no photos")
        check.require(
            none.shape == (0, rows.shape[1]),
            f"shape (0, {rows.shape[1]}) for no photos",
            none.shape,
            "Reshape the empty result",
        )
        alone = np.concatenate([check.describe([photo], "one photo") for photo in photos])
        difference = np.abs(rows - alone).max()
        check.require(
            difference <= UNIT_TOLERANCE,
            "the same rows alone as in a batch",
            f"a difference of {difference:.2g}",
            "Let no photo of a batch influence another",
        )
        for width, height in SIZES:
            check.describe([textured_photo(0, width, height)], f"{width} x {height} px")
        check.describe([uniform_photo(0)], "a black photo")
        check.state(photos, rows)


class _DescriptorRules(Rules[GlobalDescriptor]):
    def describe(self, photos: Sequence[Photo], what: str) -> Float32:
        """(B, D) rows that are finite and not longer than 1."""
        rows = self.call(self._model.describe, what, photos)
        self.require(
            isinstance(rows, np.ndarray)
            and (rows.dtype, rows.ndim, len(rows)) == (np.float32, 2, len(photos)),
            f"({len(photos)}, D) float32 for {what}",
            f"{np.shape(rows)} {getattr(rows, 'dtype', type(rows).__name__)}",
            "Return one row for each photo, in order",
        )
        self.finite(rows, f"rows for {what}")
        longest = float(np.linalg.norm(rows, axis=1).max(initial=0))
        self.require(
            longest <= 1 + UNIT_TOLERANCE,
            f"rows of length 1 for {what}",
            f"length {longest:.3g}",
            "Divide each row by its norm; a row of zeros may stay",
        )
        return rows

    def state(self, photos: Sequence[Photo], rows: Float32) -> None:
        """The state holds all that was learned, and learning again gives the same."""
        kept = dict(self._model.state())
        for name, array in kept.items():
            self.require(
                isinstance(array, np.ndarray) and array.dtype == np.float32,
                f"float32 in state()[{name!r}]",
                getattr(array, "dtype", type(array).__name__),
                "Give what was learned as float32 arrays",
            )
            kept[name] = array.copy()
        self.call(self._model.fit, "a black photo", [uniform_photo(0)])
        self.describe([uniform_photo(0)], "a black photo that it was fitted to")
        self.call(self._model.load_state, "its own state", kept)
        restored = self.describe(photos, "the photos after load_state")
        self.same([rows], [restored], "the photos after state() and load_state()")
        self.call(self._model.fit, "the same photos", photos)
        refitted = self.describe(photos, "the photos after another fit")
        self.same([rows], [refitted], "the photos after another fit")
