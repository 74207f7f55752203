"""Calibration of a map: outcome of localizing its own photos, stored in MAP/calibration.h5.

The file is optional. One of another map, or a damaged one, is reported and ignored: then the
confidence is that of the global model.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.io.bank import Bank, write_bank
from hloc_lite.maps.folder import CALIBRATION
from hloc_lite.types import Bool, Float32, Float64, Int64, UInt8, freeze_field

logger = logging.getLogger(__name__)
SCHEMA = "hloc_lite.calibration/1"
MAX_FILE_BYTES = 1 << 28
"""Size limit; a map of a million landmarks has 5 MB."""


class SelfTestKind(IntEnum):
    """Images that were left out of the map while one of its photos was localized."""

    SELF_LEFT_OUT = 0
    """The photo itself: its pose should be found."""
    NEIGHBOURHOOD_LEFT_OUT = 1
    """The photo and all images that share landmarks with it: any pose is at another place."""


@dataclass(frozen=True, eq=False)
class CalibrationSet:
    """Confidence and correctness of K answers about a map's own photos."""

    confidences: Float64
    """(K,) in [0, 1] as queries get them, by coefficients that were fitted without this photo; 0
    where no pose was found."""
    is_wrong: Bool
    """(K,) True if there is a pose and it is wrong by its known error."""
    kinds: UInt8
    """(K,) ``SelfTestKind`` of each answer."""
    has_pose: Bool
    """(K,) False where no pose was found, of any confidence."""

    def __post_init__(self) -> None:
        freeze_field(self, "confidences", np.float64, None)
        count = len(self.confidences)
        freeze_field(self, "is_wrong", np.bool_, count)
        freeze_field(self, "kinds", np.uint8, count)
        freeze_field(self, "has_pose", np.bool_, count)
        in_range = (self.confidences >= 0) & (self.confidences <= 1)
        if not in_range.all() or (self.kinds > max(SelfTestKind)).any():
            raise FormatError("a calibration set has confidences or kinds out of range")

    def __len__(self) -> int:
        return len(self.confidences)

    def of_kind(self, kind: SelfTestKind) -> CalibrationSet:
        """The answers of one kind."""
        rows = self.kinds == kind
        return CalibrationSet(
            self.confidences[rows], self.is_wrong[rows], self.kinds[rows], self.has_pose[rows]
        )


@dataclass(frozen=True, eq=False)
class MapCalibration:
    """Knowledge of a map about itself."""

    answers: CalibrationSet
    """Answers about the map's own photos."""
    repeatability: Float32
    """(M,) share of the images that should see each landmark and do; NaN where unknown."""
    coefficients: Mapping[str, float] = field(default_factory=dict)
    """Corrections of the global confidence model by name."""
    similar_places: tuple[tuple[str, str, float], ...] = ()
    """Pairs of images that show different places and were confused, with the confidence in the
    wrong pose, the highest first."""
    fitted_to: str = ""
    """Fingerprint of the confidence settings and the model of the map that it holds for."""

    def __post_init__(self) -> None:
        freeze_field(self, "repeatability", np.float32, None)

    def with_landmarks(self, point3D_idxs: Int64) -> MapCalibration:
        """Calibration of a map with only some of the landmarks."""
        return replace(self, repeatability=self.repeatability[point3D_idxs])


def write_calibration(folder: Path, calibration: MapCalibration, fingerprint: str) -> None:
    """Write the calibration into the folder of a map.

    Args:
        fingerprint: that of the map.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    answers = calibration.answers
    items = [
        ("confidences", answers.confidences),
        ("is_wrong", answers.is_wrong.astype(np.uint8)),
        ("kinds", answers.kinds),
        ("has_pose", answers.has_pose.astype(np.uint8)),
        ("repeatability", calibration.repeatability.astype(np.float64)),
    ]
    attrs = {
        "schema": SCHEMA,
        "fingerprint": fingerprint,
        "coefficients": dict(calibration.coefficients),
        "similar_places": [list(each) for each in calibration.similar_places],
        "fitted_to": calibration.fitted_to,
    }
    arrays = ((name, {"values": np.asarray(values, np.float64)}) for name, values in items)
    try:
        write_bank(folder / CALIBRATION, arrays, attrs)
    except OSError as error:
        raise HlocLiteError(f"cannot write {folder / CALIBRATION}: {error}") from error


def replace_calibration(folder: Path, calibration: MapCalibration | None, fingerprint: str) -> None:
    """Write the calibration of a map that has just been written; None deletes that of the old map.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    if calibration is None:
        (folder / CALIBRATION).unlink(missing_ok=True)
    else:
        write_calibration(folder, calibration, fingerprint)


def read_calibration(folder: Path, fingerprint: str, num_points: int) -> MapCalibration | None:
    """Read the calibration in the folder of a map; None without one that belongs to the map.

    Args:
        fingerprint: that of the map.
        num_points: number of its landmarks.
    """
    path = folder / CALIBRATION
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FormatError(f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
        found, belongs_to = _read(path)
    except (HlocLiteError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        logger.warning("%s is ignored: %s; `hloc-lite calibrate` writes it anew", path, error)
        return None
    if belongs_to == fingerprint and len(found.repeatability) == num_points:
        return found
    logger.warning("%s belongs to another map: ignored; run `hloc-lite calibrate`", path)
    return None


def _read(path: Path) -> tuple[MapCalibration, str]:
    """Calibration in a file, and the fingerprint of its map."""
    bank = Bank(path)
    try:
        attrs: Mapping[str, Any] = bank.attrs
        if attrs["schema"] != SCHEMA:
            raise FormatError(f"expected schema {SCHEMA}, got {attrs['schema']!r}")
        answers = CalibrationSet(
            _values(bank, "confidences"),
            _values(bank, "is_wrong") > 0,
            _values(bank, "kinds").astype(np.uint8),
            _values(bank, "has_pose") > 0,
        )
        coefficients = {str(k): float(v) for k, v in attrs["coefficients"].items()}
        if not np.isfinite(list(coefficients.values())).all():
            raise FormatError("it has coefficients that are not finite")
        calibration = MapCalibration(
            answers,
            _values(bank, "repeatability").astype(np.float32),
            coefficients,
            tuple((str(a), str(b), float(c)) for a, b, c in attrs["similar_places"]),
            str(attrs["fitted_to"]),
        )
        return calibration, str(attrs["fingerprint"])
    finally:
        bank.close()


def _values(bank: Bank, name: str) -> Float64:
    return np.asarray(bank[name]["values"], np.float64)
